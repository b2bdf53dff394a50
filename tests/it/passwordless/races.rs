//! Many at once, over two nodes. On SQLite one writer hides many a missing guard: these must run on PostgreSQL, too.

use futures_util::future::join_all;
use serde_json::json;

use super::{EXHAUSTED, OTP, Shop, WRONG, code_of, other_than, told};
use crate::harness::{Answer, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_right_codes_at_once_one_wins() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let shop = Shop::public(&app).await;
    let there = shop.on(&second);
    let body = json!({ "connection": "email", "email": "ada@example.com" });
    let held = shop.post("/otp/challenge", body).await.expect("200").json()["auth_session"].clone();
    let code = code_of(&app.wait_for_message(|message| message.to == "ada@example.com").await);
    let body = json!({ "grant_type": OTP, "auth_session": held, "otp": code });
    let tries = (0..50).map(|at| (if at % 2 == 0 { &shop } else { &there }).post("/oauth/token", body.clone()));
    let won = join_all(tries).await.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    assert_eq!(app.number("select count(*) from users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_burst_of_guesses_three_are_evaluated_and_the_right_one_after_them_fails() {
    let behind = |config: &mut countersign::config::Config| {
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    for _ in 0..3 {
        let app = TestApp::start_with(behind).await;
        let second = app.second_node_as(behind, |_| {}).await;
        let shop = Shop::public(&app).await;
        let there = shop.on(&second);
        let to = "ada@example.com";
        let code = shop.code(to).await;
        // From everywhere, so that nothing but the code's own count holds them.
        let tries = (0..24).map(|at| {
            let shop = if at % 2 == 0 { &shop } else { &there };
            Answer::of(shop.grant(to, other_than(&code)).header("x-forwarded-for", format!("203.0.113.{at}")))
        });
        let answers: Vec<String> = join_all(tries).await.iter().map(told).collect();
        assert_eq!(answers.iter().filter(|answer| *answer == WRONG).count(), 2, "{answers:#?}");
        assert_eq!(answers.iter().filter(|answer| *answer == EXHAUSTED).count(), 22);
        assert_eq!(told(&shop.redeem(to, &code).await), EXHAUSTED);
        assert_eq!(app.number("select count(*) from users").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_start_at_once_send_one_code() {
    let change = |config: &mut countersign::config::Config| config.limits.send_gap_seconds = 0;
    let app = TestApp::start_with(change).await;
    let second = app.second_node_as(change, |_| {}).await;
    let shop = Shop::public(&app).await;
    let there = shop.on(&second);
    let to = "ada@example.com";
    let starts = (0..8).map(|at| (if at % 2 == 0 { &shop } else { &there }).start(to));
    assert!(join_all(starts).await.iter().all(|answer| answer.status == 200));
    let messages = super::messages_to(&app, to, 8).await;
    assert!(messages.iter().all(|message| message.payload.code == messages[0].payload.code));
    assert_eq!(app.number("select count(*) from sign_in_codes where replaced_at is null").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_gets_one_account_whoever_comes_first() {
    let app = TestApp::start().await;
    for round in 0..5 {
        let to = format!("new{round}@example.com");
        let (one, two) = (Shop::public(&app).await, Shop::public(&app).await);
        let first = one.code(&to).await;
        two.start(&to).await.expect("200");
        let second = code_of(&super::messages_to(&app, &to, 2).await[0]);
        let (one, two) = tokio::join!(one.redeem(&to, &first), two.redeem(&to, &second));
        assert_eq!((one.status, two.status), (200, 200), "{one:?} {two:?}");
    }
    assert_eq!(app.number("select count(*) from users").await, 5);
}
