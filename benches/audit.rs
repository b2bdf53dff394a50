//! What the chain of the audit log costs.
//!
//!     cargo bench --bench audit                         on SQLite
//!     COUNTERSIGN_TEST_POSTGRES=postgres://... cargo bench --bench audit      on an empty PostgreSQL database of that URL
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for ourselves: it prints, and ends loudly")]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use countersign::{
    app::App,
    audit::{
        self, Actor,
        chain::{self, Extended},
    },
    config::Config,
    crypto::master_key::MasterKey,
    server::{self, Options},
};
use serde_json::json;

const EVENTS: u32 = 4000;

/// Microseconds for each of so many transactions, that write one event each, one after the other.
async fn write(app: &App) -> f64 {
    let start = Instant::now();
    for _ in 0..EVENTS {
        let mut session = app.db.write().await.unwrap();
        let nobody = Actor { user: None, application: None, client: None };
        audit::write(app, &mut session, "account.updated", nobody, json!({ "fields": ["name"] })).await.unwrap();
        session.commit().await.unwrap();
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS)
}

/// As the job does it.
async fn chain_until(app: &App, is_done: &AtomicBool) {
    while !is_done.load(Ordering::SeqCst) {
        let is_full = chain::extend(app).await.unwrap() == Extended::By(chain::BATCH.into());
        chain::checkpoint(app, false).await.unwrap();
        tokio::time::sleep(Duration::from_millis(if is_full { 20 } else { 1000 })).await;
    }
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.database.url = std::env::var("COUNTERSIGN_TEST_POSTGRES")
        .unwrap_or_else(|_| format!("sqlite://{}", folder.path().join("audit.db").display()));
    config.database.connections = 6;
    let mut options = Options { master_key: Some(MasterKey::from_bytes([7; 32])), ..Options::default() };
    // Without a server, so without its jobs.
    let app = server::build_app(config, "127.0.0.1:0".parse().unwrap(), &mut options).await.unwrap();
    write(&app).await;
    chain::catch_up(&app).await.unwrap();
    let alone = write(&app).await;
    let start = Instant::now();
    chain::catch_up(&app).await.unwrap();
    let place = start.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS);
    let is_done = AtomicBool::new(false);
    let (beside, ()) = tokio::join!(
        async {
            let beside = write(&app).await;
            is_done.store(true, Ordering::SeqCst);
            beside
        },
        chain_until(&app, &is_done),
    );
    println!(
        "{:?}: a transaction with one event {alone:.0} us, its place {place:.0} us; with the job beside {beside:.0} us ({:.2} times)",
        app.db.engine(),
        beside / alone,
    );
}
