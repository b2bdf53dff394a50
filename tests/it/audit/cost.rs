//! What chaining costs. Not a test: `cargo test --release --test it audit::cost -- --ignored --nocapture`.

use std::time::Instant;

use countersign::{audit::chain, storage::audit};

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn events_and_their_places() {
    const EVENTS: i32 = 5000;
    let app = TestApp::start().await;
    let names: Vec<String> = (0..EVENTS).map(|number| format!("event-{number:06}")).collect();
    let start = Instant::now();
    for id in &names {
        let mut session = app.write().await;
        let event = audit::Event {
            id,
            at: app.now(),
            kind: "account.updated",
            user: None,
            application: Some(&app.application),
            ip: Some("192.0.2.1"),
            request_id: Some("0123456789abcdef"),
            data: Default::default(),
        };
        audit::add(&mut session, event).await.unwrap();
        session.commit().await.unwrap();
    }
    let written = start.elapsed();
    let already = app.number("select count(*) from audit_events where seq is not null").await;
    let start = Instant::now();
    chain::catch_up(app.app()).await.unwrap();
    let chained = start.elapsed();
    let left = f64::from(EVENTS) - f64::from(i32::try_from(already).unwrap());
    println!(
        "{}: an event written and committed alone: {:.0} us; its place beside it: {:.0} us ({already} had theirs already)",
        if app.database.url().starts_with("sqlite") { "SQLite" } else { "PostgreSQL" },
        written.as_secs_f64() * 1e6 / f64::from(EVENTS),
        chained.as_secs_f64() * 1e6 / left,
    );
}
