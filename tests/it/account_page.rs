//! What account pages need: two public documents, the client `account-center`, and a page of our own. What people see is in `browser.rs`.

use base64::{Engine, prelude::BASE64_STANDARD};
use countersign::{crypto::digest::digest, domain::id::ApplicationId, storage::applications};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, TestApp},
    hosted::client::{Client, Surfer, VERIFIER},
};

const CLIENT: &str = "/api/applications/account-center";

#[tokio::test]
async fn the_client_of_account_pages_is_part_of_the_service_and_stays() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let shown = manager.get(CLIENT).await.expect("200").json();
    assert_eq!((&shown["type"], &shown["isThirdParty"]), (&json!("SPA"), &json!(false)));
    let page = json!([app.url("/account")]);
    let places = json!({ "redirectUris": page, "postLogoutRedirectUris": page });
    assert_eq!(shown["oidcClientMetadata"], places);
    manager.delete(CLIENT).await.expect("422 application.built_in_application_cannot_be_deleted");
    manager.get(CLIENT).await.expect("200");
    manager.patch(CLIENT, json!({ "name": "My page" })).await.expect("200");
    // Another node finds it as it is; one that is started under another URL takes people back to that one.
    let second = app.second_node().await;
    assert_eq!(second.manager().await.get(CLIENT).await.json()["name"], "My page");
    let id = ApplicationId("account-center".to_owned());
    let mut session = app.write().await;
    let mut stored = applications::lock(&mut session, &id).await.unwrap().unwrap();
    stored.oidc_client_metadata.0.insert("redirectUris".to_owned(), json!(["https://old.example/account"]));
    applications::set(&mut session, &stored).await.unwrap();
    session.commit().await.unwrap();
    let third = app.second_node().await;
    let shown = third.manager().await.get(CLIENT).await.json();
    assert_eq!((&shown["oidcClientMetadata"], &shown["name"]), (&places, &json!("My page")));
    assert_eq!(app.number("select count(*) from applications where id = 'account-center'").await, 1);
}

#[tokio::test]
async fn what_account_pages_read_first_is_public_and_tells_no_secrets_of_the_operator() {
    let app = TestApp::start_with(|config| config.sign_in.sms.sign_up = false).await;
    let manager = app.manager().await;
    let read = async |path: &str| {
        let request = app.http.get(app.url(path)).header("origin", "https://front.example");
        let answer = Answer::of(request).await.expect("200");
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://front.example"), "{path}");
        answer.json()
    };
    let center = "/api/.well-known/account-center";
    assert_eq!(read(center).await, manager.get("/api/account-center").await.json());
    let fields = json!({ "fields": { "password": "Edit", "email": "ReadOnly" } });
    manager.patch("/api/account-center", fields.clone()).await.expect("200");
    assert_eq!(read(center).await["fields"], fields["fields"]);

    let path = "/api/.well-known/sign-in-exp";
    let seen = read(&format!("{path}?appId=account-center&organizationId=x")).await;
    let methods: Vec<&Value> =
        seen["signIn"]["methods"].as_array().unwrap().iter().map(|one| &one["identifier"]).collect();
    assert_eq!(methods, [&json!("email"), &json!("phone")]);
    assert_eq!((&seen["signUp"]["identifiers"], &seen["signInMode"]), (&json!(["email"]), &json!("SignInAndRegister")));
    assert_eq!(seen["socialConnectors"], json!([]));
    let whole = manager.get("/api/sign-in-exp").await.json();
    for shared in ["passwordPolicy", "usernamePolicy", "languageInfo"] {
        assert_eq!(seen[shared], whole[shared], "{shared}");
    }
    for own in ["sentinelPolicy", "emailBlocklistPolicy", "verificationCodePolicy", "sessionPolicy"] {
        assert!(whole[own].is_object() && seen.get(own).is_none(), "{own}");
    }
}

/// Signed in as the account page signs people in; the tokens.
async fn sign_in(app: &TestApp, surfer: &mut Surfer<'_>, email: &str) -> Value {
    surfer.give_email(email).await;
    let code = app.mailed_code(email).await;
    surfer.give_code(&code).await;
    let url = url::Url::parse(&surfer.leads_to()).unwrap();
    assert!(url.as_str().starts_with(&format!("{}?", app.url("/account"))), "{url}");
    let query: std::collections::HashMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(query["iss"], app.url("/oidc"));
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "account-center"),
        ("redirect_uri", &app.url("/account")),
        ("code", &query["code"]),
        ("code_verifier", VERIFIER),
    ];
    Answer::of(app.http.post(app.url("/oidc/token")).form(&form)).await.expect("200").json()
}

#[tokio::test]
async fn account_pages_written_for_logto_sign_in_and_use_the_account_api() {
    let app = TestApp::start().await;
    let owner = app.user().await;

    let application = {
        let mut session = app.app().db.read().await.unwrap();
        applications::find(&mut session, &ApplicationId("account-center".to_owned())).await.unwrap().unwrap()
    };
    let client = Client { application };
    let page = app.url("/account");
    let scope = "openid profile email phone address identities custom_data urn:logto:scope:sessions \
                 urn:logto:scope:trusted_devices";
    let request = [("redirect_uri", Some(page.as_str())), ("scope", Some(scope)), ("nonce", None)];
    let mut surfer = Surfer::at(&app, &client.authorize_at("/oidc/auth", &request)).await;
    let tokens = sign_in(&app, &mut surfer, &owner.email.to_lowercase()).await;
    let user = owner.with_token(tokens["access_token"].as_str().unwrap().to_owned());
    let seen = user.get("/api/my-account").await.expect("200").json();
    assert_eq!(seen["id"], user.id.as_str());
    assert_eq!((&seen["hasPassword"], &seen["identities"]), (&json!(true), &json!({})));
    assert_eq!(Answer::of(user.request(Method::GET, "/oidc/me")).await.expect("200").json()["sub"], user.id.as_str());
    let record = user.verify_password().await;
    let list = user.call("GET", "/api/my-account/sessions", &record, Value::Null).await.expect("200").json();
    let current = list["sessions"].as_array().unwrap().iter().filter(|one| one["isCurrent"] == true).count();
    assert_eq!(current, 1);
    let change = json!({ "password": "a much better passphrase" });
    user.call("POST", "/api/my-account/password", &record, change).await.expect("204");
    user.get("/api/my-account").await.expect("200");
    // Signed out: the token is worthless, and the browser is asked the next time.
    let way = format!(
        "/oidc/session/end?{}",
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("id_token_hint", tokens["id_token"].as_str().unwrap())
            .append_pair("post_logout_redirect_uri", &page)
            .append_pair("state", "signed-out")
            .finish()
    );
    surfer.go(&way).await;
    assert_eq!(surfer.leads_to(), format!("{page}?state=signed-out"));
    user.get("/api/my-account").await.expect("401 auth.unauthorized");
}

#[tokio::test]
async fn the_page_runs_its_own_script_alone_and_calls_nobody_else() {
    let app = TestApp::start().await;
    let read = async |path: &str, language: &str| {
        Answer::of(app.http.get(app.url(path)).header("accept-language", language)).await.expect("200")
    };
    let page = read("/account", "en").await;
    let policy = page.header("content-security-policy").unwrap().to_owned();
    let inside = |from: &str, to: &str| page.text.split_once(from).unwrap().1.split(to).next().unwrap().to_owned();
    let hash = |text: &str| BASE64_STANDARD.encode(digest(text.as_bytes()));
    let (script, style) = (inside("<script type=\"module\">", "</script>"), inside("<style>", "</style>"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; connect-src 'self'; style-src 'sha256-{}'; script-src 'sha256-{}'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
            hash(&style),
            hash(&script)
        )
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("access-control-allow-origin"), None, "pages are not read by other origins");
    let setup: Value = serde_json::from_str(&inside("id=\"setup\">", "</script>")).unwrap();
    assert_eq!((&setup["root"], &setup["locale"]), (&json!(app.running.url()), &json!("en")));
    for (path, language, locale) in [("/account", "fr, ja;q=0.5", "ja"), ("/account?language=en", "ja", "en")] {
        assert!(read(path, language).await.text.contains(&format!("<html lang=\"{locale}\">")), "{path}");
    }
    // Scripts say what is to be done as text: nothing becomes markup.
    for never in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "localStorage", "document.write"] {
        assert!(!script.contains(never), "{never}");
    }
    let refused = Answer::of(app.http.post(app.url("/account"))).await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
}
