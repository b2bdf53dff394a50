//! What is counted: starts, and failures across codes.

use futures_util::future::join_all;
use serde_json::json;

use super::{Shop, messages_to, other_than, told};
use crate::harness::{Answer, START, TestApp};

fn behind(config: &mut countersign::config::Config) {
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
}

fn numbers(answer: &Answer) -> [i64; 3] {
    ["limit", "remaining", "reset"].map(|name| answer.header(&format!("x-ratelimit-{name}")).unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_starts_an_hour_are_all_a_client_has_over_two_nodes() {
    let app = TestApp::start_with(behind).await;
    let second = app.second_node_as(behind, |_| {}).await;
    let shop = Shop::public(&app).await;
    let there = shop.on(&second);
    let start = async |at: usize, shop: &Shop<'_>, from: &str| {
        let body = json!({ "connection": "email", "email": format!("n{at}@example.com"), "send": "code" });
        Answer::of(shop.request("/passwordless/start", body).header("x-forwarded-for", from)).await
    };
    let first = start(0, &shop, "203.0.113.9").await;
    let now = START.seconds();
    assert_eq!((first.status, numbers(&first)), (200, [50, 49, now + 72]));
    let burst = (1..60).map(|at| start(at, if at % 2 == 0 { &shop } else { &there }, "203.0.113.9"));
    let answers = join_all(burst).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 49);
    let last = start(60, &there, "203.0.113.9").await;
    assert_eq!((last.status, last.json()["error"].as_str()), (429, Some("too_many_requests")));
    assert_eq!((numbers(&last), last.header("retry-after")), ([50, 0, now + 3600], Some("72")));
    assert_eq!(app.number("select count(*) from sign_in_codes").await, 50);
    // Requests that are refused do not keep the bucket full; others have their own.
    start(61, &shop, "203.0.113.10").await.expect("200");
    app.advance(72);
    assert_eq!(numbers(&start(62, &shop, "203.0.113.9").await.expect("200"))[1], 0);
    start(63, &shop, "203.0.113.9").await.expect("429 oidc.too_many_requests");
}

#[tokio::test]
async fn a_back_end_is_believed_under_three_conditions() {
    let app = TestApp::start_with(|config| config.sign_in.starts_per_hour = 1).await;
    let trusted = Shop::new(&app, "Traditional", json!({ "trustForwardedFor": true })).await;
    let untrusted = Shop::new(&app, "Traditional", json!({})).await;
    let public = Shop::new(&app, "SPA", json!({ "trustForwardedFor": true })).await;
    let mut count = 0;
    let mut start = async |shop: &Shop<'_>, from: Option<&str>| {
        count += 1;
        let body = json!({ "connection": "email", "email": format!("n{count}@example.com"), "send": "code" });
        let mut request = shop.request("/passwordless/start", body);
        if let Some(from) = from {
            request = request.header("auth0-forwarded-for", from);
        }
        Answer::of(request).await.status
    };
    assert_eq!(start(&trusted, Some("203.0.113.1")).await, 200);
    assert_eq!(start(&trusted, Some("203.0.113.1")).await, 429);
    assert_eq!(start(&trusted, Some("203.0.113.2")).await, 200);
    // Without an address, or without the switch, an application that showed its secret is not counted.
    for shop in [&trusted, &untrusted] {
        for from in [None, Some("nonsense")] {
            assert_eq!([start(shop, from).await, start(shop, from).await], [200, 200]);
        }
    }
    assert_eq!(
        [start(&untrusted, Some("203.0.113.2")).await, start(&untrusted, Some("203.0.113.2")).await],
        [200, 200]
    );
    // A public application speaks for nobody.
    assert_eq!(start(&public, Some("203.0.113.3")).await, 200);
    assert_eq!(start(&public, Some("203.0.113.4")).await, 429);
    let told = "select count(*) from audit_events where type = 'sign_in.code_sent' and ip like '203.0.113.%'";
    assert_eq!(app.number(told).await, 2);
}

#[tokio::test]
async fn wrong_codes_across_codes_stop_the_client_and_nobody_else() {
    let app = TestApp::start_with(behind).await;
    let shop = Shop::public(&app).await;
    let to = "ada@example.com";
    let redeem = async |from: &str, code: &str| Answer::of(shop.grant(to, code).header("x-forwarded-for", from)).await;
    let mut code = shop.code(to).await;
    for wrong in 1..=10 {
        assert_eq!(redeem("203.0.113.9", other_than(&code)).await.status, 403, "{wrong}");
        if wrong % 3 == 0 {
            app.advance(31);
            shop.start(to).await.expect("200");
            code = super::code_of(&messages_to(&app, to, wrong / 3 + 1).await[0]);
        }
    }
    let answer = redeem("203.0.113.9", &code).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (429, Some("too_many_attempts")));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() <= 360);
    assert_eq!(app.number("select count(*) from audit_events where type = 'sign_in.locked'").await, 1);
    // Held codes are for their holder alone, wherever that is.
    let body = json!({ "connection": "email", "email": to });
    let held = shop.post("/otp/challenge", body).await.expect("200").json()["auth_session"].clone();
    let held_code = super::code_of(&messages_to(&app, to, 5).await[0]);
    let body = json!({ "grant_type": super::OTP, "auth_session": held, "otp": held_code });
    let request = shop.request("/oauth/token", body).header("x-forwarded-for", "203.0.113.9");
    Answer::of(request).await.expect("200");
    // The owner elsewhere goes on.
    redeem("198.51.100.7", &code).await.expect("200");
}

#[tokio::test]
async fn wrong_codes_from_everywhere_stop_all_for_this_address_and_no_other() {
    let app = TestApp::start_with(behind).await;
    let shop = Shop::public(&app).await;
    let (to, other) = ("ada@example.com", "bob@example.com");
    let redeem = async |from: u32, to: &str, code: &str| {
        Answer::of(shop.grant(to, code).header("x-forwarded-for", format!("203.0.113.{from}"))).await
    };
    let code = shop.code(to).await;
    let bobs = shop.code(other).await;
    for at in 0..30 {
        assert_eq!(redeem(at / 10, to, other_than(&code)).await.status, 403, "{at}");
    }
    let answer = redeem(9, to, &code).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (429, Some("too_many_attempts")));
    redeem(9, other, &bobs).await.expect("200");
    app.advance(121);
    assert_eq!(redeem(9, to, other_than(&code)).await.status, 403);
    assert_eq!(redeem(9, to, other_than(&code)).await.status, 429);
}

#[tokio::test]
async fn a_right_code_is_no_failure() {
    let app = TestApp::start_with(|config| config.limits.send_gap_seconds = 0).await;
    let shop = Shop::public(&app).await;
    for round in 0..12 {
        let to = "ada@example.com";
        shop.start(to).await.expect("200");
        let code = super::code_of(&messages_to(&app, to, round + 1).await[0]);
        assert_eq!(shop.redeem(to, &code).await.status, 200, "{round}");
        app.advance(61);
    }
    assert_eq!(told(&shop.redeem("ada@example.com", "000000").await), super::WRONG);
}
