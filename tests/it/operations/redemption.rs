//! Redeeming: once, by whom it may, for the very operation, payload and subject.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::payment;
use crate::harness::{TestApp, with_operations};

#[tokio::test]
async fn a_record_is_redeemed_once() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    app.advance(7);
    let answer = bank.redeem(&record, "bank.pay", payment(), &user).await.expect("200");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!((&body["subject"], &body["operation"]), (&json!(user.id.0), &json!("bank.pay")));
    assert_eq!(body["methods"], json!(["password", "phone_code"]));
    assert_eq!((&body["acr"], &body["amr"]), (&json!("urn:countersign:acr:2fa"), &json!(["mfa", "pwd", "sms"])));
    assert_eq!(
        (&body["authTime"], &body["redeemedAt"]),
        (&json!("2026-11-20T12:00:00.000Z"), &json!("2026-11-20T12:00:07.000Z"))
    );
    let claims = body["assertion"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": format!("{}/", app.app().urls.root), "sub": user.id.0, "aud": "bank-api", "jti": body["redemptionId"],
            "iat": 1_795_176_007, "exp": 1_795_176_127, "auth_time": 1_795_176_000, "acr": "urn:countersign:acr:2fa",
            "amr": ["mfa", "pwd", "sms"], "operation": "bank.pay", "payload_digest": body["payloadDigest"],
        })
    );
    assert_eq!(
        bank.redeem(&record, "bank.pay", payment(), &user).await.gist(),
        "409 verification_record.already_redeemed"
    );
    let shown = user.get(&format!("/api/verifications/{record}")).await.expect("200").json();
    assert_eq!(shown["status"], "redeemed");
    assert_eq!(app.number("select count(*) from audit_events where type = 'operation.redeemed'").await, 1);
    assert_eq!(app.number("select count(*) from audit_events where type = 'operation.refused'").await, 1);
}

#[tokio::test]
async fn the_order_of_members_and_white_space_do_not_matter() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let text = format!(
        "{{ \"subject\": \"{}\",\n \"payload\": {{\"payee\": {{\"iban\": \"DE02120300000000202051\", \"name\": \"ACME\\u0020GmbH\"}},\t\
         \"currency\": \"EUR\", \"amount\": \"120.50\"}}, \"operation\": \"bank.pay\" }}",
        user.id
    );
    let request =
        app.http.post(app.url(&format!("/api/verifications/{record}/redeem"))).basic_auth(&bank.id, Some(&bank.secret));
    crate::harness::Answer::of(request.header("content-type", "application/json").body(text)).await.expect("200");
}

#[tokio::test]
async fn another_payload_kills_the_record() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let changed = |change: fn(&mut Value)| {
        let mut payload = payment();
        change(&mut payload);
        payload
    };
    let others = [
        changed(|payload| payload["amount"] = json!("120.51")),
        changed(|payload| payload["amount"] = json!(120.5)),
        changed(|payload| payload["payee"]["iban"] = json!("DE02120300000000202052")),
        changed(|payload| payload["note"] = json!("")),
        json!({}),
        Value::Null,
    ];
    for (at, other) in others.into_iter().enumerate() {
        app.advance(31);
        let record = user.consent(payment()).await;
        let refused = bank.redeem(&record, "bank.pay", other.clone(), &user).await;
        assert_eq!(refused.gist(), "409 verification_record.payload_mismatch", "{other}");
        assert_eq!(bank.redeem(&record, "bank.pay", payment(), &user).await.gist(), "409 verification_record.revoked");
        let alarms = app.number("select count(*) from audit_events where type = 'operation.payload_mismatch'").await;
        assert_eq!(alarms, i64::try_from(at).unwrap() + 1);
    }
    let metrics = app.http.get(app.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("countersign_payload_mismatches_total{operation=\"bank.pay\"}"), "the alarm of its own");
    for name in ["opened", "satisfied", "refused"] {
        assert!(metrics.contains(&format!("countersign_operations_{name}_total{{")), "{name}");
    }
}

#[tokio::test]
async fn another_operation_subject_or_redeemer_finds_no_record_and_leaves_it_alone() {
    let app = TestApp::start_with(with_operations).await;
    let (user, other) = (app.user().await, app.user().await);
    let bank = app.redeemer("bank-api").await;
    let clinic = app.redeemer("clinic-api").await;
    let record = user.consent(payment()).await;
    let unknown = "404 verification_record.not_found";
    assert_eq!(bank.redeem(&record, "bank.close", payment(), &user).await.gist(), unknown);
    assert_eq!(bank.redeem(&record, "bank.rob", payment(), &user).await.gist(), unknown);
    assert_eq!(bank.redeem(&record, "clinic.prescribe", payment(), &user).await.gist(), unknown);
    assert_eq!(bank.redeem(&record, "bank.pay", payment(), &other).await.gist(), unknown);
    assert_eq!(clinic.redeem(&record, "bank.pay", payment(), &user).await.gist(), unknown);
    assert_eq!(clinic.redeem(&record, "clinic.prescribe", payment(), &user).await.gist(), unknown);
    assert_eq!(bank.redeem(&"0".repeat(32), "bank.pay", payment(), &user).await.gist(), unknown);
    assert_eq!(bank.redeem("x", "bank.pay", payment(), &user).await.gist(), unknown);
    bank.redeem(&record, "bank.pay", payment(), &user).await.expect("200");
}

#[tokio::test]
async fn less_than_is_demanded_is_not_enough_and_can_be_completed() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.open("bank.pay", payment()).await.expect("201").record();
    let refused = bank.redeem(&record, "bank.pay", payment(), &user).await;
    assert_eq!(refused.gist(), "409 verification_record.not_satisfied");
    assert_eq!(refused.json()["data"]["missing"], json!([["password", "phone_code"], ["password", "email_code"]]));
    user.add_code(&record, "email").await.expect("200");
    let refused = bank.redeem(&record, "bank.pay", payment(), &user).await;
    assert_eq!(refused.json()["data"]["missing"], json!([["password"], ["password", "phone_code"]]));
    user.add_password(&record).await.expect("201");
    let body = bank.redeem(&record, "bank.pay", payment(), &user).await.expect("200").json();
    assert_eq!(body["acr"], "urn:countersign:acr:1fa", "a mailbox is no possession");
}

#[tokio::test]
async fn an_expired_record_is_not_redeemed() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    app.advance(300);
    assert_eq!(bank.redeem(&record, "bank.pay", payment(), &user).await.gist(), "409 verification_record.expired");
}

#[tokio::test]
async fn a_simple_record_is_redeemed_for_operations_that_bind_nothing() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.verify_password().await;
    assert_eq!(bank.redeem(&record, "bank.pay", payment(), &user).await.gist(), "404 verification_record.not_found");
    for _ in 0..2 {
        let body = bank.redeem(&record, "bank.view", Value::Null, &user).await.expect("200").json();
        assert_eq!(body["payloadDigest"], Value::Null);
    }
    bank.redeem(&record, "bank.close", Value::Null, &user).await.expect("200");
    assert_eq!(
        bank.redeem(&record, "bank.view", Value::Null, &user).await.gist(),
        "409 verification_record.already_redeemed"
    );
    user.call("DELETE", "/api/my-account/primary-phone", &record, Value::Null)
        .await
        .expect("401 verification_record.permission_denied");
    // Proof of a new address permits nothing.
    let proof = user.verify_code("email", &user.new_email()).await;
    assert_eq!(bank.redeem(&proof, "bank.view", Value::Null, &user).await.gist(), "404 verification_record.not_found");
}

#[tokio::test]
async fn a_suspended_user_consents_to_nothing() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let manager = app.manager().await;
    manager.patch(&format!("/api/users/{}/is-suspended", user.id), json!({ "isSuspended": true })).await.expect("200");
    assert_eq!(bank.redeem(&record, "bank.pay", payment(), &user).await.gist(), "404 verification_record.not_found");
}

#[tokio::test]
async fn a_policy_that_became_stricter_counts_at_redemption() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.open("bank.view", Value::Null).await.expect("201").record();
    user.add_password(&record).await.expect("201");
    let stricter = app
        .second_node_as(
            |config| {
                with_operations(config);
                let view = config.operations.iter_mut().find(|operation| operation.name == "bank.view").unwrap();
                view.methods = vec![vec!["password".to_owned(), "phone_code".to_owned()]];
            },
            |_| {},
        )
        .await;
    let refused = bank.on(&stricter).redeem(&record, "bank.view", Value::Null, &user).await;
    assert_eq!(refused.gist(), "409 verification_record.not_satisfied");
    bank.redeem(&record, "bank.view", Value::Null, &user).await.expect("200");
}

#[tokio::test]
async fn the_same_key_gets_the_first_answer_again_byte_for_byte_for_a_day() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let again = async |payload: Value| bank.redeem_with(&record, "bank.pay", payload, &user, Some("key-1")).await;
    let first = again(payment()).await.expect("200");
    app.advance(24 * 3600 - 1);
    assert_eq!(again(payment()).await.expect("200").text, first.text);
    let mut other = payment();
    other["amount"] = json!("1.00");
    assert_eq!(again(other).await.gist(), "422 request.idempotency_key_reused");
    // Another service's key of the same name is another key.
    let batch = app.redeemer("bank-batch").await;
    let answer = batch.redeem_with(&record, "bank.pay", payment(), &user, Some("key-1")).await;
    assert_eq!(answer.gist(), "409 verification_record.expired");
    let stored = "select count(*) from idempotent_answers";
    assert_eq!(app.number(stored).await, 1);
    app.advance(2);
    assert_eq!(again(payment()).await.gist(), "409 verification_record.expired");
    countersign::jobs::sweeping::sweep(app.app()).await.unwrap();
    assert_eq!(app.number(stored).await, 0);
}

#[tokio::test]
async fn a_refusal_that_changed_nothing_is_judged_anew_and_one_that_killed_the_record_is_kept() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.open("bank.pay", payment()).await.expect("201").record();
    let redeem =
        async |payload: Value, key: &str| bank.redeem_with(&record, "bank.pay", payload, &user, Some(key)).await;
    assert_eq!(redeem(payment(), "a").await.gist(), "409 verification_record.not_satisfied");
    user.add_password(&record).await.expect("201");
    user.add_code(&record, "phone").await.expect("200");
    let refused = redeem(json!({ "amount": "9" }), "b").await;
    assert_eq!(refused.gist(), "409 verification_record.payload_mismatch");
    assert_eq!(redeem(json!({ "amount": "9" }), "b").await.text, refused.text);
    assert_eq!(redeem(payment(), "a").await.gist(), "409 verification_record.revoked");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    for key in ["", &"x".repeat(256)] {
        let answer = bank.redeem_with(&record, "bank.pay", payment(), &user, Some(key)).await;
        assert_eq!(answer.gist(), "400 guard.invalid_input");
    }
    bank.redeem(&record, "bank.pay", payment(), &user).await.expect("200");
}
