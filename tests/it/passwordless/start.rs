//! `POST /passwordless/start`.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{EXHAUSTED, Shop, WRONG, code_of, messages_to, other_than, told};
use crate::harness::{Answer, TestApp};

#[tokio::test]
async fn a_code_comes_by_mail_in_the_language_that_was_asked_for() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let body = json!({ "connection": "email", "email": "Ada@Example.COM", "send": "code", "authParams": { "state": "x", "a": 1 } });
    let request =
        shop.request("/passwordless/start", body).header("x-request-language", "ja").header("accept-language", "en");
    let answer = Answer::of(request.header("auth0-client", "e30=")).await;
    let told = answer.json();
    assert_eq!(
        (answer.status, &told["email"], &told["email_verified"]),
        (200, &json!("Ada@example.com"), &json!(false))
    );
    let id = told["_id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(told.as_object().unwrap().len(), 3);
    let message = app.wait_for_message(|message| message.to == "Ada@example.com").await;
    let code = code_of(&message);
    assert!(code.len() == 6 && message.rendered.subject.as_ref().unwrap().contains(&code));
    assert_eq!(message.rendered.text.lines().filter(|line| *line == code).count(), 1);
    assert!(message.rendered.text.contains("Shop") && !message.rendered.text.contains("verify_redirect"));
    assert_eq!(message.payload.locale.tag(), "ja");
}

#[tokio::test]
async fn without_send_mail_has_a_link_and_a_text_message_has_none() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    shop.post("/passwordless/start", json!({ "connection": "email", "email": "ada@example.com" })).await.expect("200");
    let message = app.wait_for_message(|message| message.to == "ada@example.com").await;
    let link = format!("{}?link=", app.url("/passwordless/verify_redirect"));
    assert!(message.rendered.text.contains(&link) && message.rendered.text.contains(&code_of(&message)));
    assert!(message.rendered.html.unwrap().contains(&format!("<a href=\"{link}")));
    let sms = json!({ "connection": "sms", "phone_number": "+441632960001", "send": "link" });
    let told = shop.post("/passwordless/start", sms).await.expect("200").json();
    assert_eq!((&told["phone_number"], &told["phone_verified"]), (&json!("+441632960001"), &json!(false)));
    let message = app.wait_for_message(|message| message.to == "+441632960001").await;
    assert!(message.rendered.text.contains(&code_of(&message)) && !message.rendered.text.contains("http"));
}

#[tokio::test]
async fn every_error_has_its_name() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let email = || json!({ "connection": "email", "email": "ada@example.com", "send": "code" });
    let with = |name: &str, value: Value| {
        let mut body = email();
        body[name] = value;
        body
    };
    let cases = [
        ("bad.request", with("type", json!("x"))),
        ("bad.request", with("send", json!("pigeon"))),
        ("bad.connection", with("connection", json!("github"))),
        ("bad.connection", with("connection", json!(7))),
        ("bad.connection", with("connection", Value::Null)),
        ("bad.email", with("email", Value::Null)),
        ("bad.email", with("email", json!("nobody"))),
        ("bad.email", with("email", json!(["ada@example.com"]))),
        ("bad.email", with("email", json!("a\u{0}@example.com"))),
        ("bad.phone_number", json!({ "connection": "sms", "email": "ada@example.com" })),
        ("bad.phone_number", json!({ "connection": "sms", "phone_number": "441632960001" })),
        ("bad.phone_number", json!({ "connection": "sms", "phone_number": "+4416329600010001" })),
        ("bad.phone_number", json!({ "connection": "sms", "phone_number": "+44 1632 960001" })),
        ("bad.authParams", with("authParams", json!("scope"))),
        ("bad.authParams", with("authParams", json!([]))),
    ];
    for (error, body) in cases {
        let answer = shop.post("/passwordless/start", body.clone()).await;
        let got = answer.json();
        // U+0000 is in no body at all.
        let expected = if answer.text.contains("JSON") { "bad.request" } else { error };
        assert_eq!((answer.status, got["error"].as_str().unwrap()), (400, expected), "{body}");
        assert!(got["error_description"].is_string());
    }
    let answer = shop.post("/passwordless/start", with("type", json!("x"))).await.json();
    assert!(answer["error_description"].as_str().unwrap().contains("type"));
    let link = |name: &str, value: &str| json!({ "connection": "email", "email": "ada@example.com", "authParams": { (name): value } });
    for (name, value) in [
        ("redirect_uri", "https://evil.example.com"),
        ("response_type", "token"),
        ("audience", "https://unknown.example.com"),
    ] {
        let answer = shop.post("/passwordless/start", link(name, value)).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("bad.authParams")), "{name}");
    }
    let bare = async |body: Value| Answer::of(app.http.post(app.url("/passwordless/start")).json(&body)).await;
    assert_eq!(bare(email()).await.json()["error"], "bad.client_id");
    assert_eq!(bare(with("client_id", json!("nobody"))).await.gist(), "401 oidc.invalid_client");
    let broken = app.http.post(app.url("/passwordless/start")).header(CONTENT_TYPE, "application/json").body("{");
    assert_eq!(Answer::of(broken).await.json()["error"], "bad.request");
    assert!(app.mailbox.messages().is_empty());
    assert_eq!(app.number("select count(*) from sign_in_codes").await, 0);
    // Switched off for the client, or altogether.
    let only_sms = Shop::new(&app, "SPA", json!({ "connections": ["sms"] })).await;
    assert_eq!(only_sms.start("ada@example.com").await.json()["error"], "bad.connection");
    let no_grant = Shop::new(&app, "SPA", json!({ "grantTypes": ["authorization_code"] })).await;
    assert_eq!(
        no_grant.start("ada@example.com").await.expect("403 oidc.unauthorized_client").json()["error"],
        "unauthorized_client"
    );
}

#[tokio::test]
async fn an_application_that_has_a_secret_shows_it() {
    let app = TestApp::start().await;
    let shop = Shop::new(&app, "Traditional", json!({})).await;
    let body = || json!({ "connection": "email", "email": "ada@example.com", "send": "code", "client_id": shop.id });
    let send = async |body: Value| Answer::of(app.http.post(app.url("/passwordless/start")).json(&body)).await;
    assert_eq!(told(&send(body()).await), "403 unauthorized_client: Client authentication is required.");
    let mut wrong = body();
    wrong["client_secret"] = json!("wrong");
    send(wrong).await.expect("401 oidc.invalid_client");
    assert_eq!(app.number("select count(*) from sign_in_codes").await, 0);
    shop.start("ada@example.com").await.expect("200");
    app.advance(31);
    let mut basic = body();
    basic.as_object_mut().unwrap().remove("client_id");
    let request = app.http.post(app.url("/passwordless/start")).basic_auth(&shop.id, shop.secret.as_ref()).json(&basic);
    Answer::of(request).await.expect("200");
}

#[tokio::test]
async fn a_code_is_sent_again_until_the_last_third_of_its_life() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let (to, first) = ("ada@example.com", shop.code("ada@example.com").await);
    let early = shop.start(to).await;
    assert_eq!((early.status, early.json()["error"].as_str()), (429, Some("too_many_requests")));
    assert_eq!(early.header("retry-after"), Some("30"));
    assert_eq!(told(&shop.redeem(to, other_than(&first)).await), WRONG);
    app.advance(199);
    shop.start(to).await.expect("200");
    assert_eq!(code_of(&messages_to(&app, to, 2).await[0]), first, "the same, so that a slow mail does no harm");
    assert_eq!(app.number("select count(*) from sign_in_codes").await, 1);
    assert_eq!(app.number("select guesses from sign_in_codes").await, 1);
    // Past 200 of 300 seconds.
    app.advance(31);
    shop.start(to).await.expect("200");
    let second = code_of(&messages_to(&app, to, 3).await[0]);
    assert_ne!(second, first);
    assert_eq!(told(&shop.redeem(to, &first).await), WRONG, "only the newest counts");
    assert_eq!(told(&shop.redeem(to, other_than(&second)).await), EXHAUSTED, "guesses are carried over");
    assert_eq!(told(&shop.redeem(to, &second).await), EXHAUSTED);
    // Used up: another one, at any time.
    app.advance(31);
    shop.start(to).await.expect("200");
    let third = code_of(&messages_to(&app, to, 4).await[0]);
    shop.redeem(to, &third).await.expect("200");
}

#[tokio::test]
async fn what_is_known_of_text_messages_before_one_is_sent_is_told() {
    let app = TestApp::start_with(|config| {
        config.sms.allowed_calling_codes = vec!["44".into()];
        config.sms.daily_budget = 1;
    })
    .await;
    let shop = Shop::public(&app).await;
    let sms = async |number: &str| {
        shop.post("/passwordless/start", json!({ "connection": "sms", "phone_number": number })).await
    };
    let error = |answer: Answer| (answer.status, answer.json()["error"].as_str().unwrap_or("-").to_owned());
    let refused = (400, "sms_provider_error".to_owned());
    assert_eq!(error(sms("+819012345678").await), refused);
    sms("+441632960001").await.expect("200");
    assert_eq!(error(sms("+441632960002").await), refused, "a day's budget is used up");
    let none = TestApp::start_with_channels(|_| {}).await;
    let shop = Shop::public(&none).await;
    let answer =
        shop.post("/passwordless/start", json!({ "connection": "sms", "phone_number": "+441632960001" })).await;
    assert_eq!(error(answer), refused);
}
