//! Two nodes, one chain; what is too old goes the honest way.

use countersign::{
    audit::{
        chain,
        export::{self, Range},
        sweep,
        verify::{self, Report},
    },
    storage::{audit, audit_chain},
};
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::TestApp;

async fn exported(app: &TestApp) -> Report {
    let mut file = Vec::new();
    export::export(app.app(), Range::default(), &mut file).await.unwrap();
    verify::verify(&mut file.as_slice(), None).unwrap_or_else(|problem| panic!("{problem}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_writing_at_once_keep_one_chain_without_gaps() {
    let app = TestApp::start_with(|config| config.audit.checkpoint_events = 7).await;
    let second = app.second_node().await;
    let users = join_all((0..6).map(|_| app.user())).await;
    let there: Vec<_> = users.iter().map(|user| user.on(&second)).collect();
    let work = users.iter().chain(&there).map(async |user| {
        for number in 0..10 {
            user.patch("/api/my-account", json!({ "name": format!("name {number}") })).await.expect("200");
        }
    });
    // Beside the nodes' own jobs, many more that chain at the same moments.
    let chaining = (0..8).map(async |number| {
        let node = if number % 2 == 0 { &app } else { &second };
        for _ in 0..20 {
            chain::extend(node.app()).await.unwrap();
            chain::checkpoint(node.app(), false).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    tokio::join!(join_all(work), join_all(chaining));
    let report = exported(&second).await;
    assert_eq!(report.places, (1, 120));
    assert_eq!(app.number("select count(*) from audit_events where seq is null").await, 0);
    assert_eq!(app.number("select count(distinct seq) from audit_events").await, 120);
    assert!(app.number("select count(*) from audit_checkpoints").await > 1);
    assert_eq!(exported(&app).await.hash, report.hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_chain_and_sign_by_themselves() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.verify_password().await;
    for _ in 0..100 {
        if app.number("select checkpoint_seq from audit_chain").await == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the event was not chained and signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_commits_late_is_not_passed_over() {
    let app = TestApp::start().await;
    if app.database.url().starts_with("sqlite") {
        return; // One writer: nobody commits in between.
    }
    let user = app.user().await;
    let mut slow = app.write().await;
    let nothing = serde_json::Map::new();
    let event = |id| audit::Event {
        id,
        at: app.now(),
        kind: "account.updated",
        user: None,
        application: None,
        ip: None,
        request_id: None,
        data: &nothing,
    };
    audit::add(&mut slow, event("0-early-but-late")).await.unwrap();
    app.advance(5);
    user.verify_password().await;
    chain::catch_up(app.app()).await.unwrap();
    assert_eq!(app.number("select seq from audit_chain").await, 1);
    slow.commit().await.unwrap();
    assert_eq!(exported(&app).await.places, (1, 2));
    assert_eq!(app.number("select seq from audit_events where id = '0-early-but-late'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_goes_below_a_checkpoint_and_the_rest_can_be_checked() {
    let app = TestApp::start_with(|config| config.audit.retention_days = Some(1)).await;
    let user = app.user().await;
    let rename = async |name: &str| {
        user.patch("/api/my-account", json!({ "name": name })).await.expect("200");
        chain::catch_up(app.app()).await.unwrap();
    };
    for name in ["a", "b", "c"] {
        rename(name).await;
        app.advance(600);
    }
    assert!(!sweep::sweep(app.app()).await.unwrap(), "nothing is old enough");
    app.advance(24 * 3600 - 1200);
    while sweep::sweep(app.app()).await.unwrap() {}
    // The first two are more than a day old.
    let left = "select min(seq) from audit_events where seq is not null";
    let through = audit_chain::head(&mut app.app().db.read().await.unwrap()).await.unwrap().swept_through;
    assert!(through == 1 || through == 2, "{through}");
    assert_eq!(app.number(left).await, through + 1);
    let report = exported(&app).await;
    assert_eq!(report.places, (through + 1, 4), "with the event that says so");
    assert_eq!(app.number("select count(*) from audit_events where type = 'audit.swept'").await, 1);
    assert_eq!(app.number("select min(seq) from audit_checkpoints").await, through);
}
