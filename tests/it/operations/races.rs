//! Many at once, over two nodes. On SQLite one writer hides many a missing guard: these must run on PostgreSQL, too.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::payment;
use crate::harness::{Answer, TestApp, with_operations};

async fn two_nodes() -> (TestApp, TestApp) {
    let app = TestApp::start_with(with_operations).await;
    let second = app.second_node_as(with_operations, |_| {}).await;
    (app, second)
}

fn count(answers: &[Answer], gist: &str) -> usize {
    answers.iter().filter(|answer| answer.gist() == gist).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_redemptions_over_two_nodes_one_succeeds() {
    let (app, second) = two_nodes().await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let there = bank.on(&second);
    let record = user.consent(payment()).await;
    let all = (0..200)
        .map(|number| (if number % 2 == 0 { &bank } else { &there }).redeem(&record, "bank.pay", payment(), &user));
    let answers = join_all(all).await;
    assert_eq!(count(&answers, "200"), 1, "{:?}", answers.iter().map(Answer::gist).collect::<Vec<_>>());
    assert_eq!(count(&answers, "409 verification_record.already_redeemed"), 199);
    assert_eq!(app.number("select count(*) from audit_events where type = 'operation.redeemed'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_with_one_key_all_get_the_one_answer() {
    let (app, second) = two_nodes().await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let there = bank.on(&second);
    let record = user.consent(payment()).await;
    let all = (0..40).map(|number| {
        (if number % 2 == 0 { &bank } else { &there }).redeem_with(
            &record,
            "bank.pay",
            payment(),
            &user,
            Some("the key"),
        )
    });
    let answers = join_all(all).await;
    assert_eq!(count(&answers, "200"), 40, "{:?}", answers.iter().map(Answer::gist).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert_eq!(app.number("select count(*) from audit_events where type = 'operation.redeemed'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_for_two_records_redeems_one_of_them() {
    let (app, second) = two_nodes().await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let there = bank.on(&second);
    for round in 0..5 {
        app.advance(31);
        let one = user.consent(payment()).await;
        app.advance(31);
        let other = user.consent(payment()).await;
        let key = format!("key {round}");
        let (first, second) = tokio::join!(
            bank.redeem_with(&one, "bank.pay", payment(), &user, Some(&key)),
            there.redeem_with(&other, "bank.pay", payment(), &user, Some(&key)),
        );
        let mut gists = [first.gist(), second.gist()];
        gists.sort();
        assert_eq!(gists, ["200", "422 request.idempotency_key_reused"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_reservers_one_gets_the_lease() {
    let (app, second) = two_nodes().await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let there = bank.on(&second);
    let record = user.consent(payment()).await;
    let path = format!("/api/verifications/{record}/reserve");
    let body = json!({ "operation": "bank.pay", "payload": payment(), "subject": user.id.0, "leaseSeconds": 60 });
    let all = (0..20).map(|number| (if number % 2 == 0 { &bank } else { &there }).post(&path, body.clone()));
    let answers = join_all(all).await;
    assert_eq!(count(&answers, "200"), 1);
    assert_eq!(count(&answers, "409 verification_record.reserved"), 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_withdrawal_and_a_redemption_one_comes_first() {
    let (app, second) = two_nodes().await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await.on(&second).id;
    let bank = crate::harness::Redeemer { app: &second, id: bank, secret: app.management_secret.clone() };
    for _ in 0..8 {
        app.advance(31);
        let record = user.consent(payment()).await;
        let path = format!("/api/verifications/{record}");
        let (withdrawn, redeemed) = tokio::join!(
            user.call("DELETE", &path, "", Value::Null),
            bank.redeem(&record, "bank.pay", payment(), &user),
        );
        assert_eq!(withdrawn.status, 204);
        let status = user.get(&path).await.expect("200").json()["status"].clone();
        let expected = if redeemed.status == 200 { "redeemed" } else { "revoked" };
        assert_eq!(status, expected, "{}", redeemed.gist());
    }
}
