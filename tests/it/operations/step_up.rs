//! Step-up tokens: an access token with what was just proved (RFC 8693, RFC 9470).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::payment;
use crate::harness::{Answer, TestApp, User, with_operations};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub async fn exchange(user: &User<'_>, token: &str, record: &str, more: &[(&str, &str)]) -> Answer {
    let app = user.app;
    let form = [
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("verification_id", record),
        ][..],
        more,
    ]
    .concat();
    let request = app.http.post(app.url("/oidc/token")).form(&form);
    Answer::of(request.basic_auth(&app.application, Some(&app.management_secret))).await
}

fn claims(answer: &Answer) -> Value {
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_is_stepped_up_and_lives_as_long_as_its_record() {
    let app = TestApp::start_with(|config| {
        with_operations(config);
        config.sign_in.audiences = vec!["https://bank.example/api".to_owned()];
    })
    .await;
    let user = app.user().await;
    let record = user.open("bank.view", Value::Null).await.expect("201").record();
    app.advance(5);
    user.add_code(&record, "email").await.expect("200");
    app.advance(5);
    let answer =
        exchange(&user, &user.token, &record, &[("resource", "https://bank.example/api"), ("scope", "openid profile")])
            .await;
    let body = answer.expect("200").json();
    assert_eq!((&body["issued_token_type"], &body["token_type"]), (&json!(ACCESS_TOKEN), &json!("Bearer")));
    assert_eq!((&body["expires_in"], &body["scope"]), (&json!(590), &json!("openid profile")));
    assert_eq!(body.get("refresh_token"), None, "nothing renews it");
    let answer = exchange(&user, &user.token, &record, &[("resource", "https://bank.example/api")]).await;
    let claims = claims(&answer);
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:countersign:acr:1fa"), &json!(["otp"])));
    assert_eq!((&claims["auth_time"], &claims["exp"]), (&json!(1_795_176_005), &json!(1_795_176_600)));
    assert!(claims["aud"].as_array().unwrap().contains(&json!("https://bank.example/api")));
    assert_eq!(app.number("select count(*) from audit_events where type = 'token.stepped_up'").await, 2);
}

#[tokio::test]
async fn a_step_up_token_opens_the_gates_its_record_opens_while_that_lives() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let record = user.verify_password().await;
    let answer = exchange(&user, &user.token, &record, &[]).await.expect("200");
    let stepped = user.with_token(answer.json()["access_token"].as_str().unwrap().to_owned());
    let remove = async |user: &User<'_>, headers: &[(&str, &str)]| {
        user.call_with("DELETE", "/api/my-account/primary-phone", headers, Value::Null).await
    };
    let denied = "401 verification_record.permission_denied";
    assert_eq!(remove(&user, &[]).await.gist(), denied);
    assert_eq!(remove(&stepped, &[("verification-id", "")]).await.gist(), denied, "what is shown counts, be it wrong");
    remove(&stepped, &[]).await.expect("204");
    // The record permits, not the token: it died with the password.
    let body = json!({ "password": "another good passphrase" });
    stepped.call_with("POST", "/api/my-account/password", &[], body.clone()).await.expect("204");
    assert_eq!(stepped.call_with("POST", "/api/my-account/password", &[], body).await.gist(), denied);
}

#[tokio::test]
async fn neither_record_nor_token_alone_is_enough() {
    let app = TestApp::start_with(with_operations).await;
    let (user, other) = (app.user().await, app.user().await);
    let record = user.verify_password().await;
    let wrong = "400 oidc.invalid_grant";
    assert_eq!(exchange(&user, "nonsense", &record, &[]).await.gist(), wrong);
    assert_eq!(exchange(&user, &user.token, "nonsense", &[]).await.gist(), wrong);
    assert_eq!(exchange(&user, &user.token, &"0".repeat(32), &[]).await.gist(), wrong);
    assert_eq!(exchange(&other, &other.token, &record, &[]).await.gist(), wrong, "another user's record");
    assert_eq!(
        exchange(&user, &user.token, &record, &[("scope", "openid all")]).await.gist(),
        "400 oidc.invalid_scope"
    );
    assert_eq!(
        exchange(&user, &user.token, &record, &[("resource", "https://x.example")]).await.gist(),
        "400 oidc.invalid_target"
    );
    let pending = user.open("bank.pay", payment()).await.expect("201").record();
    assert_eq!(exchange(&user, &user.token, &pending, &[]).await.gist(), wrong, "not satisfied");
    let third = app.third_party().await;
    let strange = user.new_token(&third, &["openid"]).await;
    assert_eq!(exchange(&user, &strange, &record, &[]).await.gist(), wrong, "another client's token");
    let manager = app.manager().await;
    assert_eq!(exchange(&user, &manager.token, &record, &[]).await.gist(), wrong, "nobody's token");
    exchange(&user, &user.token, &record, &[]).await.expect("200");
    app.advance(600);
    assert_eq!(exchange(&user, &user.token, &record, &[]).await.gist(), wrong, "expired");
}

#[tokio::test]
async fn a_record_that_is_good_once_makes_one_token_or_one_redemption() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let answer = exchange(&user, &user.token, &record, &[]).await.expect("200");
    assert_eq!(claims(&answer)["acr"], "urn:countersign:acr:2fa");
    assert_eq!(exchange(&user, &user.token, &record, &[]).await.gist(), "400 oidc.invalid_grant");
    assert_eq!(
        bank.redeem(&record, "bank.pay", payment(), &user).await.gist(),
        "409 verification_record.already_redeemed"
    );
}
