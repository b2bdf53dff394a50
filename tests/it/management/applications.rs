//! Applications and their secrets.

use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

#[tokio::test]
async fn an_application_is_created_shown_changed_and_deleted() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let metadata =
        json!({ "redirectUris": ["https://example.com/back", "com.example.app:/back"], "postLogoutRedirectUris": [] });
    let body = json!({ "name": "Back office", "type": "Traditional", "oidcClientMetadata": metadata, "customData": { "a": 1 } });
    let made = manager.post("/api/applications", body).await.expect("200").json();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.len() >= 32);
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("secret");
    let grants = ["authorization_code", "refresh_token", "http://auth0.com/oauth/grant-type/passwordless/otp"];
    let defaults = json!({
        "allowTokenExchange": true, "grantTypes": grants, "connections": ["email", "sms"], "corsAllowedOrigins": [],
        "trustForwardedFor": false, "jwks": null,
    });
    assert_eq!(
        shown,
        json!({
            "tenantId": "default", "id": made["id"], "name": "Back office", "description": null, "type": "Traditional",
            "oidcClientMetadata": metadata, "customClientMetadata": defaults, "customData": { "a": 1 },
            "isThirdParty": false, "isManagement": false, "createdAt": app.now().0,
        })
    );
    let path = format!("/api/applications/{}", made["id"].as_str().unwrap());
    assert_eq!(manager.get(&path).await.expect("200").json(), shown, "the secret is shown once");
    let list = manager.get("/api/applications").await.expect("200");
    assert_eq!(list.header("total-number"), Some("2"));
    assert!(!list.text.contains(secret));
    let changes =
        json!({ "name": "New", "description": "What for", "customClientMetadata": { "allowTokenExchange": false } });
    let after = manager.patch(&path, changes).await.expect("200").json();
    assert_eq!((&after["name"], &after["description"]), (&json!("New"), &json!("What for")));
    assert_eq!(after["customClientMetadata"]["allowTokenExchange"], false);
    assert_eq!(after["oidcClientMetadata"], metadata);
    assert_eq!(
        manager.patch(&path, json!({ "description": "" })).await.expect("200").json()["description"],
        Value::Null
    );
    manager.patch(&path, json!({ "isManagement": true })).await.expect("400 guard.invalid_input");
    manager.delete(&path).await.expect("204");
    manager.get(&path).await.expect("404 entity.not_found");
    assert_eq!(app.number("select count(*) from application_secrets").await, 1);
    assert_eq!(app.number("select count(*) from audit_events where type like 'application.%'").await, 4);
}

#[tokio::test]
async fn only_those_that_keep_secrets_get_one() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    for (kind, keeps) in [("Native", false), ("SPA", false), ("Traditional", true), ("MachineToMachine", true)] {
        let made = manager.post("/api/applications", json!({ "name": kind, "type": kind })).await.expect("200").json();
        assert_eq!(made["secret"].is_string(), keeps, "{kind}");
    }
}

#[tokio::test]
async fn third_parties_exchange_and_manage_nothing() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let path = "/api/applications";
    let body = json!({ "name": "x", "type": "MachineToMachine", "isThirdParty": true });
    let made = manager.post(path, body).await.expect("200").json();
    assert_eq!(made["customClientMetadata"]["allowTokenExchange"], false);
    let refused = "422 application.third_party_application_cannot_enable_token_exchange";
    let exchange = json!({ "name": "x", "type": "SPA", "isThirdParty": true, "customClientMetadata": { "allowTokenExchange": true } });
    manager.post(path, exchange).await.expect(refused);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    manager.patch(&one, json!({ "customClientMetadata": { "allowTokenExchange": true } })).await.expect(refused);
    let managing = json!({ "name": "x", "type": "MachineToMachine", "isThirdParty": true, "isManagement": true });
    manager.post(path, managing).await.expect("400 guard.invalid_input");
}

#[tokio::test]
async fn a_management_application_manages_until_it_is_deleted() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let token = async |made: &Value| {
        let form =
            [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api"), ("scope", "all")];
        let id = made["id"].as_str().unwrap();
        Answer::of(app.http.post(app.url("/oidc/token")).form(&form).basic_auth(id, made["secret"].as_str())).await
    };
    let body = json!({ "name": "x", "type": "MachineToMachine", "isManagement": true });
    let made = manager.post("/api/applications", body).await.expect("200").json();
    let access = token(&made).await.expect("200").json()["access_token"].as_str().unwrap().to_owned();
    let ask = async || Answer::of(app.http.get(app.url("/api/users")).bearer_auth(&access)).await;
    ask().await.expect("200");
    let one = format!("/api/applications/{}", made["id"].as_str().unwrap());
    manager.patch(&one, json!({ "isManagement": false })).await.expect("200");
    ask().await.expect("403 auth.forbidden");
    manager.delete(&one).await.expect("204");
    ask().await.expect("401 auth.unauthorized");
    assert_eq!(token(&made).await.status, 401);
}
