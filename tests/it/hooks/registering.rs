//! Hooks as operators see them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Receiver, allow_loopback, assert_signed, body, change, create_user, register, settle, started};
use crate::harness::{TestApp, stand_in::Answer};

#[tokio::test]
async fn a_hook_is_registered_shown_changed_and_deleted() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let config = json!({ "url": "https://example.com/in?token=hush", "headers": { "Authorization": "Bearer hush" }, "retries": 1 });
    let new = json!({ "name": "CRM", "events": ["User.Created", "User.Deleted", "User.Created"], "config": config });
    let answer = manager.post("/api/hooks", new).await.expect("201");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let made = answer.json();
    let key = made["signingKey"].as_str().unwrap();
    assert!(key.starts_with("whsec_") && key.len() == 50, "{key}");
    assert_eq!(
        made,
        json!({
            "tenantId": "default", "id": made["id"], "name": "CRM", "event": null, "events": ["User.Created", "User.Deleted"],
            "config": config, "signingKey": key, "enabled": true, "createdAt": app.now().0,
        })
    );
    let path = format!("/api/hooks/{}", made["id"].as_str().unwrap());
    assert_eq!(manager.get(&path).await.expect("200").json(), made);
    let bare = json!({ "events": ["User.Deleted"], "config": { "url": "http://example.com" }, "enabled": false });
    let other = manager.post("/api/hooks", bare).await.expect("201").json();
    assert_eq!((&other["name"], &other["enabled"]), (&json!(""), &json!(false)));
    let list = manager.get("/api/hooks?page=2&page_size=1").await.expect("200");
    assert_eq!((list.header("total-number"), list.json().as_array().unwrap().len()), (Some("2"), 1));

    let config = json!({ "url": "https://example.org/" });
    let changed = manager.patch(&path, json!({ "config": config, "enabled": false })).await.expect("200").json();
    assert_eq!((&changed["config"], &changed["enabled"], &changed["name"]), (&config, &json!(false), &json!("CRM")));
    assert_eq!(changed["signingKey"], made["signingKey"]);
    let renewed = manager.call(Method::PATCH, &format!("{path}/signing-key"), None).await.expect("200").json();
    assert_ne!(renewed["signingKey"], made["signingKey"]);
    assert_eq!(manager.get(&path).await.expect("200").json(), renewed);
    manager.delete(&path).await.expect("204");
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("PATCH", format!("{path}/signing-key"))] {
        manager.call(method.parse().unwrap(), &path, None).await.expect("404 entity.not_found");
    }
    manager.patch(&path, json!({ "enabled": true })).await.expect("404 entity.not_found");
    let trial = json!({ "events": ["User.Created"], "config": config });
    manager.post(&format!("{path}/test"), trial).await.expect("404 entity.not_found");
    let events = manager.get("/api/audit-events?page_size=100").await.expect("200");
    for kind in ["hook.created", "hook.updated", "hook.signing_key.updated", "hook.deleted"] {
        assert!(events.text.contains(kind), "{kind}");
    }
    assert!(!events.text.contains("hush") && !events.text.contains("whsec_"));
}

#[tokio::test]
async fn what_may_be_secret_is_sealed_and_survives_a_change_of_master_keys() {
    use countersign::{
        crypto::{master_key::MasterKey, sealer::Sealer},
        jobs::resealing::reseal,
    };
    let (old, new) = (|| MasterKey::from_bytes([7; 32]), || MasterKey::from_bytes([8; 32]));
    let app = TestApp::start().await;
    let hook = register(&app, "https://example.com/hush", &["User.Created"]).await;
    let rows = "select config, signing_key from hooks";
    let sealed: (Vec<u8>, Vec<u8>) = app.app().db.read().await.unwrap().fetch_one(rows, ()).await.unwrap();
    for (column, plain) in [(&sealed.0, "hush"), (&sealed.1, "whsec_")] {
        assert!(!column.windows(plain.len()).any(|window| window == plain.as_bytes()));
    }
    reseal(app.app(), &Sealer::new(&new(), &[old()]).unwrap()).await.unwrap();
    let second = app.second_node_with(|options| options.master_key = Some(new())).await;
    let path = format!("/api/hooks/{}", hook["id"].as_str().unwrap());
    assert_eq!(second.manager().await.get(&path).await.expect("200").json(), hook);
}

#[tokio::test]
async fn hooks_that_do_not_fit_are_refused() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let hook = register(&app, "https://example.com/", &["User.Created"]).await;
    let path = format!("/api/hooks/{}", hook["id"].as_str().unwrap());
    let url = json!({ "url": "https://example.com/" });
    manager.post("/api/hooks", json!({ "config": url })).await.expect("400 hook.missing_events");
    for wrong in [
        json!({ "events": ["User.Created"] }),
        json!({ "events": [], "config": url }),
        json!({ "events": ["User.Renamed"], "config": url }),
        json!({ "events": "User.Created", "config": url }),
        json!({ "events": ["User.Created"], "config": url, "name": "" }),
        json!({ "events": ["User.Created"], "config": url, "name": "a".repeat(257) }),
        json!({ "events": ["User.Created"], "config": url, "enabled": null }),
        json!({ "events": ["User.Created"], "config": { "url": "javascript:alert(1)" } }),
        json!({ "events": ["User.Created"], "config": { "url": "https://" } }),
        json!({ "events": ["User.Created"], "config": { "url": "https://example.com", "retries": 4 } }),
        json!({ "events": ["User.Created"], "config": { "url": "https://example.com", "headers": { "webhook-id": "x" } } }),
    ] {
        manager.post("/api/hooks", wrong.clone()).await.expect("400 guard.invalid_input");
        if wrong.get("events").is_some() && wrong.get("config").is_some() {
            manager.patch(&path, wrong).await.expect("400 guard.invalid_input");
        }
    }
    for private in
        ["http://127.0.0.1:1/", "http://[::1]/", "http://169.254.169.254/", "http://0x7f.1/", "https://10.0.0.1"]
    {
        let body = json!({ "events": ["User.Created"], "config": { "url": private } });
        manager.post("/api/hooks", body.clone()).await.expect("422 hook.address_not_allowed");
        manager.patch(&path, body.clone()).await.expect("422 hook.address_not_allowed");
        manager.post(&format!("{path}/test"), body).await.expect("422 hook.address_not_allowed");
    }
    assert_eq!(manager.get(&path).await.expect("200").json(), hook);
}

#[tokio::test]
async fn a_test_delivers_samples_and_tells_what_was_answered() {
    let app = started().await;
    let manager = app.manager().await;
    let hook = register(&app, "https://example.com/", &["User.Created"]).await;
    let path = format!("/api/hooks/{}/test", hook["id"].as_str().unwrap());
    let test = async |url: &str, events: &[&str]| {
        manager.post(&path, json!({ "events": events, "config": { "url": url } })).await
    };
    let receiver = Receiver::answering([]);
    let all: Vec<_> = countersign::domain::hook::HookEvent::ALL.iter().map(|event| event.name()).collect();
    test(&receiver.base, &all).await.expect("204");
    let seen = receiver.wait(all.len()).await;
    for (request, event) in seen.iter().zip(&all) {
        assert_signed(request, hook["signingKey"].as_str().unwrap());
        assert_eq!((&body(request)["event"], &body(request)["hookId"]), (&json!(event), &hook["id"]));
    }

    let failing = Receiver::answering([Answer::new(503, "come back later")]);
    let answer = test(&failing.base, &["User.Created", "User.Deleted"]).await;
    let answer = answer.expect("422 hook.endpoint_responded_with_error").json();
    assert_eq!(answer["data"], json!({ "responseStatus": 503, "responseBody": "come back later" }));
    failing.wait(1).await;
    test("http://127.0.0.1:1/", &["User.Created"]).await.expect("422 hook.send_test_payload_failed");
    assert_eq!(app.number("select count(*) from audit_events where type = 'hook.tested'").await, 3);
    assert_eq!(app.number("select count(*) from outbox").await, 0, "nothing of it is tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_heeds_a_change_with_the_next_event() {
    let app = started().await;
    let second = app.second_node_as(allow_loopback, |_| {}).await;
    let receiver = Receiver::start();
    create_user(&second, "nobody_is_told").await;
    let hook = register(&app, &receiver.base, &["User.Created"]).await;
    create_user(&second, "one").await;
    receiver.wait(1).await;
    change(&app, &hook, json!({ "events": ["User.Deleted"] })).await;
    create_user(&second, "two").await;
    change(&second, &hook, json!({ "events": ["User.Created"], "enabled": false })).await;
    create_user(&app, "three").await;
    change(&second, &hook, json!({ "enabled": true })).await;
    create_user(&app, "four").await;
    let seen = receiver.wait(2).await;
    let names: Vec<Value> = seen.iter().map(|request| body(request)["data"]["username"].clone()).collect();
    assert_eq!(names, ["one", "four"]);
    app.manager().await.delete(&format!("/api/hooks/{}", hook["id"].as_str().unwrap())).await.expect("204");
    create_user(&second, "five").await;
    assert_eq!(app.number(super::STORED).await, 2, "what nobody asked for is not even stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_hook_that_is_disabled_or_gone_is_given_up() {
    let app = started().await;
    let receiver = Receiver::answering([Answer::new(500, ""), Answer::new(500, "")]);
    let hook = register(&app, &receiver.base, &["User.Created"]).await;
    create_user(&app, "one").await;
    receiver.wait(1).await;
    settle(&[&app], "select max(failures) from outbox where kind = 'hook'", 1).await;
    change(&app, &hook, json!({ "enabled": false })).await;
    app.advance(5);
    settle(&[&app], super::GIVEN_UP, 1).await;
    assert_eq!(super::given_up(&app).await, ("hook_disabled".to_owned(), 2));
    change(&app, &hook, json!({ "enabled": true })).await;
    create_user(&app, "two").await;
    receiver.wait(2).await;
    settle(&[&app], "select count(*) from outbox where kind = 'hook' and failures = 1", 2).await;
    app.manager().await.delete(&format!("/api/hooks/{}", hook["id"].as_str().unwrap())).await.expect("204");
    app.advance(5);
    settle(&[&app], super::GIVEN_UP, 2).await;
    assert_eq!(super::given_up(&app).await, ("hook_deleted".to_owned(), 2));
    receiver.wait(2).await;
}
