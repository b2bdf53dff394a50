//! Opening a record, collecting methods in it, looking at it, withdrawing it.

use countersign::storage::users;
use reqwest::Method;
use serde_json::{Value, json};

use super::payment;
use crate::harness::{TestApp, with_operations};

#[tokio::test]
async fn a_record_is_opened_for_an_operation_and_collects_what_it_demands() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let opened = user.open("bank.pay", payment()).await.expect("201");
    let body = opened.json();
    assert_eq!(body["operation"], "bank.pay");
    assert_eq!(body["status"], "pending");
    assert_eq!(body["satisfied"], json!([]));
    assert_eq!(body["requirement"]["methods"], json!([["password", "phone_code"], ["password", "email_code"]]));
    assert_eq!(body["expiresAt"], "2026-11-20T12:05:00.000Z", "five minutes, as it is bound to a payload");
    assert_eq!(body["payloadDigest"].as_str().unwrap().len(), 43);
    let record = opened.record();
    let place = format!("{}/api/verifications/{record}", app.app().urls.root);
    assert_eq!(opened.header("location"), Some(place.as_str()));

    let answer = user.add_password(&record).await.expect("201").json();
    assert_eq!(answer["verificationRecordId"], record);
    assert_eq!(answer["expiresAt"], body["expiresAt"]);
    let path = format!("/api/verifications/{record}");
    let shown = user.get(&path).await.expect("200").json();
    assert_eq!((&shown["status"], &shown["satisfied"]), (&json!("pending"), &json!(["password"])));
    user.add_code(&record, "email").await.expect("200");
    let shown = user.get(&path).await.expect("200").json();
    assert_eq!((&shown["status"], &shown["satisfied"]), (&json!("verified"), &json!(["email_code", "password"])));
    assert_eq!(shown["payloadDigest"], body["payloadDigest"]);

    let events = "select count(*) from audit_events where type in ('operation.opened', 'operation.satisfied')";
    assert_eq!(app.number(events).await, 2);
    app.advance(300);
    assert_eq!(user.get(&path).await.expect("200").json()["status"], "expired");
    assert_eq!(user.add_password(&record).await.gist(), "400 verification_record.not_found");
}

#[tokio::test]
async fn the_same_payload_has_the_same_digest_whatever_its_order_and_any_other_has_another() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let digest = async |text: &str| {
        let request = user.request(Method::POST, "/api/verifications").header("content-type", "application/json");
        let body = format!(r#"{{"operation":"bank.pay","payload":{text}}}"#);
        crate::harness::Answer::of(request.body(body)).await.expect("201").json()["payloadDigest"].clone()
    };
    let one = digest(r#"{"amount":"1.50","currency":"EUR","payee":{"name":"A","iban":"B"}}"#).await;
    let other = "{ \"payee\" : {\"iban\":\"B\",\n\"name\":\"\\u0041\"}, \"currency\":\"EUR\", \"amount\": \"1.50\" }";
    assert_eq!(digest(other).await, one);
    for other in [
        r#"{"amount":"1.51","currency":"EUR","payee":{"name":"A","iban":"B"}}"#,
        r#"{"amount":"1.50","currency":"EUR","payee":{"name":"A","iban":"C"}}"#,
        r#"{"amount":"1.50","currency":"EUR","payee":{"name":"A","iban":"B"},"x":null}"#,
        r#"{"amount":1.5,"currency":"EUR","payee":{"name":"A","iban":"B"}}"#,
    ] {
        assert_ne!(digest(other).await, one, "{other}");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_is_said() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    assert_eq!(user.open("bank.rob", json!({})).await.gist(), "404 operation.not_found");
    assert_eq!(user.open("bank.pay", Value::Null).await.gist(), "400 operation.payload_required");
    assert_eq!(user.open("bank.pay", json!([])).await.gist(), "400 guard.invalid_input");
    let other = app.user().await;
    let body = json!({ "operation": "bank.view", "subject": other.id.0 });
    assert_eq!(user.post("/api/verifications", body).await.gist(), "403 auth.forbidden");
    assert_eq!(user.open("bank.view", payment()).await.gist(), "400 operation.payload_unexpected");
    let unfit = user.open("bank.pay", json!({ "amount": "1.234", "currency": "EUR" })).await;
    assert_eq!(unfit.gist(), "422 operation.payload_unfit");
    let issues = unfit.json()["data"]["issues"].clone();
    assert_eq!((&issues[0]["path"], &issues[1]["path"]), (&json!(["amount"]), &json!(["payee", "name"])));
    let twice = r#"{"operation":"bank.pay","payload":{"amount":"1","amount":"9"}}"#;
    let request =
        user.request(Method::POST, "/api/verifications").header("content-type", "application/json").body(twice);
    assert_eq!(crate::harness::Answer::of(request).await.gist(), "400 guard.invalid_input");
    assert_eq!(app.number("select count(*) from verification_records").await, 0);
}

#[tokio::test]
async fn who_lacks_the_methods_is_told_which_and_there_is_no_downgrade() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let mut session = app.write().await;
    users::set_email(&mut session, &user.id, None, None, app.now()).await.unwrap();
    users::set_phone(&mut session, &user.id, None, app.now()).await.unwrap();
    session.commit().await.unwrap();
    let refused = user.open("bank.pay", payment()).await;
    assert_eq!(refused.gist(), "403 operation.enrolment_required");
    assert_eq!(
        refused.json()["data"],
        json!({
            "operation": "bank.pay", "methods": [["password", "phone_code"], ["password", "email_code"]],
            "userMethods": ["password"], "missing": [["phone_code"], ["email_code"]],
        })
    );
    user.open("bank.view", Value::Null).await.expect("201");
}

#[tokio::test]
async fn only_own_addresses_prove_anything_to_a_record() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let record = user.open("bank.view", Value::Null).await.expect("201").record();
    let body =
        json!({ "identifier": { "type": "email", "value": "stranger@example.com" }, "verificationRecordId": record });
    let answer = user.post("/api/verifications/verification-code", body).await;
    assert_eq!(answer.gist(), "422 verification_record.address_not_own");
}

#[tokio::test]
async fn what_is_consented_to_stands_beside_the_code_and_in_the_record_in_the_readers_language() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let mut payload = payment();
    payload["amount"] = json!("1234567.5");
    payload["payee"]["name"] = json!("<b>ACME</b> {code}");
    let request = user.request(Method::POST, "/api/verifications").header("accept-language", "ja");
    let opened = crate::harness::Answer::of(request.json(&json!({ "operation": "bank.pay", "payload": payload })))
        .await
        .expect("201");
    assert_eq!(opened.json()["display"], "<b>ACME</b> {code} に 1,234,567.50 EUR を支払う");
    let record = opened.record();
    let english = "Pay 1,234,567.50 EUR to <b>ACME</b> {code}";
    assert_eq!(user.get(&format!("/api/verifications/{record}")).await.expect("200").json()["display"], english);
    user.send_code_for(&record, "phone").await.expect("201");
    let text = app.mailbox.messages()[0].rendered.text.clone();
    assert!(text.contains(english) && text.contains(&app.code_for(&user.phone)), "{text}");
    user.send_code_for(&record, "email").await.expect("201");
    let mail = app.mailbox.messages()[0].rendered.clone();
    assert!(mail.text.contains(english) && mail.text.contains(&app.code_for(&user.email)), "{}", mail.text);
    assert!(mail.html.unwrap().contains("&lt;b&gt;ACME&lt;/b&gt; {code}"));
    // At rest it is sealed.
    let sql = "select count(*) from verification_records where display is not null and length(display) > 100";
    assert_eq!(app.number(sql).await, 1);
}

#[tokio::test]
async fn a_record_is_its_owners_alone() {
    let app = TestApp::start_with(with_operations).await;
    let (user, other) = (app.user().await, app.user().await);
    let record = user.open("bank.view", Value::Null).await.expect("201").record();
    let path = format!("/api/verifications/{record}");
    assert_eq!(other.get(&path).await.gist(), "404 verification_record.not_found");
    assert_eq!(other.call("DELETE", &path, "", Value::Null).await.gist(), "404 verification_record.not_found");
    assert_eq!(other.add_password(&record).await.gist(), "400 verification_record.not_found");
    assert_eq!(other.send_code_for(&record, "email").await.gist(), "400 verification_record.not_found");
    assert_eq!(user.get(&path).await.expect("200").json()["satisfied"], json!([]));
}

#[tokio::test]
async fn a_withdrawn_record_takes_no_method_any_more_and_is_not_redeemed() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let path = format!("/api/verifications/{record}");
    user.call("DELETE", &path, "", Value::Null).await.expect("204");
    assert_eq!(user.get(&path).await.expect("200").json()["status"], "revoked");
    user.call("DELETE", &path, "", Value::Null).await.expect("204");
    assert_eq!(bank.redeem(&record, "bank.pay", payment(), &user).await.gist(), "409 verification_record.revoked");
    assert_eq!(user.add_password(&record).await.gist(), "400 verification_record.not_found");
    assert_eq!(app.number("select count(*) from audit_events where type = 'operation.withdrawn'").await, 1);
}

#[tokio::test]
async fn a_code_sent_for_a_record_is_good_for_nothing_else() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let record = user.open("bank.view", Value::Null).await.expect("201").record();
    user.add_code(&record, "email").await.expect("200");
    // Opened for another operation: it opens no gate, though its method would.
    let answer = user.call("DELETE", "/api/my-account/primary-phone", &record, Value::Null).await;
    assert_eq!(answer.gist(), "401 verification_record.permission_denied");
}

#[tokio::test]
async fn a_new_code_takes_the_place_of_an_earlier_one() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let record = user.open("bank.view", Value::Null).await.expect("201").record();
    user.send_code_for(&record, "email").await.expect("201");
    let first = app.code_for(&user.email);
    app.advance(31);
    user.send_code_for(&record, "email").await.expect("201");
    let second = app.code_for(&user.email);
    if first != second {
        assert_eq!(
            user.try_code("email", &user.email, &record, &first).await.gist(),
            "400 verification_code.code_mismatch"
        );
    }
    user.try_code("email", &user.email, &record, &second).await.expect("200");
}

#[tokio::test]
async fn an_overridden_built_in_operation_demands_what_its_policy_says() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let remove = async |record: &str| user.call("DELETE", "/api/my-account/primary-email", record, Value::Null).await;
    let password = user.verify_password().await;
    let refused = remove(&password).await;
    assert_eq!(refused.gist(), "401 verification_record.permission_denied");
    let data = &refused.json()["data"];
    assert_eq!(data["methods"], json!([["password", "phone_code"]]));
    assert_eq!((&data["maxAge"], &data["acrValues"]), (&json!(120), &json!("urn:countersign:acr:2fa")));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"acr_values="urn:countersign:acr:2fa", max_age=120"#), "{challenge}");

    let record = user.open("account.email.delete", Value::Null).await.expect("201").record();
    user.add_password(&record).await.expect("201");
    assert_eq!(remove(&record).await.gist(), "401 verification_record.permission_denied");
    user.add_code(&record, "phone").await.expect("200");
    remove(&record).await.expect("204");
    // Good once.
    user.call("POST", "/api/my-account/password", &record, json!({ "password": "another good passphrase" }))
        .await
        .expect("401 verification_record.permission_denied");
}

#[tokio::test]
async fn a_stale_method_no_longer_counts_and_can_be_proved_again() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let record = user.open("account.email.delete", Value::Null).await.expect("201").record();
    user.add_password(&record).await.expect("201");
    app.advance(121);
    user.add_code(&record, "phone").await.expect("200");
    let remove = async || user.call("DELETE", "/api/my-account/primary-email", &record, Value::Null).await;
    assert_eq!(remove().await.gist(), "401 verification_record.permission_denied");
    user.add_password(&record).await.expect("201");
    remove().await.expect("204");
}

#[tokio::test]
async fn a_fact_that_changed_takes_its_method_out_of_a_record() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let proof = user.verify_code("email", &user.email).await;
    let body = json!({ "password": "another good passphrase" });
    user.call("POST", "/api/my-account/password", &proof, body).await.expect("204");
    let refused = bank.redeem(&record, "bank.pay", payment(), &user).await;
    assert_eq!(refused.gist(), "409 verification_record.not_satisfied");
    assert_eq!(refused.json()["data"]["missing"], json!([["password"], ["password", "email_code"]]));
}
