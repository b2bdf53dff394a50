//! Codes with a holder: ten wrong ones of an address in any hour, and nobody is locked out.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{OTP, Shop, code_of, messages_to};
use crate::harness::{Answer, TestApp};

const TO: &str = "ada@example.com";
const GUARDED: &str = "select count(*) from audit_events where type = 'sign_in.guarded'";

fn free(config: &mut countersign::config::Config) {
    config.limits.sends_per_recipient = 1000;
    config.sign_in.starts_per_hour = 0;
}

/// A code and who may use it.
struct Held {
    session: Value,
    code: String,
}

async fn challenge(shop: &Shop<'_>) -> Held {
    let sent = shop.app.mailbox.messages().into_iter().filter(|message| message.to == TO).count();
    let body = json!({ "connection": "email", "email": TO });
    let session = shop.post("/otp/challenge", body).await.expect("200").json()["auth_session"].clone();
    Held { session, code: code_of(&messages_to(shop.app, TO, sent + 1).await[0]) }
}

async fn show(shop: &Shop<'_>, held: &Held, code: &str) -> Answer {
    shop.post("/oauth/token", json!({ "grant_type": OTP, "auth_session": held.session, "otp": code })).await
}

/// A code as long as this one that is another.
fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { '1' } else { '0' };
    format!("{first}{}", &code[1..])
}

/// Shows as many wrong codes as are judged.
async fn use_up(shop: &Shop<'_>, held: &Held) {
    for _ in 0..3 {
        show(shop, held, &wrong(&held.code)).await.expect("400 oidc.invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_burst_of_challenges_three_get_short_codes_and_every_owner_gets_in() {
    for _ in 0..3 {
        let app = TestApp::start_with(free).await;
        let second = app.second_node_as(free, |_| {}).await;
        let shop = Shop::public(&app).await;
        let there = shop.on(&second);
        let body = json!({ "connection": "email", "email": TO });
        let asked = (0..8).map(|at| (if at % 2 == 0 { &shop } else { &there }).post("/otp/challenge", body.clone()));
        let answers = join_all(asked).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:#?}");
        let codes: Vec<String> = messages_to(&app, TO, 8).await.iter().map(code_of).collect();
        let (short, long): (Vec<_>, Vec<_>) = codes.iter().partition(|code| code.len() == 6);
        assert_eq!((short.len(), long.len()), (3, 5), "{codes:?}");
        assert!(long.iter().all(|code| code.len() == 12), "{codes:?}");
        // Ten times each, all at once: what is judged is counted, and nothing else is.
        let guesses = answers.iter().flat_map(|answer| {
            let session = answer.json()["auth_session"].clone();
            let body = json!({ "grant_type": OTP, "auth_session": session, "otp": "999999" });
            (0..10).map(move |at| (at, body.clone()))
        });
        let guesses = guesses.map(|(at, body)| {
            let shop = if at % 2 == 0 { &shop } else { &there };
            async move { shop.post("/oauth/token", body).await }
        });
        join_all(guesses).await;
        assert_eq!(app.number("select count(*) from code_failures").await, 9);
        assert_eq!(app.number(GUARDED).await, 1);
        let held = challenge(&shop).await;
        assert_eq!(held.code.len(), 12);
        show(&there, &held, &held.code).await.expect("200");
    }
}

#[tokio::test]
async fn ten_wrong_codes_an_hour_then_long_ones_for_longer_each_time() {
    const STEP: u64 = 15;
    let app = TestApp::start_with(free).await;
    let shop = Shop::public(&app).await;
    // Somebody who never gives up: asks for a code each quarter of an hour, and shows wrong ones as long as it is short.
    let (mut minute, mut short) = (0, Vec::new());
    while minute < 3700 {
        let answer = shop.post("/otp/challenge", json!({ "connection": "email", "email": TO })).await.expect("200");
        let held = Held { session: answer.json()["auth_session"].clone(), code: String::new() };
        let is_short = app.number("select count(*) from sign_in_codes where not is_long and guesses = 0").await == 1;
        if is_short {
            for _ in 0..3 {
                show(&shop, &held, "999999").await.expect("400 oidc.invalid_request");
            }
            short.push(minute);
        }
        app.advance(STEP * 60);
        minute += STEP;
    }
    assert_eq!(app.number("select failures_in_a_row from code_guards").await, 3 * i64::try_from(short.len()).unwrap());
    let in_an_hour = |at: u64| short.iter().filter(|other| (at..at + 60).contains(*other)).count();
    assert_eq!(short.iter().map(|at| in_an_hour(*at)).max(), Some(3), "{short:?}");
    // First the hour is over before the guard is; then the guard is twice as long each time, up to a day.
    let pauses = short.windows(2).map(|pair| pair[1] - pair[0]).filter(|pause| *pause > STEP);
    assert_eq!(pauses.collect::<Vec<_>>(), [30, 30, 60, 120, 240, 480, 960, 1440], "{short:?}");
}

#[tokio::test]
async fn a_stranger_who_guesses_does_not_touch_what_the_owner_holds() {
    let app = TestApp::start_with(free).await;
    let shop = Shop::public(&app).await;
    let owner = challenge(&shop).await;
    for _ in 0..3 {
        let stranger = challenge(&shop).await;
        use_up(&shop, &stranger).await;
    }
    assert_eq!(challenge(&shop).await.code.len(), 12);
    // The owner has typed it wrong twice, too.
    for _ in 0..2 {
        show(&shop, &owner, &wrong(&owner.code)).await.expect("400 oidc.invalid_request");
    }
    show(&shop, &owner, &owner.code).await.expect("200");
    assert!(app.number("select count(*) from code_failures").await <= 10);
    // The owner has proved the address, but what went wrong within the hour still counts.
    assert_eq!(app.number("select count(*) from code_guards where guarded_until > 0 or guards > 0").await, 0);
    assert_eq!(challenge(&shop).await.code.len(), 12);
    app.advance(3601);
    assert_eq!(challenge(&shop).await.code.len(), 6);
}

#[tokio::test]
async fn after_a_hundred_in_a_row_codes_are_long_until_the_address_is_proved() {
    let app = TestApp::start_with(free).await;
    let shop = Shop::public(&app).await;
    use_up(&shop, &challenge(&shop).await).await;
    let mut session = app.write().await;
    session.execute("update code_guards set failures_in_a_row = 99", ()).await.unwrap();
    session.commit().await.unwrap();
    app.advance(24 * 3600);
    let held = challenge(&shop).await;
    assert_eq!(held.code.len(), 6);
    show(&shop, &held, &wrong(&held.code)).await.expect("400 oidc.invalid_request");
    app.advance(24 * 3600);
    let held = challenge(&shop).await;
    assert_eq!(held.code.len(), 12);
    show(&shop, &held, &held.code).await.expect("200");
    app.advance(61);
    assert_eq!(challenge(&shop).await.code.len(), 6);
}

#[tokio::test]
async fn the_length_of_a_code_tells_nothing_of_an_account() {
    let app = TestApp::start_with(|config| {
        free(config);
        config.sign_in.email.sign_up = false;
    })
    .await;
    let shop = Shop::public(&app).await;
    app.user().await;
    // Nothing is sent to an unknown address, and what is not sent is as long.
    for _ in 0..5 {
        shop.post("/otp/challenge", json!({ "connection": "email", "email": TO })).await.expect("200");
    }
    assert_eq!(app.number("select count(*) from sign_in_codes where is_long").await, 2);
    assert_eq!(app.mailbox.messages().len(), 0);
}
