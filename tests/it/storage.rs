//! Starting on a database, alone and together.

use std::{sync::Arc, time::Duration};

use countersign::storage::{Db, PoolLimits};
use futures_util::future::join_all;

use crate::harness::{TestApp, TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_may_start_at_once_on_an_empty_database() {
    for _ in 0..3 {
        let database = Arc::new(TestDatabase::new().await);
        let starts = (0..5).map(|_| {
            let url = database.url();
            tokio::spawn(async move {
                let limits = PoolLimits {
                    connections: 2,
                    acquire_timeout: Duration::from_secs(20),
                    timeout: Duration::from_secs(20),
                };
                let db = Db::connect(&url, limits).await.unwrap();
                db.migrate().await.unwrap();
                assert!(db.is_migrated().await.unwrap());
                db.close().await;
            })
        });
        for start in join_all(starts).await {
            start.unwrap();
        }
    }
}

#[tokio::test]
async fn nodes_sign_with_one_key() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let keys = async |app: &TestApp| app.http.get(app.url("/oidc/jwks")).send().await.unwrap().text().await.unwrap();
    assert_eq!(keys(&app).await, keys(&second).await);
    let user = app.user().await;
    user.on(&second).get("/api/my-account").await.expect("200");
}

#[tokio::test]
async fn a_change_of_settings_counts_on_every_node_at_once() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let user = app.user().await;
    user.on(&second).get("/api/my-account").await.expect("200");
    app.change_settings(|settings| settings.account_center.enabled = false).await;
    user.on(&second).get("/api/my-account").await.expect("400 account_center.not_enabled");
}
