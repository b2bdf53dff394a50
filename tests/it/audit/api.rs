//! Who sees what of the log.

use serde_json::{Value, json};

use super::events;
use crate::harness::{Answer, TestApp};

fn types(answer: &Answer) -> Vec<String> {
    let events = answer.json();
    events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn operators_filter_and_page_through_events() {
    let app = TestApp::start().await;
    let (one, two) = (app.user().await, app.user().await);
    let manager = app.manager().await;
    one.verify_password().await;
    app.advance(10);
    two.verify_password().await;
    two.try_password("wrong").await.expect("422 session.invalid_credentials");
    app.advance(10);
    one.patch("/api/my-account", json!({ "name": "Ada" })).await.expect("200");
    let list = async |query: &str| manager.get(&format!("/api/audit-events{query}")).await.expect("200");
    let all = list("").await;
    let newest_first = ["account.updated", "verification.failed", "verification.succeeded"];
    let mut sorted = types(&all);
    // Within one millisecond ids decide, and they are random.
    sorted[1..3].sort();
    sorted[3..].sort();
    assert_eq!(sorted[..3], newest_first);
    assert_eq!(sorted[3..], ["token.issued", "verification.succeeded"]);
    assert_eq!(all.header("total-number"), Some("5"));
    let event = &all.json()[0];
    assert_eq!((&event["userId"], &event["data"]), (&json!(one.id), &json!({ "fields": ["name"] })));
    assert_eq!((&event["at"], &event["ip"]), (&json!("2026-11-20T12:00:20.000Z"), &json!("127.0.0.1")));
    assert_eq!(event["applicationId"], json!(app.application));
    assert_eq!(event["requestId"].as_str().unwrap().len(), 16);
    assert_eq!(list("?type=verification.failed").await.header("total-number"), Some("1"));
    assert_eq!(list(&format!("?userId={}", two.id)).await.header("total-number"), Some("2"));
    let both = format!("?userId={}&type=verification.succeeded", two.id);
    assert_eq!(list(&both).await.header("total-number"), Some("1"));
    assert_eq!(list("?applicationId=nobody").await.header("total-number"), Some("0"));
    let application = format!("?applicationId={}", app.application);
    assert_eq!(list(&application).await.header("total-number"), Some("5"));
    assert_eq!(list("?from=2026-11-20T12:00:10Z&to=2026-11-20T12:00:20Z").await.header("total-number"), Some("2"));
    assert_eq!(list("?from=2026-11-20T13:00:20%2B01:00").await.header("total-number"), Some("1"));
    assert_eq!(list("?type=nothing.such").await.header("total-number"), Some("0"));
    let page = list("?page=2&page_size=1").await;
    assert_eq!(types(&page).len(), 1);
    assert!(page.header("link").unwrap().contains("rel=\"next\""));
    for wrong in ["?from=yesterday", "?from=1795176020000", "?type=%00", "?to=2026-11-20"] {
        let answer = manager.get(&format!("/api/audit-events{wrong}")).await;
        answer.expect("400 guard.invalid_input");
    }
    manager.get("/api/audit-events?page=0").await.expect("400 guard.invalid_pagination");
    Answer::of(app.http.get(app.url("/api/audit-events"))).await.expect("401 auth.authorization_header_missing");
    one.get("/api/audit-events").await.expect("401 auth.unauthorized");
}

#[tokio::test]
async fn users_see_their_own_activity_and_nothing_of_others() {
    let app = TestApp::start().await;
    let (one, two) = (app.user().await, app.user().await);
    one.verify_password().await;
    app.advance(1);
    two.try_password("wrong").await.expect("422 session.invalid_credentials");
    let manager = app.manager().await;
    manager.patch(&format!("/api/users/{}", one.id), json!({ "name": "Ada" })).await.expect("200");
    let path = "/api/my-account/activity";
    let answer = one.get(path).await.expect("200");
    assert_eq!(types(&answer), ["user.updated", "verification.succeeded"]);
    assert_eq!(answer.header("total-number"), Some("2"));
    let items = answer.json();
    // What an operator did says what, not from where.
    assert_eq!((&items[0]["ip"], &items[0]["data"]), (&Value::Null, &json!({ "fields": ["name"] })));
    assert_eq!(items[1]["ip"], "127.0.0.1");
    let mut members: Vec<&String> = items[0].as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["applicationId", "at", "data", "id", "ip", "type"]);
    assert!(!answer.text.contains(two.id.as_str()));
    assert_eq!(types(&one.get(&format!("{path}?page_size=1&page=2")).await), ["verification.succeeded"]);
    // The caller's own, whatever the query asks for.
    let foreign = one.get(&format!("{path}?userId={}&user_id={}", two.id, two.id)).await.expect("200");
    assert_eq!(types(&foreign), ["user.updated", "verification.succeeded"]);
    one.get(&format!("{path}?page=x")).await.expect("400 guard.invalid_pagination");
    let narrow = one.with_token(one.new_token(&app.application, &["openid"]).await);
    narrow.get(path).await.expect("400 auth.unauthorized");
    let all = events(&app).await;
    let of_users = all.iter().filter(|event| event["type"] != "token.issued");
    assert_eq!(of_users.count(), 3);
}
