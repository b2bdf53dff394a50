//! What messages may cost (D14): caps for a client address and for all, countries and daily budgets for text messages.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Answer, TestApp, User};

const REFUSED: &str = "429 request.message_rate_limited";

/// A number in the country of a calling code, in which nobody is.
fn number(code: &str, number: usize) -> String {
    format!("{code}{:08}", 91_000_000 + number)
}

async fn send_behind(user: &User<'_>, client: &str, to: &str) -> Answer {
    let body = json!({ "identifier": { "type": "email", "value": to } });
    let request = user.request(reqwest::Method::POST, "/api/verifications/verification-code").json(&body);
    Answer::of(request.header("x-forwarded-for", client)).await
}

#[tokio::test]
async fn a_client_address_may_cause_so_many_messages_in_an_hour() {
    let app = TestApp::start_with(|config| {
        config.limits.sends_per_client = 3;
        config.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let (one, two) = (app.user().await, app.user().await);
    let to = |number: usize| format!("somebody-{number}@example.org");
    // Of IPv6 the network counts; whatever stands in front of what the proxy wrote does not.
    for (at, user) in [&one, &two, &one].into_iter().enumerate() {
        send_behind(user, &format!("1.2.3.{at}, 2001:db8::{at}"), &to(at)).await.expect("201");
    }
    app.advance(20 * 60);
    let answer = send_behind(&two, "2001:db8::ffff", &to(4)).await.expect(REFUSED);
    assert_eq!(answer.header("retry-after"), Some("2400"));
    assert_eq!(app.number("select count(*) from verification_records").await, 3);
    send_behind(&two, "2001:db8:0:1::1", &to(5)).await.expect("201");
    send_behind(&two, "203.0.113.9", &to(6)).await.expect("201");
    app.advance(40 * 60);
    send_behind(&one, "2001:db8::1", &to(7)).await.expect("201");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_of_all_holds_over_two_nodes_whoever_sends() {
    for round in 0..5 {
        let change = |config: &mut countersign::config::Config| {
            // The row of the one address they all come from would make them take turns.
            config.limits.sends_per_client = 0;
            config.limits.sends_in_all = 7;
        };
        let app = TestApp::start_with(change).await;
        let second = app.second_node_as(change, |_| {}).await;
        let mut users = Vec::new();
        for _ in 0..8 {
            users.push(app.user().await);
        }
        let there: Vec<User<'_>> = users.iter().map(|user| user.on(&second)).collect();
        let sends = users.iter().zip(&there).enumerate().flat_map(|(at, (here, there))| {
            let (first, other) = (format!("a-{at}@example.org"), format!("b-{at}@example.org"));
            [(here, first), (there, other)]
        });
        let answers = join_all(sends.map(async |(user, to)| user.send_code("email", &to).await)).await;
        let sent = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(sent, 7, "round {round}");
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.gist() == REFUSED), "{answers:?}");
        assert_eq!(app.mailbox.messages().len(), 7);
        assert_eq!(app.number("select sent from send_counters where subject = 'all'").await, 7);
        assert_eq!(app.number("select count(*) from outbox").await, 7, "a refused message leaves nothing");
        assert_eq!(app.number("select count(*) from sends").await, 7);
        app.advance(3600);
        users[0].send_code("email", "later@example.org").await.expect("201");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daily_budget_of_text_messages_holds_over_two_nodes() {
    let change = |config: &mut countersign::config::Config| {
        config.limits.sends_per_client = 0;
        config.sms.daily_budget = 6;
        config.sms.daily_budget_per_calling_code = 4;
    };
    let app = TestApp::start_with(change).await;
    let second = app.second_node_as(change, |_| {}).await;
    let mut users = Vec::new();
    for _ in 0..5 {
        users.push(app.user().await);
    }
    let there: Vec<User<'_>> = users.iter().map(|user| user.on(&second)).collect();
    let burst = async |code: &str| {
        let pairs = users.iter().zip(&there).enumerate();
        let sends = pairs.flat_map(|(at, (here, there))| [(here, number(code, at)), (there, number(code, at + 50))]);
        let answers = join_all(sends.map(async |(user, to)| user.send_code("phone", &to).await)).await;
        answers.iter().filter(|answer| answer.status == 201).count()
    };
    assert_eq!(burst("44").await, 4, "one country's budget");
    assert_eq!(burst("81").await, 2, "what is left of all");
    let user = &users[0];
    let answer = user.send_code("phone", &number("49", 1)).await.expect(REFUSED);
    assert_eq!(answer.header("retry-after"), Some("43200"), "until midnight, from noon");
    assert_eq!(app.number("select cast(sum(sent) as bigint) from send_counters where subject like 'sms %'").await, 6);
    // Mail has no daily budget.
    user.send_code("email", &user.email).await.expect("201");
    app.advance(43_200);
    app.user().await.send_code("phone", &number("44", 99)).await.expect("201");
}

#[tokio::test]
async fn text_messages_go_to_the_countries_that_are_served() {
    let refused = "422 request.message_country_not_served";
    let app = TestApp::start_with(|config| config.limits.send_gap_seconds = 0).await;
    let user = app.user().await;
    for code in ["44", "81", "1", "850"] {
        user.send_code("phone", &number(code, 1)).await.expect("201");
    }
    for code in ["979", "881", "882", "870", "800"] {
        user.send_code("phone", &number(code, 1)).await.expect(refused);
    }
    let app = TestApp::start_with(|config| config.sms.allowed_calling_codes = vec!["81".into(), "4474".into()]).await;
    let user = app.user().await;
    user.send_code("phone", &number("81", 1)).await.expect("201");
    user.send_code("phone", "447400123456").await.expect("201");
    user.send_code("phone", "4407400123457").await.expect("201");
    user.send_code("phone", "447500123456").await.expect(refused);
    // Not even to a number that is somebody's own.
    user.send_code("phone", &user.phone).await.expect(refused);
    assert_eq!(app.number("select count(*) from verification_records").await, 3);
    assert_eq!(app.mailbox.messages().len(), 3);
}

#[tokio::test]
async fn a_message_no_channel_took_is_taken_back_from_every_budget() {
    let app = TestApp::start_with_channels(|config| {
        config.sms.account_sid = Some("AC1".into());
        config.sms.auth_token = Some("secret".to_owned().into());
        config.sms.from = Some("+15005550006".into());
        // Nobody listens there.
        config.sms.twilio_url = Some("http://127.0.0.1:1".into());
        config.sms.daily_budget = 1;
    })
    .await;
    let user = app.user().await;
    for _ in 0..3 {
        user.send_code("phone", &number("44", 1)).await.expect("400 connector.general");
    }
    assert_eq!(app.number("select count(*) from send_counters").await, 4);
    assert_eq!(app.number("select cast(sum(sent) as bigint) from send_counters").await, 0);
}

#[tokio::test]
async fn notices_by_text_message_end_with_the_budget_and_refuse_nothing() {
    let app = TestApp::start_with(|config| config.limits.sends_per_user = 2).await;
    let user = app.user().await;
    let mut session = app.write().await;
    countersign::storage::users::set_email(&mut session, &user.id, None, None, app.now()).await.unwrap();
    session.commit().await.unwrap();
    let mut password = user.password.clone();
    for number in 0..4 {
        let record = user.try_password(&password).await.expect("201").record();
        password = format!("another good passphrase {number}");
        let body = json!({ "password": password });
        user.call("POST", "/api/my-account/password", &record, body).await.expect("204");
    }
    assert_eq!(app.number("select count(*) from outbox").await, 2);
    app.advance(3600);
    let record = user.try_password(&password).await.expect("201").record();
    let body = json!({ "password": "the last of these passphrases" });
    user.call("POST", "/api/my-account/password", &record, body).await.expect("204");
    assert_eq!(app.number("select count(*) from outbox").await, 3);
}

#[tokio::test]
async fn windows_that_are_over_are_swept() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.send_code("phone", &user.phone).await.expect("201");
    let windows = "select count(*) from send_counters";
    assert_eq!(app.number(windows).await, 4);
    app.advance(49 * 3600);
    let user = app.user().await;
    user.send_code("email", &user.email).await.expect("201");
    countersign::jobs::sweeping::sweep(app.app()).await.unwrap();
    // An hour of the client's and one of all, over; the day of text messages is kept a while longer, as what is new is.
    assert_eq!(app.number(windows).await, 4);
    app.advance(48 * 3600);
    countersign::jobs::sweeping::sweep(app.app()).await.unwrap();
    assert_eq!(app.number(windows).await, 2);
}
