//! Deliveries: what they carry, and that they come.

use std::time::Duration;

use serde_json::json;

use super::{
    DELIVERED, GIVEN_UP, LEASE, Receiver, STORED, allow_loopback, assert_signed, body, change, create_user, given_up,
    register, settle, started,
};
use crate::harness::{TestApp, stand_in::Answer};

fn failing(times: usize) -> impl Iterator<Item = Answer> {
    (0..times).map(|_| Answer::new(500, "not now"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_carries_both_signatures_over_the_very_bytes() {
    let app = started().await;
    let receiver = Receiver::start();
    let hook = register(&app, &format!("{}/in", receiver.base), &["User.Created"]).await;
    let headers = json!({ "Authorization": "Bearer mine", "User-Agent": "mine" });
    let user = create_user(&app, "first").await;
    let seen = receiver.wait(1).await.remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/in"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("user-agent"), Some("Logto (https://logto.io/)"));
    assert_eq!(seen.header("webhook-timestamp"), Some((app.now().0 / 1000).to_string().as_str()));
    assert_signed(&seen, hook["signingKey"].as_str().unwrap());
    let told = body(&seen);
    let mut shown = user.clone();
    shown.as_object_mut().unwrap().retain(|name, _| name != "externalId" && name != "hasPassword");
    assert_eq!(
        told,
        json!({
            "event": "User.Created", "createdAt": "2026-11-20T12:00:00.000Z", "hookId": hook["id"], "ip": "127.0.0.1",
            "data": shown,
        })
    );
    settle(&[&app], DELIVERED, 1).await;

    // Headers of the operator's own, and another key.
    change(&app, &hook, json!({ "config": { "url": receiver.base, "headers": headers } })).await;
    let path = format!("/api/hooks/{}/signing-key", hook["id"].as_str().unwrap());
    let renewed = app.manager().await.call(reqwest::Method::PATCH, &path, None).await.expect("200").json();
    let request = app.http.post(app.url("/api/users")).bearer_auth(app.manager().await.token);
    request.header("user-agent", "some client").json(&json!({ "username": "second" })).send().await.unwrap();
    let seen = receiver.wait(2).await.remove(1);
    assert_signed(&seen, renewed["signingKey"].as_str().unwrap());
    assert_eq!((seen.header("authorization"), seen.header("user-agent")), (Some("Bearer mine"), Some("mine")));
    assert_eq!(body(&seen)["userAgent"], "some client");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_comes_again_with_its_id_and_its_bytes() {
    let app = started().await;
    let receiver = Receiver::answering(failing(3));
    let hook = register(&app, &receiver.base, &["User.Created"]).await;
    create_user(&app, "one").await;
    for (tries, pause) in [(1, 5), (2, 60), (3, 600)] {
        receiver.wait(tries).await;
        let failures = "select failures from outbox where kind = 'hook'";
        settle(&[&app], failures, i64::try_from(tries).unwrap()).await;
        app.advance(pause - 1);
        app.app().outbox.notify_waiters();
        tokio::time::sleep(Duration::from_millis(150)).await;
        receiver.wait(tries).await;
        app.advance(1);
        app.app().outbox.notify_waiters();
    }
    settle(&[&app], DELIVERED, 1).await;
    let seen = receiver.wait(4).await;
    for request in &seen {
        assert_signed(request, hook["signingKey"].as_str().unwrap());
        assert_eq!((request.header("webhook-id"), &request.body), (seen[0].header("webhook-id"), &seen[0].body));
    }
    let first: i64 = seen[0].header("webhook-timestamp").unwrap().parse().unwrap();
    assert_eq!(seen[3].header("webhook-timestamp"), Some((first + 665).to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_given_up_after_its_retries_and_that_is_told() {
    let app = started().await;
    for (config, answer, tries, reason) in [
        (json!({ "retries": 1 }), 503, 2, "status_503"),
        (json!({ "retries": 0 }), 404, 1, "status_404"),
        (json!({}), 410, 1, "status_410"),
        (json!({ "retries": 0 }), 302, 1, "status_302"),
    ] {
        let receiver = Receiver::answering(
            (0..9).map(|_| Answer { headers: vec![("location", "/elsewhere".to_owned())], ..Answer::new(answer, "") }),
        );
        let hook = register(&app, &receiver.base, &["User.Created"]).await;
        let mut config = config;
        config["url"] = receiver.base.clone().into();
        change(&app, &hook, json!({ "config": config })).await;
        let before = app.number(GIVEN_UP).await;
        create_user(&app, &format!("user_{reason}")).await;
        for tried in 1..tries {
            receiver.wait(tried).await;
            settle(&[&app], "select max(failures) from outbox where kind = 'hook'", i64::try_from(tried).unwrap())
                .await;
            app.advance(5);
        }
        settle(&[&app], GIVEN_UP, before + 1).await;
        assert_eq!(given_up(&app).await, (reason.to_owned(), i64::try_from(tries).unwrap()));
        receiver.wait(tries).await;
        let path = format!("/api/hooks/{}", hook["id"].as_str().unwrap());
        app.manager().await.delete(&path).await.expect("204");
        app.advance(1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_time_gets_it() {
    let app = started().await;
    let busy = Answer { headers: vec![("retry-after", "120".to_owned())], ..Answer::new(429, "") };
    let receiver = Receiver::answering([busy]);
    register(&app, &receiver.base, &["User.Created"]).await;
    create_user(&app, "one").await;
    let at = app.now().plus(Duration::from_secs(120)).0;
    settle(&[&app], "select next_attempt_at from outbox where kind = 'hook'", at).await;
    app.advance(120);
    settle(&[&app], DELIVERED, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_node_had_claimed_is_delivered_by_another() {
    let app = started().await;
    let second = app.second_node_as(allow_loopback, |_| {}).await;
    // The first try hangs, and with it whoever made it: from outside a dead node looks the same.
    let receiver = Receiver::answering([Answer { after: Duration::from_secs(4), ..Answer::new(500, "") }]);
    register(&app, &receiver.base, &["User.Created"]).await;
    create_user(&app, "one").await;
    receiver.wait(1).await;
    for node in [&app, &second] {
        node.app().outbox.notify_waiters();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    receiver.wait(1).await;
    app.advance(LEASE);
    settle(&[&second], DELIVERED, 1).await;
    let seen = receiver.wait(2).await;
    assert_eq!((seen[0].header("webhook-id"), &seen[0].body), (seen[1].header("webhook-id"), &seen[1].body));
    // The first comes back late: it failed, and finds that another has delivered.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(app.number("select failures from outbox where kind = 'hook'").await, 0);
    assert_eq!(app.number(DELIVERED).await, 1);
    receiver.wait(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_outlives_the_node_it_happened_on() {
    let app = started().await;
    // Nobody listens yet.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let hook = register(&app, &silent, &["User.Created"]).await;
    create_user(&app, "one").await;
    settle(&[&app], "select failures from outbox where kind = 'hook'", 1).await;
    let second = app.second_node_as(allow_loopback, |_| {}).await;
    let (clock, TestApp { running, .. }) = (app.clock.clone(), app);
    running.stop().await;
    let receiver = Receiver::start();
    change(&second, &hook, json!({ "config": { "url": receiver.base } })).await;
    clock.advance(Duration::from_secs(5));
    settle(&[&second], DELIVERED, 1).await;
    assert_eq!(body(&receiver.wait(1).await[0])["data"]["username"], "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_deliver_many_events_once_each() {
    let app = started().await;
    let second = app.second_node_as(allow_loopback, |_| {}).await;
    let receiver = Receiver::start();
    register(&app, &receiver.base, &["User.Created"]).await;
    for number in 0..30 {
        create_user(if number % 2 == 0 { &app } else { &second }, &format!("user_{number}")).await;
    }
    settle(&[&app, &second], DELIVERED, 30).await;
    let seen = receiver.wait(30).await;
    let ids: std::collections::BTreeSet<_> = seen.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids.len(), 30, "none is sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_undone_is_not_told() {
    let app = started().await;
    let receiver = Receiver::start();
    register(&app, &receiver.base, &["User.Created", "User.Data.Updated", "User.Deleted"]).await;
    let (user, other) = (app.user().await, app.user().await);
    let manager = app.manager().await;
    let taken = json!({ "username": other.username });
    manager.post("/api/users", taken.clone()).await.expect("422 user.username_already_in_use");
    manager.patch(&format!("/api/users/{}", user.id), taken).await.expect("422 user.username_already_in_use");
    manager.delete("/api/users/nobody000000").await.expect("404 entity.not_found");
    let record = user.verify_password().await;
    let body = json!({ "username": other.username });
    user.call("PATCH", "/api/my-account", &record, body).await.expect("422 user.username_already_in_use");
    assert_eq!(app.number(STORED).await, 0);
    receiver.wait(0).await;
}
