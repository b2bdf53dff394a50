//! A step-up that takes more than one proof (RFC 9470): they are collected, and one record stands for all.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    client::{Client, Surfer},
    step_up::{DENIED, exchange, remove_phone, tokens},
};
use crate::harness::{Answer, Bound, ClientKey, TestApp, User, with_operations};

const TWO: (&str, Option<&str>) = ("acr_values", Some("urn:countersign:acr:2fa"));
const SCOPE: (&str, Option<&str>) = ("scope", Some("openid email phone"));
const PASSWORD: &str = "name=\"password\"";

pub async fn token(app: &TestApp, client: &Client, surfer: &Surfer<'_>) -> String {
    let answer = tokens(app, client, &surfer.arrived()["code"]).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

async fn remove_email(app: &TestApp, token: &str) -> Answer {
    Answer::of(app.http.delete(app.url("/api/my-account/primary-email")).bearer_auth(token)).await
}

impl Surfer<'_> {
    /// Proves the first method: a code by text message.
    async fn prove_phone(&mut self, app: &TestApp, user: &User<'_>) -> String {
        let code = app.code_after(&user.phone, self.give_phone(&user.phone)).await;
        self.give_code(&code).await;
        code
    }

    /// The same by mail, wherever the flow is.
    async fn prove_email(&mut self, app: &TestApp, user: &User<'_>) {
        let entry = format!("/sign-in?flow={}&by=email", self.field("flow"));
        self.go(&entry).await;
        let code = app.code_after(&user.email, self.give_email(&user.email)).await;
        self.give_code(&code).await;
    }

    fn asks_for_password(&self) -> bool {
        self.shown.status == 200 && self.shown.text.contains(PASSWORD)
    }

    fn asks_who_it_is(&self) -> bool {
        self.shown.text.contains("/sign-in/identifier")
    }
}

#[tokio::test]
async fn two_factors_are_proved_one_after_the_other_and_one_record_stands_for_both() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO, SCOPE, ("max_age", Some("120"))])).await;
    assert!(surfer.shown.text.contains("id=\"phone\""), "what counts is offered first: {}", surfer.shown.text);
    surfer.prove_phone(&app, &user).await;
    assert!(surfer.asks_for_password(), "{}", surfer.shown.text);
    assert!(surfer.shown.header("content-security-policy").unwrap().contains("form-action 'self';"));
    assert_eq!(surfer.shown.header("cache-control"), Some("no-store"));
    // Nobody is signed in by half of it.
    assert_eq!(app.number("select count(*) from sessions where browser_hash is not null").await, 0);
    let proved = app.now().seconds();
    app.advance(20);
    assert_eq!(surfer.give_password("").await.status, 422);
    assert_eq!(surfer.give_password("not it").await.status, 422);
    assert!(surfer.shown.text.contains("That password is not right."), "{}", surfer.shown.text);
    surfer.give_password(&user.password).await;
    let first = token(&app, &client, &surfer).await;
    let said = claims(&first);
    assert_eq!((&said["acr"], &said["amr"]), (&json!("urn:countersign:acr:2fa"), &json!(["mfa", "sms", "pwd"])));
    assert_eq!(said["auth_time"], proved, "as old as the oldest");
    assert!(said["sub"].as_str().unwrap().starts_with("sms|"), "{said}");

    // It opens what asks for two factors, once, as the policy says, and then nothing.
    remove_email(&app, &first).await.expect("204");
    assert_eq!(remove_phone(&app, &first).await.gist(), DENIED);
    // And what asks for one.
    app.advance(60);
    surfer.go(&client.authorize(&[TWO, SCOPE])).await;
    surfer.prove_phone(&app, &user).await;
    surfer.give_password(&user.password).await;
    let second = token(&app, &client, &surfer).await;
    remove_phone(&app, &second).await.expect("204");
    let events = "select count(*) from audit_events where type = 'verification.succeeded'";
    assert_eq!(app.number(events).await, 4);
    let events = "select count(*) from audit_events where type = 'verification.failed'";
    assert_eq!(app.number(events).await, 1);
}

/// Whoever has stolen the token that stands for two proofs needs the key as well.
#[tokio::test]
async fn a_step_up_for_a_key_is_of_use_to_its_holder_only() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let (key, thief) = (ClientKey::new(), ClientKey::new());
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO, SCOPE, ("dpop_jkt", Some(key.jkt()))])).await;
    surfer.prove_phone(&app, &user).await;
    surfer.give_password(&user.password).await;
    let code = surfer.arrived()["code"].clone();
    let nonce = app.app().dpop_nonces.current(app.now());
    let redeem = async |key: &ClientKey| {
        let proof = key.proof(&app, "POST", "/oauth/token", &json!({ "nonce": nonce }));
        Answer::of(exchange(&app, &client, &code).header("dpop", proof)).await
    };
    assert_eq!(redeem(&thief).await.json()["error"], "invalid_dpop_proof");
    let issued = redeem(&key).await.expect("200").json();
    let token = issued["access_token"].as_str().unwrap().to_owned();
    let said = claims(&token);
    assert_eq!((&said["acr"], &said["cnf"]["jkt"]), (&json!("urn:countersign:acr:2fa"), &json!(key.jkt())));

    remove_email(&app, &token).await.expect("401 auth.unauthorized");
    let remove = async |key: ClientKey| {
        let caller = Bound { app: &app, key, token: token.clone() };
        let path = "/api/my-account/primary-email";
        let proof = caller.proof("DELETE", path, &json!({ "nonce": nonce }));
        Answer::of(caller.bare("DELETE", path).header("dpop", proof)).await
    };
    assert_eq!(remove(thief).await.status, 401);
    remove(key).await.expect("204");
}

#[tokio::test]
async fn who_came_in_by_another_door_proves_what_is_missing_and_is_not_told_the_address() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO, SCOPE])).await;
    surfer.prove_email(&app, &user).await;
    assert!(surfer.asks_for_password());
    surfer.give_password(&user.password).await;
    let masked = format!("***{}", &user.phone[user.phone.len() - 2..]);
    assert!(surfer.shown.text.contains(&masked) && !surfer.shown.text.contains(&user.phone[1..]));
    let before = app.mailbox.messages().len();
    surfer.go(&format!("/sign-in?flow={}", surfer.field("flow"))).await;
    assert_eq!(app.mailbox.messages().len(), before, "looking sends nothing");
    let code = app.code_after(&user.phone, surfer.post("/sign-in/again", &[])).await;
    assert!(surfer.shown.text.contains(&masked) && !surfer.shown.text.contains(&user.phone[1..]));
    assert!(!surfer.shown.text.contains("Edit the phone number"));
    surfer.post("/sign-in/again", &[]).await;
    assert_eq!(surfer.shown.status, 429, "the gap between two messages is kept");
    surfer.give_code(&code).await;
    let token = token(&app, &client, &surfer).await;
    let said = claims(&token);
    assert_eq!(said["amr"], json!(["mfa", "otp", "pwd", "sms"]));
    remove_email(&app, &token).await.expect("204");
}

/// The policy names methods that are one factor together, so no class says what it takes: its challenge names them.
#[tokio::test]
async fn whatever_set_a_policy_demands_its_challenge_leads_to_it() {
    let app = TestApp::start_with(|config| {
        config.operations = serde_json::from_value(json!([
            { "name": "account.phone.delete", "methods": [["password", "email_code"]] },
            { "name": "account.email.delete", "methods": [["password"]] },
        ]))
        .unwrap();
    })
    .await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let calls = [
        ("phone", "urn:countersign:acr:methods:password.email_code"),
        ("email", "urn:countersign:acr:methods:password"),
    ];
    for (what, expected) in calls {
        let call = async |token: &str| {
            let path = app.url(&format!("/api/my-account/primary-{what}"));
            Answer::of(app.http.delete(path).bearer_auth(token)).await
        };
        let refused = call(&user.token).await.expect(DENIED);
        assert!(refused.header("www-authenticate").unwrap().contains(&format!("acr_values=\"{expected}\"")));
        assert_eq!(refused.json()["data"]["acrValues"], expected);
        app.advance(60);
        let mut surfer = Surfer::at(&app, &client.authorize(&[SCOPE, ("acr_values", Some(expected))])).await;
        surfer.prove_email(&app, &user).await;
        surfer.give_password(&user.password).await;
        let token = token(&app, &client, &surfer).await;
        assert_eq!(
            (&claims(&token)["acr"], &claims(&token)["amr"]),
            (&json!("urn:countersign:acr:1fa"), &json!(["otp", "pwd"]))
        );
        call(&token).await.expect("204");
    }
    let document = Answer::of(app.http.get(app.url("/.well-known/openid-configuration"))).await.json();
    assert!(document["acr_values_supported"].as_array().unwrap().contains(&json!(calls[0].1)));
}

#[tokio::test]
async fn who_does_not_own_what_is_demanded_is_sent_back_and_not_signed_in() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut session = app.write().await;
    session.execute("update users set password_digest = null where id = $1", (&user.id,)).await.unwrap();
    session.commit().await.unwrap();
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO])).await;
    surfer.prove_phone(&app, &user).await;
    assert!(surfer.shown.text.contains("Another proof is missing"), "{}", surfer.shown.text);
    let arrived = surfer.arrived();
    assert_eq!((arrived["error"].as_str(), arrived.get("code")), ("unmet_authentication_requirements", None));
    assert_eq!(
        (arrived["state"].as_str(), arrived["iss"].clone()),
        ("a state & more", format!("{}/", app.running.url()))
    );
    assert_eq!(app.number("select count(*) from sessions where browser_hash is not null").await, 0);
    // Unless less will do.
    app.advance(60);
    let either = ("acr_values", Some("urn:countersign:acr:2fa urn:countersign:acr:1fa"));
    surfer.go(&client.authorize(&[either])).await;
    surfer.prove_phone(&app, &user).await;
    assert_eq!(claims(&token(&app, &client, &surfer).await)["acr"], "urn:countersign:acr:1fa");
}

#[tokio::test]
async fn guesses_of_the_password_are_those_of_everywhere() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO])).await;
    surfer.prove_phone(&app, &user).await;
    for _ in 0..4 {
        user.try_password("wrong").await.expect("422 session.invalid_credentials");
    }
    // Twelve at once: six are judged, and the last of them locks.
    let form = surfer.form(&[("password", "wrong")]);
    let answers = surfer.send_at_once("/sign-in/password", &form, 12).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 7, "{statuses:?}");
    assert_eq!(surfer.give_password(&user.password).await.status, 429, "the right one as well");
    assert_eq!(surfer.shown.header("retry-after"), Some("900"));
    assert!(surfer.shown.text.contains("You can try again in 15 minutes."), "{}", surfer.shown.text);
    user.try_password(&user.password).await.expect("400 session.verification_blocked_too_many_attempts");
    // The other methods stay open, and the lock goes as it came.
    app.advance(901);
    assert_eq!(surfer.give_password(&user.password).await.status, 200);
    assert!(surfer.asks_who_it_is(), "the first proof is too old by now");
    surfer.prove_phone(&app, &user).await;
    surfer.give_password(&user.password).await;
    assert!(surfer.arrived().contains_key("code"));
}

#[tokio::test]
async fn nobody_adds_to_what_another_has_proved() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user().await, app.user().await);
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO])).await;
    surfer.prove_phone(&app, &ada).await;
    assert_eq!(surfer.give_password(&bob.password).await.status, 422);
    // Somebody else begins in the same flow: theirs alone counts from now on.
    let entry = format!("/sign-in?flow={}&by=sms", surfer.field("flow"));
    surfer.go(&entry).await;
    surfer.prove_phone(&app, &bob).await;
    assert!(surfer.asks_for_password() && surfer.shown.text.contains(&bob.phone[1..]), "{}", surfer.shown.text);
    assert_eq!(surfer.give_password(&ada.password).await.status, 422);
    surfer.give_password(&bob.password).await;
    let token = token(&app, &client, &surfer).await;
    assert_eq!(claims(&token)["sub"], format!("sms|{}", bob.id));
    let parts = "select count(*) from verification_records where part_of is not null and user_id = $1";
    let of = async |user: &User<'_>| app.write().await.fetch_value::<i64>(parts, (&user.id,)).await.unwrap();
    assert_eq!((of(&ada).await, of(&bob).await), (1, 2));

    // Whoever was signed in at the browser before is not who proves: Ada's step-up, in Bob's browser.
    app.advance(60);
    surfer.go(&client.authorize(&[TWO])).await;
    surfer.prove_phone(&app, &ada).await;
    assert_eq!(surfer.give_password(&bob.password).await.status, 422);
    surfer.give_password(&ada.password).await;
    assert_eq!(claims(&self::token(&app, &client, &surfer).await)["sub"], format!("sms|{}", ada.id));
    let ended = "select count(*) from sessions where browser_hash is not null and ended_at is not null";
    assert_eq!(app.number(ended).await, 1, "Bob is signed out there");
}

#[tokio::test]
async fn a_step_is_taken_once_in_its_own_browser_with_its_own_form() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO])).await;
    // Nothing is proved yet: there is nobody whose password it could be.
    surfer.give_password(&user.password).await;
    assert!(surfer.asks_who_it_is());
    let code = surfer.prove_phone(&app, &user).await;
    let code_form = surfer.form(&[("code", &code)]);
    // The code once more, as after going back: the page of the step that is waited for.
    surfer.send("/sign-in/code", &code_form).await;
    assert!(surfer.asks_for_password());
    surfer.go(&format!("/sign-in?flow={}&step=code", surfer.field("flow"))).await;
    assert!(surfer.asks_for_password());
    surfer.post("/sign-in/again", &[]).await;
    assert!(surfer.asks_for_password());
    assert_eq!(app.number("select count(*) from verification_records where part_of is not null").await, 1);

    let form = surfer.form(&[("password", &user.password)]);
    let mut stranger = Surfer::at(&app, &client.authorize(&[TWO])).await;
    assert_eq!(stranger.send("/sign-in/password", &form).await.status, 400, "another browser");
    let forged: Vec<_> = form
        .iter()
        .map(|(name, value)| (name.clone(), if name == "token" { "x".repeat(43) } else { value.clone() }))
        .collect();
    let flow = surfer.field("flow");
    assert_eq!(surfer.send("/sign-in/password", &forged).await.status, 400, "a form that is not ours");
    surfer.go(&format!("/sign-in?flow={flow}")).await;

    // The right password many times at once gets in once.
    let answers = surfer.send_at_once("/sign-in/password", &form, 8).await;
    let is_in = |answer: &&Answer| answer.text.contains("content=\"0;url=");
    assert_eq!(answers.iter().filter(is_in).count(), 1, "{answers:#?}");
    assert_eq!(app.number("select count(*) from authorization_codes").await, 1);
    assert_eq!(app.number("select count(*) from guesses").await, 0, "right ones are forgiven");
    surfer.send("/sign-in/password", &form).await;
    assert!(surfer.shown.text.contains("This sign-in is complete"), "{}", surfer.shown.text);
}

#[tokio::test]
async fn what_is_too_old_in_the_middle_is_proved_again() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO, SCOPE])).await;
    surfer.prove_phone(&app, &user).await;
    app.advance(600);
    surfer.give_password(&user.password).await;
    assert!(surfer.asks_who_it_is(), "{}", surfer.shown.text);

    // Asked to be fresher than the record lives: the older one of two is asked for again, and the password still counts.
    surfer.go(&client.authorize(&[TWO, SCOPE, ("max_age", Some("60"))])).await;
    surfer.prove_email(&app, &user).await;
    app.advance(55);
    surfer.give_password(&user.password).await;
    app.advance(10);
    let code = app.code_after(&user.phone, surfer.post("/sign-in/again", &[])).await;
    surfer.give_code(&code).await;
    let said = claims(&token(&app, &client, &surfer).await);
    assert_eq!((&said["amr"], &said["auth_time"]), (&json!(["mfa", "pwd", "sms"]), &json!(app.now().seconds() - 10)));
}

#[tokio::test]
async fn a_fact_that_changes_in_the_middle_takes_its_proof_away() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let manager = app.manager().await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO])).await;
    surfer.prove_phone(&app, &user).await;
    let form = surfer.form(&[("password", &user.password)]);
    manager.patch(&format!("/api/users/{}", user.id), json!({ "primaryPhone": "447911123456" })).await.expect("200");
    surfer.send("/sign-in/password", &form).await;
    assert!(surfer.asks_who_it_is(), "{}", surfer.shown.text);

    // And a suspended user is nobody.
    app.advance(60);
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO])).await;
    surfer.prove_email(&app, &user).await;
    let form = surfer.form(&[("password", &user.password)]);
    manager.patch(&format!("/api/users/{}/is-suspended", user.id), json!({ "isSuspended": true })).await.expect("200");
    surfer.send("/sign-in/password", &form).await;
    assert!(surfer.asks_who_it_is(), "{}", surfer.shown.text);
    assert_eq!(app.number("select count(*) from authorization_codes").await, 0);
}

#[tokio::test]
async fn the_other_language_is_there_on_every_page() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[TWO, ("ui_locales", Some("ja"))])).await;
    surfer.prove_email(&app, &user).await;
    assert!(surfer.asks_for_password() && surfer.shown.text.contains("パスワードを入力してください"));
    surfer.give_password("wrong").await;
    assert!(surfer.shown.text.contains("パスワードが正しくありません。"));
    let flow = surfer.field("flow");
    surfer.go(&format!("/sign-in?flow={flow}&language=en")).await;
    assert!(surfer.asks_for_password() && surfer.shown.text.contains("Enter your password"));
    surfer.go(&format!("/sign-in?flow={flow}&language=ja")).await;
    surfer.give_password(&user.password).await;
    assert!(surfer.shown.text.contains("もう一つのコード"), "{}", surfer.shown.text);
    surfer.post("/sign-in/cancel", &[]).await;
    assert_eq!(surfer.arrived()["error"], "access_denied");
}
