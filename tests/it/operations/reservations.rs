//! Reserving, committing, releasing: for long transactions.

use reqwest::Method;
use serde_json::{Value, json};

use super::payment;
use crate::harness::{Answer, Redeemer, TestApp, User, with_operations};

async fn reserve(bank: &Redeemer<'_>, record: &str, user: &User<'_>, seconds: u64) -> Answer {
    let body = json!({ "operation": "bank.pay", "payload": payment(), "subject": user.id.0, "leaseSeconds": seconds });
    bank.post(&format!("/api/verifications/{record}/reserve"), body).await
}

async fn end(bank: &Redeemer<'_>, record: &str, how: &str, reservation: &Value) -> Answer {
    let body = json!({ "reservationId": reservation["reservationId"], "fence": reservation["fence"] });
    bank.post(&format!("/api/verifications/{record}/{how}"), body).await
}

#[tokio::test]
async fn a_reservation_is_committed_once_and_may_outlast_the_record() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let (bank, batch) = (app.redeemer("bank-api").await, app.redeemer("bank-batch").await);
    let record = user.consent(payment()).await;
    let reservation = reserve(&bank, &record, &user, 600).await.expect("200").json();
    assert_eq!((&reservation["fence"], &reservation["expiresAt"]), (&json!(1), &json!("2026-11-20T12:10:00.000Z")));
    let shown = user.get(&format!("/api/verifications/{record}")).await.expect("200").json();
    assert_eq!(shown["status"], "reserved");
    let refused = batch.redeem(&record, "bank.pay", payment(), &user).await;
    assert_eq!(refused.gist(), "409 verification_record.reserved");
    assert_eq!(refused.header("retry-after"), Some("600"));
    assert_eq!(end(&batch, &record, "commit", &reservation).await.gist(), "409 verification_record.reservation_lost");

    app.advance(599);
    let body = end(&bank, &record, "commit", &reservation).await.expect("200").json();
    assert_eq!((&body["operation"], &body["acr"]), (&json!("bank.pay"), &json!("urn:countersign:acr:2fa")));
    assert_eq!(body["authTime"], "2026-11-20T12:00:00.000Z");
    assert_eq!(end(&bank, &record, "commit", &reservation).await.gist(), "409 verification_record.already_redeemed");
    assert_eq!(end(&bank, &record, "release", &reservation).await.gist(), "409 verification_record.already_redeemed");
}

#[tokio::test]
async fn a_late_commit_with_an_old_fence_is_refused() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let (bank, batch) = (app.redeemer("bank-api").await, app.redeemer("bank-batch").await);
    let record = user.consent(payment()).await;
    let old = reserve(&bank, &record, &user, 10).await.expect("200").json();
    app.advance(10);
    assert_eq!(end(&bank, &record, "commit", &old).await.gist(), "409 verification_record.reservation_lost");
    let new = reserve(&batch, &record, &user, 10).await.expect("200").json();
    assert_eq!(new["fence"], 2);
    assert_eq!(end(&bank, &record, "commit", &old).await.gist(), "409 verification_record.reservation_lost");
    assert_eq!(end(&bank, &record, "release", &old).await.gist(), "409 verification_record.reservation_lost");
    let forged = json!({ "reservationId": new["reservationId"], "fence": 2 });
    assert_eq!(end(&bank, &record, "commit", &forged).await.gist(), "409 verification_record.reservation_lost");
    let told = "select count(*) from audit_events where type = 'operation.refused'
                  and cast(data as text) like '%verification_record.reservation_lost%'";
    assert_eq!(app.number(told).await, 4);
    end(&batch, &record, "commit", &new).await.expect("200");
}

#[tokio::test]
async fn a_released_record_is_good_again_within_its_life() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let reservation = reserve(&bank, &record, &user, 60).await.expect("200").json();
    end(&bank, &record, "release", &reservation).await.expect("204");
    assert_eq!(end(&bank, &record, "commit", &reservation).await.gist(), "409 verification_record.reservation_lost");
    bank.redeem(&record, "bank.pay", payment(), &user).await.expect("200");

    app.advance(31);
    let record = user.consent(payment()).await;
    let reservation = reserve(&bank, &record, &user, 600).await.expect("200").json();
    app.advance(301);
    end(&bank, &record, "release", &reservation).await.expect("204");
    assert_eq!(bank.redeem(&record, "bank.pay", payment(), &user).await.gist(), "409 verification_record.expired");
}

#[tokio::test]
async fn what_a_reserved_record_rests_on_must_still_stand_at_the_commit() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let reservation = reserve(&bank, &record, &user, 60).await.expect("200").json();
    let proof = user.verify_code("email", &user.email).await;
    let body = json!({ "password": "another good passphrase" });
    user.call("POST", "/api/my-account/password", &proof, body).await.expect("204");
    assert_eq!(end(&bank, &record, "commit", &reservation).await.gist(), "409 verification_record.not_satisfied");

    app.advance(31);
    let user = app.user().await;
    let record = user.consent(payment()).await;
    let reservation = reserve(&bank, &record, &user, 60).await.expect("200").json();
    user.call("DELETE", &format!("/api/verifications/{record}"), "", Value::Null).await.expect("204");
    assert_eq!(end(&bank, &record, "commit", &reservation).await.gist(), "409 verification_record.revoked");
    assert_eq!(app.number("select count(*) from audit_events where type = 'operation.refused'").await, 2);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_answered_again() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    let reservation = reserve(&bank, &record, &user, 60).await.expect("200").json();
    let body = json!({ "reservationId": reservation["reservationId"], "fence": reservation["fence"] });
    let path = format!("/api/verifications/{record}/commit");
    let commit = async || bank.call(Method::POST, &path, &[("Idempotency-Key", "k")], Some(body.clone())).await;
    let first = commit().await.expect("200");
    app.advance(600);
    assert_eq!(commit().await.expect("200").text, first.text);
}

#[tokio::test]
async fn a_lease_has_its_bounds() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let record = user.consent(payment()).await;
    for seconds in [0, 601] {
        assert_eq!(reserve(&bank, &record, &user, seconds).await.gist(), "400 guard.invalid_input");
    }
    reserve(&bank, &record, &user, 1).await.expect("200");
}
