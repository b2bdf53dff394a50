//! The clock is wrong: what would be good again, or good for longer, is not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use countersign::{
    audit::chain,
    clock::{Clock, ManualClock},
    domain::time::Timestamp,
    server,
};
use serde_json::json;

use crate::harness::{Answer, START, TestApp};

const YEAR: u64 = 365 * 24 * 3600;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_under_a_clock_far_ahead_is_no_good_once_it_is_right() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.advance(YEAR);
    let later = user.with_token(user.new_token(&app.application, &["openid", "email", "profile"]).await);
    let by_password = later.verify_password().await;
    let by_code = later.verify_code("email", &user.new_email()).await;
    let sent = later.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    let manager = app.manager().await;
    let ticket = manager.post("/api/subject-tokens", json!({ "userId": user.id })).await.json();
    app.clock.set(START);

    // The token, too, is of another time.
    later.get("/api/my-account").await.expect("401 auth.unauthorized");
    let rename = json!({ "username": "renamed" });
    let denied = "401 verification_record.permission_denied";
    user.call("PATCH", "/api/my-account", &by_password, rename.clone()).await.expect(denied);
    user.try_code("email", &user.email, &sent, &code).await.expect("400 verification_record.not_found");
    let own = user.verify_password().await;
    let body = json!({ "email": user.new_email(), "newIdentifierVerificationRecordId": by_code });
    let bound = user.call("POST", "/api/my-account/primary-email", &own, body).await;
    bound.expect("400 verification_record.not_found");
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", ticket["subjectToken"].as_str().unwrap()),
        ("subject_token_type", "urn:logto:token-type:impersonation_token"),
    ];
    let request = app.http.post(app.url("/oidc/token")).form(&form);
    let exchanged = Answer::of(request.basic_auth(&app.application, Some(&app.management_secret))).await;
    assert_eq!((exchanged.status, &exchanged.json()["error"]), (400, &"invalid_grant".into()));
    user.call("PATCH", "/api/my-account", &own, rename).await.expect("200");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_and_gaps_outlive_a_clock_that_goes_back() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.advance(1000);
    let user = user.with_token(user.new_token(&app.application, &["openid", "email", "profile"]).await);
    user.send_code("email", &user.email).await.expect("201");
    for _ in 0..10 {
        user.try_password("wrong").await;
    }
    app.clock.set(Timestamp(START.0 + 998_000));
    user.try_password(&user.password).await.expect("400 session.verification_blocked_too_many_attempts");
    user.send_code("email", &user.email).await.expect("429 request.message_rate_limited");
}

/// A clock that may say that it is not to be believed.
struct Doubtful {
    clock: ManualClock,
    is_sound: AtomicBool,
}

impl Clock for Doubtful {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn is_sound(&self) -> bool {
        self.is_sound.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_stops_requests_and_jobs_until_it_is_right() {
    let clock = Arc::new(Doubtful { clock: ManualClock::new(START), is_sound: AtomicBool::new(true) });
    let given = clock.clone();
    let app = TestApp::start_with_clock(given).await;
    let user = app.user().await;
    let record = user.verify_password().await;
    clock.is_sound.store(false, Ordering::SeqCst);
    let unavailable = "503 request.service_unavailable";
    user.get("/api/my-account").await.expect(unavailable);
    user.try_password(&user.password).await.expect(unavailable);
    user.call("PATCH", "/api/my-account", &record, json!({ "username": "renamed" })).await.expect(unavailable);
    user.get("/readyz").await.expect(unavailable);
    user.get("/healthz").await.expect("200");
    // A message that waits would be given up as too old.
    let ids = crate::outbox::leave_waiting(&app, 1).await;
    clock.clock.advance(Duration::from_secs(YEAR));
    app.app().outbox.notify_waiters();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.number("select count(*) from outbox where given_up_at is not null").await, 0);
    clock.clock.set(Timestamp(START.0 + 60_000));
    clock.is_sound.store(true, Ordering::SeqCst);
    crate::outbox::settle_delivered(&app, &ids).await;
    user.call("PATCH", "/api/my-account", &record, json!({ "username": "renamed" })).await.expect("200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_does_not_start_at_a_time_its_database_has_seen_pass() {
    let app = TestApp::start().await;
    app.advance(3600);
    let user = app.user().await;
    let user = user.with_token(user.new_token(&app.application, &["openid"]).await);
    user.verify_password().await;
    let start = async |behind: i64, trusts_clock: bool| {
        let clock = Arc::new(ManualClock::new(Timestamp(app.now().0 - behind)));
        let (config, options) = app.like_this_one();
        server::start(config, server::Options { clock: Some(clock), trusts_clock, ..options }).await
    };
    let error = start(61_000, false).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("--trust-clock"), "{error}");
    start(60_000, false).await.unwrap().stop().await;
    start(61_000, true).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_off_by_a_clock_that_was_ahead_is_done_once_it_is_right() {
    let app = TestApp::start().await;
    app.advance(YEAR);
    // An event, for the audit log to sign.
    app.user().await.verify_password().await;
    let ids = crate::outbox::leave_waiting(&app, 1).await;
    let mut session = app.write().await;
    let (now, later) = (app.now(), app.now().plus(Duration::from_secs(600)));
    countersign::storage::chores::claim(&mut session, "sweeping", now, later).await.unwrap();
    session.commit().await.unwrap();
    chain::catch_up(app.app()).await.unwrap();
    app.clock.set(START);
    let (config, options) = app.like_this_one();
    let clock = Some(app.clock.clone() as Arc<dyn Clock>);
    let again = server::start(config, server::Options { clock, trusts_clock: true, ..options }).await.unwrap();
    crate::outbox::settle_delivered(&app, &ids).await;
    let due = "select count(*) from chores where name = 'sweeping' and next_at <= 1795176000000";
    assert_eq!(app.number(due).await, 1);
    app.user().await.verify_password().await;
    let checkpoints = app.number("select count(*) from audit_checkpoints").await;
    while chain::extend(app.app()).await.unwrap() != chain::Extended::By(0) {}
    chain::checkpoint(app.app(), false).await.unwrap();
    assert_eq!(app.number("select count(*) from audit_checkpoints").await, checkpoints + 1);
    again.stop().await;
}
