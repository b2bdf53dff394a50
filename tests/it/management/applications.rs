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
        "trustForwardedFor": false, "requireProofOfPossession": false, "jwks": null,
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
    // With the one that is part of the service.
    assert_eq!(list.header("total-number"), Some("3"));
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

#[tokio::test]
async fn what_an_application_may_do_is_set_kept_and_set_back() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let set = json!({
        "allowTokenExchange": true, "connections": ["sms"], "corsAllowedOrigins": ["https://app.example.com"],
        "trustForwardedFor": true, "requireProofOfPossession": true, "grantTypes": ["refresh_token", "client_credentials"], "jwks": null,
    });
    let body = json!({ "name": "x", "type": "Traditional", "customClientMetadata": set });
    let made = manager.post("/api/applications", body).await.expect("200").json();
    assert_eq!(made["customClientMetadata"], set);
    let path = format!("/api/applications/{}", made["id"].as_str().unwrap());
    let change = async |changes: Value| {
        let body = json!({ "customClientMetadata": changes });
        let after = manager.patch(&path, body).await.expect("200").json()["customClientMetadata"].clone();
        assert_eq!(manager.get(&path).await.expect("200").json()["customClientMetadata"], after);
        after
    };
    // What is not named stays.
    assert_eq!(change(json!({})).await, set);
    let after = change(json!({ "connections": ["email", "sms"] })).await;
    assert_eq!((&after["connections"], &after["grantTypes"]), (&json!(["email", "sms"]), &set["grantTypes"]));
    // Null is the default again.
    let none = json!({ "connections": null, "corsAllowedOrigins": null, "trustForwardedFor": null, "requireProofOfPossession": null, "grantTypes": null });
    let after = change(none).await;
    assert_eq!((&after["trustForwardedFor"], &after["corsAllowedOrigins"]), (&json!(false), &json!([])));
    assert_eq!(after["grantTypes"].as_array().unwrap().len(), 3);
    for wrong in [
        json!({ "connections": ["pigeon"] }),
        json!({ "grantTypes": ["password"] }),
        json!({ "corsAllowedOrigins": ["https://app.example.com/"] }),
        json!({ "corsAllowedOrigins": ["*"] }),
        json!({ "trustForwardedFor": "yes" }),
        json!({ "requireProofOfPossession": "yes" }),
        json!({ "jwks": [] }),
    ] {
        let body = json!({ "customClientMetadata": wrong });
        manager.patch(&path, body.clone()).await.expect("400 guard.invalid_input");
    }
}

#[tokio::test]
async fn a_grant_that_is_not_allowed_is_refused() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let body = json!({
        "name": "x", "type": "MachineToMachine", "isManagement": true,
        "customClientMetadata": { "grantTypes": ["refresh_token"] },
    });
    let made = manager.post("/api/applications", body).await.expect("200").json();
    let form = [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api")];
    let request = app.http.post(app.url("/oauth/token")).form(&form);
    let request = request.basic_auth(made["id"].as_str().unwrap(), made["secret"].as_str());
    let answer = Answer::of(request).await.expect("403 oidc.unauthorized_client");
    assert_eq!(answer.json()["error_description"], "Grant type 'client_credentials' not allowed for the client.");
}

/// Whether that secret gets a token.
async fn opens(app: &TestApp, id: &str, secret: &str) -> bool {
    let form = [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api")];
    let request = app.http.post(app.url("/oidc/token")).form(&form).basic_auth(id, Some(secret));
    Answer::of(request).await.status == 200
}

#[tokio::test]
async fn one_secret_takes_the_others_place_without_a_pause() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let body = json!({ "name": "x", "type": "MachineToMachine", "isManagement": true });
    let made = manager.post("/api/applications", body).await.expect("200").json();
    let (id, first) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let path = format!("/api/applications/{id}/secrets");
    let answer = manager.post(&path, json!({ "name": "a/b 2" })).await.expect("201");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let second = answer.json();
    let value = second["value"].as_str().unwrap().to_owned();
    let mut shown = second.clone();
    shown.as_object_mut().unwrap().remove("value");
    let now = app.now().0;
    let expected =
        json!({ "tenantId": "default", "applicationId": id, "name": "a/b 2", "createdAt": now, "expiresAt": null });
    assert_eq!(shown, expected);
    let list = manager.get(&path).await.expect("200");
    assert_eq!((&list.json()[0]["name"], &list.json()[1]), (&json!("Default secret"), &shown));
    assert!(!list.text.contains(&value) && !list.text.contains(first));
    assert!(opens(&app, id, first).await && opens(&app, id, &value).await);
    manager.post(&path, json!({ "name": "3" })).await.expect("422 application.too_many_secrets");
    manager.delete(&format!("{path}/Default%20secret")).await.expect("204");
    assert!(!opens(&app, id, first).await && opens(&app, id, &value).await);
    manager.post(&path, json!({ "name": "a/b 2" })).await.expect("422 application.secret_name_exists");
    for gone in ["Default%20secret", "a", "%00"] {
        manager.delete(&format!("{path}/{gone}")).await.expect("404 entity.not_found");
    }
    manager.delete(&format!("{path}/a%2Fb%202")).await.expect("204");
    assert!(!opens(&app, id, &value).await);
    manager.get("/api/applications/nobody/secrets").await.expect("404 entity.not_found");
    manager.post("/api/applications/nobody/secrets", json!({ "name": "x" })).await.expect("404 entity.not_found");
    assert_eq!(app.number("select count(*) from audit_events where type like 'application.secret%'").await, 3);
}

#[tokio::test]
async fn a_secret_expires_and_makes_room() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let body = json!({ "name": "x", "type": "MachineToMachine", "isManagement": true });
    let made = manager.post("/api/applications", body).await.expect("200").json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/applications/{id}/secrets");
    for wrong in [json!(app.now().0), json!(1), json!(i64::MAX), json!("tomorrow"), json!(0.5)] {
        let body = json!({ "name": "x", "expiresAt": wrong });
        manager.post(&path, body).await.expect("400 guard.invalid_input");
    }
    let body = json!({ "name": "short", "expiresAt": app.now().0 + 60_000 });
    let made = manager.post(&path, body).await.expect("201").json();
    let secret = made["value"].as_str().unwrap();
    assert!(opens(&app, id, secret).await);
    manager.post(&path, json!({ "name": "third" })).await.expect("422 application.too_many_secrets");
    app.advance(60);
    assert!(!opens(&app, id, secret).await);
    manager.post(&path, json!({ "name": "short" })).await.expect("201");
}

#[tokio::test]
async fn of_many_requests_for_a_second_secret_one_is_granted() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let body = json!({ "name": "x", "type": "Traditional" });
    let made = manager.post("/api/applications", body).await.expect("200").json();
    let path = format!("/api/applications/{}/secrets", made["id"].as_str().unwrap());
    let ask = async |number: u8| manager.post(&path, json!({ "name": number.to_string() })).await.status;
    let answers = futures_util::future::join_all((0..10).map(ask)).await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [201, 422].contains(status)), "{answers:?}");
}

#[tokio::test]
async fn public_applications_keep_no_secret() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let made = manager.post("/api/applications", json!({ "name": "x", "type": "SPA" })).await.expect("200").json();
    let path = format!("/api/applications/{}/secrets", made["id"].as_str().unwrap());
    let refused = "422 application.public_application_keeps_no_secret";
    manager.post(&path, json!({ "name": "x" })).await.expect(refused);
    assert_eq!(manager.get(&path).await.expect("200").json(), json!([]));
}
