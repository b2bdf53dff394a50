//! From the first page back to the application: what lets in, and what does not.

use countersign::domain::application::{ClientSettings, Connection};
use futures_util::future::join_all;

use serde_json::{Value, json};

use super::client::{CALLBACK, Client, Surfer, VERIFIER, challenge};
use crate::harness::{Answer, TestApp};

/// What is stored of the only authorization code.
async fn granted(app: &TestApp) -> (String, String, String, Option<String>, Option<String>, Option<String>) {
    let sql = "select user_id, session_id, scope, redirect_uri, nonce, code_challenge from authorization_codes";
    app.write().await.fetch_one(sql, ()).await.unwrap()
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    app.write().await.fetch_value(sql, ()).await.unwrap()
}

#[tokio::test]
async fn a_code_takes_the_person_back_with_all_that_was_asked_for() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let asked = [("scope", Some("openid email nonsense offline_access"))];
    let mut surfer = Surfer::at(&app, &client.authorize(&asked)).await;
    let arrived = surfer.sign_in(&user.email).await;
    assert_eq!((arrived["state"].as_str(), arrived["code"].len()), ("a state & more", 43));
    assert_eq!(arrived["iss"], format!("{}/", app.running.url()));
    let (owner, session, scope, redirect_uri, nonce, code_challenge) = granted(&app).await;
    assert_eq!((owner, scope.as_str()), (user.id.to_string(), "openid email offline_access"));
    assert_eq!((redirect_uri.as_deref(), nonce.as_deref()), (Some(CALLBACK), Some("n-1")));
    assert_eq!(code_challenge, Some(challenge()));
    let row: (String, Option<String>, Option<String>, Option<i64>) = app
        .write()
        .await
        .fetch_one("select user_id, parent_id, connection, auth_time from sessions where id = $1", (&session,))
        .await
        .unwrap();
    assert_eq!((row.0, row.2.as_deref(), row.3), (user.id.to_string(), Some("email"), Some(app.now().0)));
    assert!(row.1.is_some(), "the application's session is below the browser's");
    let events = "select count(*) from audit_events where type = 'sign_in.succeeded'";
    assert_eq!(count(&app, events).await, 1, "one sign-in, one event");
}

#[tokio::test]
async fn whoever_is_signed_in_is_not_asked_again_unless_that_is_asked_for() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    surfer.sign_in(&user.email).await;
    app.advance(100);
    let hint = user.email.clone();
    let silently: &[&[(&str, Option<&str>)]] = &[
        &[],
        &[("prompt", Some("none"))],
        &[("max_age", Some("100"))],
        &[("login_hint", Some(&hint)), ("prompt", Some("none"))],
    ];
    for more in silently {
        surfer.go(&client.authorize(more)).await;
        assert!(surfer.arrived().contains_key("code"), "{more:?}");
    }
    assert_eq!(count(&app, "select count(*) from sessions where parent_id is not null").await, 1);
    let asked: &[&[(&str, Option<&str>)]] = &[
        &[("prompt", Some("login"))],
        &[("prompt", Some("select_account"))],
        &[("max_age", Some("99"))],
        &[("max_age", Some("0"))],
        &[("connection", Some("email"))],
        &[("screen_hint", Some("signup"))],
        &[("login_hint", Some("somebody.else@example.com"))],
    ];
    for more in asked {
        surfer.go(&client.authorize(more)).await;
        assert_eq!(surfer.shown.status, 200, "{more:?}");
        if !more.iter().any(|(name, _)| *name == "prompt") {
            let silent: Vec<_> = more.iter().copied().chain([("prompt", Some("none"))]).collect();
            surfer.go(&client.authorize(&silent)).await;
            assert_eq!(surfer.arrived()["error"], "login_required", "{more:?}");
        }
    }
}

#[tokio::test]
async fn an_application_is_not_opened_by_a_kind_of_address_it_does_not_take() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    surfer.sign_in(&user.email).await;
    let settings = ClientSettings { connections: Some(vec![Connection::Sms]), ..Default::default() };
    let other = Client::of(&app, "SPA", settings).await;
    surfer.go(&other.authorize(&[("prompt", Some("none"))])).await;
    assert_eq!(surfer.arrived()["error"], "login_required");
}

#[tokio::test]
async fn signing_in_again_makes_another_cookie_and_the_old_one_opens_nothing() {
    let app = TestApp::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    surfer.sign_in(&user.email).await;
    let first = surfer.cookies.clone();
    let silent = client.authorize(&[("prompt", Some("none"))]);
    for address in [&user.email, &other.email] {
        app.advance(60);
        surfer.go(&client.authorize(&[("prompt", Some("login"))])).await;
        surfer.give_email(address).await;
        app.wait_for_message(|message| message.to.eq_ignore_ascii_case(address) && message.created_at == app.now())
            .await;
        surfer.give_code(&app.code_for(address)).await;
        assert!(surfer.arrived().contains_key("code"));
        assert_ne!(surfer.cookies["countersign"], first["countersign"]);
        let mut old = Surfer::at(&app, "/healthz").await;
        old.cookies = first.clone();
        old.go(&silent).await;
        assert_eq!(old.arrived()["error"], "login_required");
        surfer.go(&silent).await;
        assert!(surfer.arrived().contains_key("code"));
    }
    let living = "select count(*) from sessions where browser_hash is not null and ended_at is null";
    assert_eq!(count(&app, living).await, 1, "one browser, one session");
}

/// Signing in at a browser says who sits there now, not that everybody else gives up what they have: an application keeps its session
/// until it is signed out of, as with Auth0.
#[tokio::test]
async fn somebody_else_at_the_browser_ends_its_session_and_no_applications() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user().await, app.user().await);
    let client = Client::spa(&app).await;
    let tokens = async |arrived: &std::collections::BTreeMap<String, String>| {
        let body = json!({
            "grant_type": "authorization_code", "client_id": client.application.id, "code": arrived["code"],
            "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
        });
        Answer::of(app.http.post(app.url("/oauth/token")).json(&body)).await.expect("200").json()
    };
    let subject = async |tokens: &Value| {
        let request = app.http.get(app.url("/api/my-account")).bearer_auth(tokens["access_token"].as_str().unwrap());
        Answer::of(request).await.expect("200").json()["id"].as_str().unwrap().to_owned()
    };
    let asked = [("scope", Some("openid offline_access"))];
    let mut surfer = Surfer::at(&app, &client.authorize(&asked)).await;
    let adas = tokens(&surfer.sign_in(&ada.email).await).await;
    let old_cookies = surfer.cookies.clone();
    surfer.go(&client.authorize(&[("prompt", Some("login"))])).await;
    let bobs = tokens(&surfer.sign_in(&bob.email).await).await;
    assert_eq!((subject(&adas).await, subject(&bobs).await), (ada.id.to_string(), bob.id.to_string()));
    let body = json!({
        "grant_type": "refresh_token", "client_id": client.application.id, "refresh_token": adas["refresh_token"],
    });
    Answer::of(app.http.post(app.url("/oauth/token")).json(&body)).await.expect("200");
    // The browser is Bob's now, and what it had of Ada opens nothing.
    surfer.go(&client.authorize(&[("prompt", Some("none"))])).await;
    assert_eq!(subject(&tokens(&surfer.arrived()).await).await, bob.id.to_string());
    surfer.cookies = old_cookies;
    surfer.go(&client.authorize(&[("prompt", Some("none"))])).await;
    assert_eq!(surfer.arrived()["error"], "login_required");
}

#[tokio::test]
async fn a_session_that_ended_and_a_user_who_is_suspended_open_nothing() {
    let app = TestApp::start().await;
    let (one, two) = (app.user().await, app.user().await);
    let client = Client::spa(&app).await;
    let silent = client.authorize(&[("prompt", Some("none"))]);
    for user in [&one, &two] {
        let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
        surfer.sign_in(&user.email).await;
        surfer.go(&silent).await;
        assert!(surfer.arrived().contains_key("code"));
        let mut session = app.write().await;
        if user.id == one.id {
            let sql = "update sessions set ended_at = $1 where browser_hash is not null";
            session.execute(sql, (app.now(),)).await.unwrap();
        } else {
            session.execute("update users set is_suspended = true where id = $1", (&two.id,)).await.unwrap();
        }
        session.commit().await.unwrap();
        surfer.go(&silent).await;
        assert_eq!(surfer.arrived()["error"], "login_required");
    }
}

#[tokio::test]
async fn a_browser_is_signed_out_after_its_days() {
    let app = TestApp::start_with(|config| config.sign_in.session_days = 1).await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    surfer.sign_in(&user.email).await;
    app.advance(24 * 3600 + 1);
    surfer.go(&client.authorize(&[("prompt", Some("none"))])).await;
    assert_eq!(surfer.arrived()["error"], "login_required");
}

#[tokio::test]
async fn a_form_that_was_not_made_for_this_sign_in_does_nothing() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    let flow = surfer.field("flow");
    let address = [("by", "email"), ("email", "victim@example.com")];
    let own = |token: &str| -> Vec<(String, String)> {
        let mut form = vec![("flow".to_owned(), flow.clone()), ("token".to_owned(), token.to_owned())];
        form.extend(address.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        form
    };
    // Another sign-in of the same browser has another token; the token of another browser is none here.
    let other = Surfer::at(&app, &client.authorize(&[])).await.field("token");
    let mut second = Surfer::at(&app, "/healthz").await;
    second.cookies = surfer.cookies.clone();
    second.go(&client.authorize(&[])).await;
    for token in ["", "x", &other, &second.field("token")] {
        surfer.send("/sign-in/identifier", &own(token)).await;
        assert_eq!(surfer.shown.status, 400, "{token}");
    }
    // Without the cookie, as another site's form would come.
    surfer.go(&format!("/sign-in?flow={flow}")).await;
    let form = surfer.form(&address);
    let mut stranger = Surfer::at(&app, "/healthz").await;
    stranger.send("/sign-in/identifier", &form).await;
    assert_eq!((stranger.shown.status, app.mailbox.messages().len()), (400, 0));
    surfer.send("/sign-in/identifier", &form).await;
    assert_eq!(surfer.shown.status, 200);
}

#[tokio::test]
async fn of_many_right_codes_at_once_one_lets_in() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    surfer.give_email(&user.email).await;
    let code = app.mailed_code(&user.email).await;
    let form = surfer.form(&[("code", &code)]);
    let cookie = surfer.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let tries = (0..30).map(|_| app.http.post(app.url("/sign-in/code")).header("cookie", &cookie).form(&form).send());
    let answers = join_all(tries).await;
    let cookies = answers.iter().filter(|answer| answer.as_ref().unwrap().headers().contains_key("set-cookie")).count();
    assert_eq!(cookies, 1, "one is signed in");
    assert_eq!(count(&app, "select count(*) from authorization_codes").await, 1);
    assert_eq!(count(&app, "select count(*) from sessions where browser_hash is not null").await, 1);
    let signed_in = "select count(*) from audit_events where type = 'sign_in.succeeded'";
    assert_eq!(count(&app, signed_in).await, 1);
}

#[tokio::test]
async fn of_many_guesses_at_once_no_more_are_judged_than_a_code_has_tries() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    surfer.give_email(&user.email).await;
    let code = app.mailed_code(&user.email).await;
    let guesses: Vec<String> = (0..20).map(|number| format!("{number:06}")).filter(|guess| *guess != code).collect();
    let form_count = guesses.len();
    let cookie = surfer.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let tries = guesses.iter().map(|guess| {
        let form = surfer.form(&[("code", guess)]);
        app.http.post(app.url("/sign-in/code")).header("cookie", &cookie).form(&form).send()
    });
    let (mut wrong, mut late) = (0, 0);
    for answer in join_all(tries).await {
        let text = answer.unwrap().text().await.unwrap();
        wrong += usize::from(text.contains("That code is not right"));
        late += usize::from(text.contains("tried too often"));
    }
    // The third is the last, and is told so.
    assert_eq!((wrong, wrong + late), (2, form_count));
    surfer.give_code(&code).await;
    assert_eq!(surfer.shown.status, 422);
}

#[tokio::test]
async fn a_suspended_user_sees_what_everybody_sees_and_gets_no_message() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let mut session = app.write().await;
    session.execute("update users set is_suspended = true where id = $1", (&user.id,)).await.unwrap();
    session.commit().await.unwrap();
    let client = Client::spa(&app).await;
    let mut seen = Vec::new();
    let suspended = user.email.replace("Example", "example");
    for address in ["nobody.knows@example.com", &suspended] {
        let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
        surfer.give_email(address).await;
        let (flow, token) = (surfer.field("flow"), surfer.field("token"));
        let plain = |text: &str| text.replace(&flow, "F").replace(&token, "T").replace(address, "A");
        let page = plain(&surfer.shown.text);
        surfer.give_code("123456").await;
        seen.push((surfer.shown.status, page, plain(&surfer.shown.text)));
    }
    assert_eq!(seen[0], seen[1]);
    app.mailed_code("nobody.knows@example.com").await;
    assert!(!app.mailbox.messages().iter().any(|message| message.to == suspended));
}

#[tokio::test]
async fn a_sign_in_lasts_an_hour() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    let flow = surfer.field("flow");
    app.advance(3599);
    assert_eq!(surfer.go(&format!("/sign-in?flow={flow}")).await.status, 200);
    app.advance(1);
    assert_eq!(surfer.go(&format!("/sign-in?flow={flow}")).await.status, 400);
}
