//! The management API (contract 4), as operators see it.

mod applications;
mod settings;
mod users;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

const ROUTES: &[(&str, &str)] = &[
    ("POST", "/api/users"),
    ("GET", "/api/users"),
    ("GET", "/api/users/x"),
    ("PATCH", "/api/users/x"),
    ("DELETE", "/api/users/x"),
    ("PATCH", "/api/users/x/password"),
    ("PATCH", "/api/users/x/is-suspended"),
    ("POST", "/api/users/x/password/verify"),
    ("GET", "/api/users/x/has-password"),
    ("POST", "/api/applications"),
    ("GET", "/api/applications"),
    ("GET", "/api/applications/x"),
    ("PATCH", "/api/applications/x"),
    ("DELETE", "/api/applications/x"),
    ("POST", "/api/applications/x/secrets"),
    ("GET", "/api/applications/x/secrets"),
    ("DELETE", "/api/applications/x/secrets/x"),
    ("GET", "/api/account-center"),
    ("PATCH", "/api/account-center"),
    ("GET", "/api/sign-in-exp"),
    ("PATCH", "/api/sign-in-exp"),
    ("POST", "/api/subject-tokens"),
    ("GET", "/api/audit-events"),
    ("POST", "/api/hooks"),
    ("GET", "/api/hooks"),
    ("GET", "/api/hooks/x"),
    ("PATCH", "/api/hooks/x"),
    ("DELETE", "/api/hooks/x"),
    ("PATCH", "/api/hooks/x/signing-key"),
    ("POST", "/api/hooks/x/test"),
];

#[tokio::test]
async fn nothing_is_managed_without_a_management_token() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for (method, path) in ROUTES {
        let method: Method = method.parse().unwrap();
        let bare = app.http.request(method.clone(), app.url(path));
        Answer::of(bare).await.expect("401 auth.authorization_header_missing");
        Answer::of(user.request(method, path)).await.expect("401 auth.unauthorized");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_does_not_fit_is_400() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    for id in ["nobody000000", "%00", "..", "a'b", "Ünbekannt", &"a".repeat(300)] {
        for path in
            [format!("/api/users/{id}"), format!("/api/users/{id}/has-password"), format!("/api/applications/{id}")]
        {
            let answer = manager.get(&path).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text);
            assert!(["entity.not_found", "request.not_found"].contains(&answer.json()["code"].as_str().unwrap()));
        }
    }
    let gone = "/api/users/nobody000000";
    manager.patch(gone, json!({ "name": "x" })).await.expect("404 entity.not_found");
    manager.delete(gone).await.expect("404 entity.not_found");
    manager.patch(&format!("{gone}/password"), json!({ "password": "x" })).await.expect("404 entity.not_found");
    manager.post(&format!("{gone}/password/verify"), json!({ "password": "x" })).await.expect("404 entity.not_found");
    let suspension = json!({ "isSuspended": true });
    manager.patch(&format!("{gone}/is-suspended"), suspension).await.expect("404 entity.not_found");
    manager.patch("/api/applications/nobody", json!({})).await.expect("404 entity.not_found");
    manager.delete("/api/applications/nobody").await.expect("404 entity.not_found");
    let unknown = json!({ "userId": "nobody000000" });
    manager.post("/api/subject-tokens", unknown).await.expect("404 entity.relation_foreign_key_not_found");
    for (path, body) in [
        ("/api/users", json!({ "primaryEmail": "no address" })),
        ("/api/users", json!({ "primaryPhone": "+1" })),
        ("/api/users", json!({ "username": "1a" })),
        ("/api/users", json!({ "password": "" })),
        ("/api/users", json!({ "passwordDigest": "x", "passwordAlgorithm": "rot13" })),
        ("/api/users", json!({ "avatar": "javascript:alert(1)" })),
        ("/api/users", json!({ "name": "a\0b" })),
        ("/api/users", json!({ "customData": { "a": ["\0"] } })),
        ("/api/users", json!({ "customData": [] })),
        ("/api/users", json!({ "profile": ["a"] })),
        ("/api/users", json!({ "profile": { "address": [] } })),
        ("/api/users", json!({ "profile": { "gender": null } })),
        ("/api/applications", json!({ "name": "", "type": "SPA" })),
        ("/api/applications", json!({ "name": "x", "type": "spa" })),
        (
            "/api/applications",
            json!({ "name": "x", "type": "SPA", "oidcClientMetadata": { "redirectUris": ["data:x"] } }),
        ),
        ("/api/applications", json!({ "name": "x", "type": "SPA", "isManagement": true })),
        ("/api/subject-tokens", json!({})),
    ] {
        let answer = manager.post(path, body.clone()).await;
        assert_eq!(answer.gist(), "400 guard.invalid_input", "{body}");
        assert!(answer.json()["details"].as_str().unwrap().starts_with("Error in key path"), "{body}");
    }
}

#[tokio::test]
async fn a_subject_token_is_exchanged_once_within_ten_minutes() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let user = manager.post("/api/users", json!({ "username": "ada" })).await.expect("200").json();
    let ask = async || {
        let answer = manager.post("/api/subject-tokens", json!({ "userId": user["id"], "context": { "a": 1 } })).await;
        let answer = answer.expect("201").json();
        assert_eq!(answer["expiresIn"], 600);
        answer["subjectToken"].as_str().unwrap().to_owned()
    };
    let exchange = async |token: &str| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:logto:token-type:impersonation_token"),
            ("subject_token", token),
            ("scope", "openid profile"),
        ];
        let request = app.http.post(app.url("/oidc/token")).form(&form);
        Answer::of(request.basic_auth(&app.application, Some(&app.management_secret))).await
    };
    let token = ask().await;
    let access = exchange(&token).await.expect("200").json()["access_token"].as_str().unwrap().to_owned();
    let account = app.http.get(app.url("/api/my-account")).bearer_auth(access);
    assert_eq!(Answer::of(account).await.expect("200").json()["id"], user["id"]);
    assert_eq!(exchange(&token).await.json()["error"], "invalid_grant");
    let late = ask().await;
    app.advance(601);
    assert_eq!(exchange(&late).await.json()["error"], "invalid_grant");
    let path = format!("/api/users/{}/is-suspended", user["id"].as_str().unwrap());
    let before = ask().await;
    for is_suspended in [true, false] {
        manager.patch(&path, json!({ "isSuspended": is_suspended })).await.expect("200");
    }
    assert_eq!(exchange(&before).await.json()["error"], "invalid_grant", "one of before the suspension");
    assert_eq!(app.number("select count(*) from audit_events where type = 'subject_token.created'").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_exchanges_of_one_subject_token_at_once_one_wins() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let user = app.user().await;
    for round in 1..=3 {
        let made =
            app.manager().await.post("/api/subject-tokens", json!({ "userId": user.id })).await.expect("201").json();
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:logto:token-type:impersonation_token"),
            ("subject_token", made["subjectToken"].as_str().unwrap()),
        ];
        let tries = (0..20).map(|at| {
            let node = if at % 2 == 0 { &app } else { &second };
            let request = app.http.post(node.url("/oidc/token")).form(&form);
            Answer::of(request.basic_auth(&app.application, Some(&app.management_secret)))
        });
        let won = join_all(tries).await.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1);
        assert_eq!(app.number("select count(*) from audit_events where type = 'token.exchanged'").await, round);
    }
}

#[tokio::test]
async fn a_token_for_management_leaves_an_event_and_a_refused_one_none() {
    let app = TestApp::start().await;
    let ask = async |secret: &str, resource: &str| {
        let form = [("grant_type", "client_credentials"), ("resource", resource), ("scope", "all")];
        let request = app.http.post(app.url("/oauth/token")).form(&form);
        Answer::of(request.basic_auth(&app.application, Some(secret))).await
    };
    let api = "https://default.logto.app/api";
    assert_eq!(ask("wrong", api).await.json()["error"], "invalid_client");
    assert_eq!(ask(&app.management_secret, "https://elsewhere.example").await.json()["error"], "invalid_target");
    assert_eq!(app.number("select count(*) from audit_events").await, 0);
    let token = ask(&app.management_secret, api).await.expect("200").json()["access_token"].clone();
    let events = app.http.get(app.url("/api/audit-events")).bearer_auth(token.as_str().unwrap());
    let events = Answer::of(events).await.expect("200").json();
    let event = &events[0];
    assert_eq!(events.as_array().unwrap().len(), 1);
    assert_eq!((&event["type"], &event["data"]), (&json!("token.issued"), &json!({ "scope": "all" })));
    assert_eq!((&event["applicationId"], &event["userId"]), (&json!(app.application.as_str()), &Value::Null));
    assert_eq!(event["ip"], "127.0.0.1");
}
