//! Nobody can tell who has an account.

use countersign::storage::users;
use serde_json::json;

use super::{Shop, other_than, told};
use crate::harness::{Answer, TestApp};

/// An answer without what differs between any two.
fn masked(answer: &Answer, address: &str) -> (u16, Vec<String>, String) {
    let differing = ["date", "logto-core-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"];
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| {
            let value = value.to_str().unwrap();
            match name.as_str() {
                // Each is told their own address.
                "content-length" => {
                    let told = answer.text.matches(address).count() * address.len();
                    format!("{name}: {}", value.parse::<usize>().unwrap() - told)
                }
                name if differing.contains(&name) => format!("{name}: *"),
                name => format!("{name}: {value}"),
            }
        })
        .collect();
    headers.sort();
    let mut body = answer.text.replace(address, "*");
    if let Some(id) =
        serde_json::from_str::<serde_json::Value>(&body).ok().and_then(|body| body["_id"].as_str().map(str::to_owned))
    {
        body = body.replace(&id, "*");
    }
    (answer.status, headers, body)
}

/// Rows that a start leaves.
const ROWS: [&str; 5] = [
    "select count(*) from sign_in_codes",
    "select count(*) from outbox",
    "select count(*) from sends",
    "select cast(coalesce(sum(sent), 0) as bigint) from send_counters",
    "select count(*) from audit_events where type = 'sign_in.code_sent'",
];

#[tokio::test]
async fn known_unknown_and_suspended_addresses_are_answered_alike() {
    let app = TestApp::start_with(|config| config.sign_in.email.sign_up = false).await;
    let shop = Shop::public(&app).await;
    let (known, suspended) = (app.user().await, app.user().await);
    let mut session = app.write().await;
    users::set_suspended(&mut session, &suspended.id, true, app.now()).await.unwrap();
    session.commit().await.unwrap();
    let known = known.email.replace("Example", "example");
    let suspended = suspended.email.replace("Example", "example");
    let unknown = "User9@example.com";
    let mut seen = Vec::new();
    for address in [known.as_str(), unknown, &suspended] {
        let mut before = Vec::new();
        for sql in ROWS {
            before.push(app.number(sql).await);
        }
        let started = masked(&shop.start(address).await, address);
        let mut rows = Vec::new();
        for (sql, before) in ROWS.iter().zip(before) {
            rows.push(app.number(sql).await - before);
        }
        let wrong = masked(&shop.redeem(address, "12").await, address);
        let challenge = shop.post("/otp/challenge", json!({ "connection": "email", "email": address })).await;
        let held = challenge.json()["auth_session"].as_str().unwrap().to_owned();
        let challenge = masked(&challenge, &held);
        seen.push((started, wrong, challenge, rows));
    }
    assert_eq!(seen[0].0.0, 200);
    assert_eq!(seen[1], seen[0]);
    assert_eq!(seen[2], seen[0]);
    super::messages_to(&app, &known, 2).await;
    assert_eq!(app.mailbox.messages().len(), 2, "only those who may sign in get something");
    assert_eq!(app.number("select count(*) from outbox where given_up_at is not null and length(sealed) = 0").await, 4);
}

#[tokio::test]
async fn the_right_code_is_worth_nothing_where_nobody_may_sign_in() {
    let app = TestApp::start_with(|config| config.sign_in.email.sign_up = false).await;
    let shop = Shop::public(&app).await;
    shop.start("ada@example.com").await.expect("200");
    let sql = "select id from sign_in_codes";
    let (id,): (String,) = app.app().db.read().await.unwrap().fetch_one(sql, ()).await.unwrap();
    let code = app.app().sign_in_codes.code(&id, 6);
    assert_eq!(told(&shop.redeem("ada@example.com", other_than(&code)).await), super::WRONG);
    assert_eq!(told(&shop.redeem("ada@example.com", &code).await), super::WRONG);
    assert_eq!(app.number("select count(*) from users").await, 0);
    // Suspended between the message and the code.
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let user = app.user().await;
    let to = user.email.replace("Example", "example");
    let code = shop.code(&to).await;
    let mut session = app.write().await;
    users::set_suspended(&mut session, &user.id, true, app.now()).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(told(&shop.redeem(&to, &code).await), super::WRONG);
    assert_eq!(
        app.number("select count(*) from sessions where application_id is not null and auth_time is not null").await,
        0
    );
}
