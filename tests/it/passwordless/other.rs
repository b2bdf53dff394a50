//! The endpoints of older libraries and of pages.

use serde_json::{Value, json};

use super::{BACK, OTP, Shop, claims, other_than, told};
use crate::{
    harness::{Answer, Bound, ClientKey, TestApp},
    hosted::client::Surfer,
};

#[tokio::test]
async fn the_documented_shape_of_verify_gives_tokens() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let code = shop.code("ada@example.com").await;
    let body = || json!({ "grant_type": "password", "connection": "email", "username": "ada@example.com", "password": code, "scope": "openid" });
    for name in ["connection", "username", "password"] {
        let mut body = body();
        body.as_object_mut().unwrap().remove(name);
        let expected = format!("400 invalid_request: Missing required property: {name}");
        assert_eq!(told(&shop.post("/passwordless/verify", body).await), expected);
    }
    let mut other = body();
    other["scope"] = json!(["openid"]);
    assert_eq!(shop.post("/passwordless/verify", other).await.json()["error"], "invalid_request");
    let bare = Answer::of(app.http.post(app.url("/passwordless/verify")).json(&body())).await;
    assert_eq!(told(&bare), "400 invalid_request: Missing required property: client_id");
    let nobody = Shop { id: "nobody".into(), ..shop.on(&app) };
    nobody.post("/passwordless/verify", body()).await.expect("403 oidc.unauthorized_client");
    let mut other = body();
    other["password"] = json!(other_than(&code));
    let wrong = "401 invalid_user_password: Wrong email or verification code.";
    assert_eq!(told(&shop.post("/passwordless/verify", other).await), wrong);
    let tokens = shop.post("/passwordless/verify", body()).await.expect("200").json();
    assert_eq!(claims(&tokens["id_token"])["aud"], shop.id);
    assert_eq!(told(&shop.post("/passwordless/verify", body()).await), wrong);
    let browser = json!({ "connection": "email", "email": "ada@example.com", "verification_code": code });
    let bare = Answer::of(app.http.post(app.url("/passwordless/verify")).json(&browser)).await;
    assert_eq!(told(&bare), "400 invalid_request: Missing required property: client_id");
}

#[tokio::test]
async fn verify_binds_its_tokens_to_the_key_of_a_proof() {
    const PATH: &str = "/passwordless/verify";
    let app = TestApp::start().await;
    let (shop, key) = (Shop::public(&app).await, ClientKey::new());
    let code = shop.code("ada@example.com").await;
    let verify = async |claims: Value| {
        let body = json!({ "connection": "email", "username": "ada@example.com", "password": code, "scope": "openid offline_access" });
        Answer::of(shop.request(PATH, body).header("dpop", key.proof(&app, "POST", PATH, &claims))).await
    };
    // Refused before the code is looked at: neither counted nor used.
    let answer = verify(json!({})).await.expect("400 oidc.use_dpop_nonce");
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    verify(json!({ "nonce": nonce, "htm": "GET" })).await.expect("400 oidc.invalid_dpop_proof");
    assert_eq!(app.number("select guesses from sign_in_codes").await, 0);
    let tokens = verify(json!({ "nonce": nonce })).await.expect("200").json();
    assert_eq!(tokens["token_type"], "DPoP");
    assert_eq!(claims(&tokens["access_token"])["cnf"], json!({ "jkt": key.jkt() }));
    assert_eq!(app.number("select count(*) from refresh_tokens where dpop_jkt is not null").await, 1);
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let bound = Bound { app: &app, key, token };
    let proof = bound.proof("GET", "/api/my-account", &json!({ "nonce": nonce }));
    Answer::of(bound.bare("GET", "/api/my-account").header("dpop", proof)).await.expect("200");
}

#[tokio::test]
async fn a_page_of_a_listed_origin_gets_a_ticket_for_its_browser() {
    let app = TestApp::start().await;
    let origin = "https://login.example.com";
    let shop = Shop::new(&app, "Traditional", json!({ "corsAllowedOrigins": [origin] })).await;
    let off = Shop::public(&app).await;
    let code = shop.code("ada@example.com").await;
    let body = |otp: &str| json!({ "client_id": shop.id, "credential_type": OTP, "username": "ada@example.com", "otp": otp, "realm": "email" });
    let send = async |body: &Value, origin: &str| {
        Answer::of(app.http.post(app.url("/co/authenticate")).json(body).header("origin", origin)).await
    };
    let preflight = app.http.request(reqwest::Method::OPTIONS, app.url("/co/authenticate")).header("origin", origin);
    let preflight = preflight
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let answer = Answer::of(preflight).await;
    assert_eq!((answer.status, answer.header("access-control-allow-credentials")), (204, Some("true")));
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));

    let foreign = send(&body(&code), "https://evil.example.com").await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (403, None));
    assert!(foreign.text.contains("https://evil.example.com") && !foreign.text.contains('{'));
    let mut other = body(&code);
    other["client_id"] = json!(off.id);
    send(&other, origin).await.expect("401 oidc.unauthorized_client");
    for (name, value, error) in [
        ("extra", json!("x"), "invalid_request"),
        ("realm", json!("github"), "invalid_request"),
        ("credential_type", json!("password"), "unsupported_credential_type"),
    ] {
        let mut other = body(&code);
        other[name] = value;
        let answer = send(&other, origin).await;
        assert_eq!((answer.status, answer.json()["error"].as_str().unwrap()), (400, error), "{name}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
    assert_eq!(app.number("select guesses from sign_in_codes").await, 0);
    let wrong = send(&body(other_than(&code)), origin).await;
    assert_eq!(told(&wrong), "403 access_denied: Wrong email or verification code.");
    let answer = send(&body(&code), origin).await.expect("200");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let ticket = answer.json()["login_ticket"].as_str().unwrap().to_owned();
    assert!(answer.json()["co_id"].is_string() && answer.json()["co_verifier"].is_string());

    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let authorize = async |cookie: &str| {
        let query = [
            ("client_id", shop.id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", BACK),
            ("scope", "openid"),
            ("realm", "email"),
            ("state", "s"),
            ("login_ticket", &ticket),
        ];
        let request = http.get(app.url(&super::with_query("/authorize", &query))).header("cookie", cookie);
        Answer::of(request).await.header("location").unwrap().to_owned()
    };
    // In another browser it is worth nothing, and nothing happens to it.
    assert!(authorize("a=b").await.starts_with("/sign-in"));
    let location = authorize(&cookie).await;
    assert!(location.starts_with(BACK) && location.contains("code=") && location.contains("state=s"), "{location}");
    assert!(authorize(&cookie).await.starts_with("/sign-in"), "once");
}

#[tokio::test]
async fn a_ticket_is_one_proof_where_a_step_up_takes_more() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let origin = "https://login.example.com";
    let shop = Shop::new(&app, "Traditional", json!({ "corsAllowedOrigins": [origin] })).await;
    let email = user.email.to_lowercase();
    let code = shop.code(&email).await;
    let body =
        json!({ "client_id": shop.id, "credential_type": OTP, "username": email, "otp": code, "realm": "email" });
    let request = app.http.post(app.url("/co/authenticate")).json(&body).header("origin", origin);
    let answer = Answer::of(request).await.expect("200");
    let (name, rest) = answer.header("set-cookie").unwrap().split_once('=').unwrap();
    let mut surfer = Surfer::at(&app, "/healthz").await;
    surfer.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
    let ticket = answer.json()["login_ticket"].as_str().unwrap().to_owned();
    let query = [
        ("client_id", shop.id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("realm", "email"),
        ("login_ticket", &ticket),
        ("acr_values", "urn:countersign:acr:methods:password.email_code"),
    ];
    surfer.go(&super::with_query("/authorize", &query)).await;
    assert!(surfer.shown.text.contains("name=\"password\""), "{}", surfer.shown.text);
    surfer.give_password(&user.password).await;
    assert!(surfer.leads_to().starts_with(BACK) && surfer.leads_to().contains("code="), "{}", surfer.leads_to());
    let methods = "select count(*) from sessions where methods = 'email_code password' and application_id is not null";
    assert_eq!(app.number(methods).await, 1);
}

#[tokio::test]
async fn no_captcha_is_ever_asked_for() {
    let app = TestApp::start().await;
    let request = app.http.post(app.url("/passwordless/challenge")).json(&json!({ "state": "x" }));
    assert_eq!(Answer::of(request).await.expect("200").json(), json!({ "required": false }));
}

#[tokio::test]
async fn a_challenge_names_what_is_wrong_with_it() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let body = || json!({ "connection": "email", "email": "ada@example.com" });
    for (name, value, error, field) in [
        ("connection", Value::Null, "invalid_request", Some("connection")),
        ("connection", json!("github"), "invalid_connection", None),
        ("email", json!("nobody"), "invalid_request", Some("email")),
        ("delivery_method", json!("voice"), "invalid_request", Some("delivery_method")),
        ("allow_signup", json!("perhaps"), "invalid_request", Some("allow_signup")),
    ] {
        let mut body = body();
        body[name] = value;
        let answer = shop.post("/otp/challenge", body).await;
        let got = answer.json();
        assert_eq!((answer.status, got["error"].as_str().unwrap()), (400, error), "{got}");
        let named = got["validation_errors"].as_array().map(|errors| errors[0]["field"].as_str().unwrap());
        assert_eq!(named, field);
    }
    let answer = shop.post("/otp/challenge", body()).await.expect("200");
    assert_eq!(answer.header("x-ratelimit-limit"), Some("50"));
    assert_eq!(answer.json().as_object().unwrap().len(), 1);
    // Without sign-ups an unknown address is answered alike, and gets nothing.
    let mut other = body();
    other["email"] = json!("bob@example.com");
    other["allow_signup"] = json!(false);
    shop.post("/otp/challenge", other).await.expect("200");
    super::messages_to(&app, "ada@example.com", 1).await;
    assert_eq!(app.mailbox.messages().len(), 1);
}
