//! Webhooks on the command line: what commands change is told, and `doctor` knows who cannot be.

use countersign::{
    crypto::{master_key::MasterKey, sealer::Sealer},
    domain::id::HookId,
    hooks::config::{HookConfig, seal_config, seal_key},
    storage::{
        Db, PoolLimits,
        hooks::{self, StoredHook},
    },
};
use serde_json::json;

use super::Place;

async fn database(place: &Place) -> Db {
    let limits = PoolLimits::of(&countersign::config::DatabaseConfig::default(), 2);
    Db::connect(&format!("sqlite://{}", place.path("countersign.db").display()), limits).await.unwrap()
}

/// A hook that asks for new users, as the management API stores it.
async fn register(place: &Place, db: &Db, url: &str) {
    let sealer = Sealer::new(&MasterKey::read_file(&place.path("countersign.key")).unwrap(), &[]).unwrap();
    let config: HookConfig = serde_json::from_value(json!({ "url": url })).unwrap();
    let id = HookId(url.replace(|letter: char| !letter.is_ascii_alphanumeric(), "0"));
    let hook = StoredHook {
        config: seal_config(&sealer, &id, &config).unwrap(),
        signing_key: seal_key(&sealer, &id, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(),
        name: "x".to_owned(),
        events: "User.Created".to_owned(),
        enabled: true,
        created_at: countersign::domain::time::Timestamp(0),
        id,
    };
    let mut session = db.write().await.unwrap();
    hooks::lock(&mut session).await.unwrap();
    hooks::add(&mut session, &hook).await.unwrap();
    hooks::set_mark(&mut session, url).await.unwrap();
    session.commit().await.unwrap();
}

#[tokio::test]
async fn what_commands_change_is_told_and_never_sealed_under_a_key_that_is_thrown_away() {
    let place = Place::installed("smtp://127.0.0.1:9");
    let create = ["users", "create", "--username", "ada", "--config", "countersign.toml"];
    place.run(&["users", "list", "--config", "countersign.toml"]).succeeds();
    let db = database(&place).await;
    register(&place, &db, "http://192.0.2.1/").await;
    place.run(&create).succeeds();
    let waiting = async || {
        let mut session = db.read().await.unwrap();
        session.fetch_value::<i64>("select count(*) from outbox where kind = 'hook'", ()).await.unwrap()
    };
    assert_eq!(waiting().await, 1);
    let text = std::fs::read_to_string(place.path("countersign.toml")).unwrap();
    place.write("keyless.toml", &text.replace("master_key_file", "#"));
    let keyless = ["users", "create", "--username", "bob", "--config", "keyless.toml"];
    let ended = place.run(&keyless).fails();
    assert!(ended.err.contains("keys.master_key_file"), "{ended:?}");
    assert_eq!(waiting().await, 1);
}

#[tokio::test]
async fn doctor_finds_webhooks_that_may_not_be_reached() {
    let place = Place::installed("smtp://127.0.0.1:9");
    place.run(&["migrate", "--config", "countersign.toml"]).succeeds();
    let db = database(&place).await;
    for url in ["http://127.0.0.1:9/", "http://localhost:9/", "http://8.8.8.8/"] {
        register(&place, &db, url).await;
    }
    db.close().await;
    let findings = place.run(&["doctor", "--config", "countersign.toml", "--json"]).fails().json();
    let found =
        findings.as_array().unwrap().iter().filter(|finding| finding["what"].as_str().unwrap().starts_with("webhook "));
    let mut found: Vec<_> =
        found.map(|finding| (finding["ok"].as_bool().unwrap(), finding["text"].as_str().unwrap())).collect();
    found.sort_unstable();
    assert_eq!(found.len(), 3, "{findings}");
    assert!(
        found[0].1.starts_with("127.0.0.1 is not called") && found[1].1.starts_with("localhost is not called"),
        "{found:?}"
    );
    assert_eq!(found[2], (true, "it may be reached"));
}
