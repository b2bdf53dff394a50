//! Settings: what is stored, what is refused, and that every node sees it at once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::TestApp;

#[tokio::test]
async fn the_account_centre_is_changed_part_by_part() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let path = "/api/account-center";
    let before = manager.get(path).await.expect("200").json();
    assert_eq!(
        (&before["tenantId"], &before["id"], &before["enabled"]),
        (&json!("default"), &json!("default"), &json!(true))
    );
    assert_eq!(before["fields"].as_object().unwrap().len(), 13);
    let changes = json!({
        "fields": { "name": "Edit", "email": "ReadOnly", "unknown": 1 },
        "webauthnRelatedOrigins": ["https://a.example", "https://b.example", "https://a.example"],
        "deleteAccountUrl": "https://example.com/bye", "customCss": "a{}",
        "profileFields": [{ "name": "nickname" }, { "name": "shoeSize" }],
    });
    let after = manager.patch(path, changes).await.expect("200").json();
    let expected = json!({
        "tenantId": "default", "id": "default", "enabled": true, "fields": { "name": "Edit", "email": "ReadOnly" },
        "webauthnRelatedOrigins": ["https://a.example", "https://b.example"], "deleteAccountUrl": "https://example.com/bye",
        "customCss": "a{}", "profileFields": [{ "name": "nickname" }],
    });
    assert_eq!(after, expected);
    assert_eq!(manager.get(path).await.expect("200").json(), expected);
    let cleared = json!({ "deleteAccountUrl": "", "customCss": null, "profileFields": null });
    let cleared = manager.patch(path, cleared).await.expect("200").json();
    for name in ["deleteAccountUrl", "customCss", "profileFields"] {
        assert_eq!(cleared[name], Value::Null, "{name}");
    }
    for bad in [
        json!({ "fields": { "name": "Maybe" } }),
        json!({ "deleteAccountUrl": "ftp://example.com" }),
        json!({ "deleteAccountUrl": format!("https://example.com/{}", "x".repeat(2048)) }),
        json!({ "profileFields": [{ "name": "nickname" }, { "name": "nickname" }] }),
        json!({ "enabled": "yes" }),
    ] {
        manager.patch(path, bad).await.expect("400 guard.invalid_input");
    }
    let sql = "select count(*) from audit_events where type = 'settings.account_center.updated'";
    assert_eq!(app.number(sql).await, 2);
}

#[tokio::test]
async fn a_change_counts_on_every_node_with_the_next_request() {
    let app = TestApp::start().await;
    let other = app.second_node().await;
    let (manager, user) = (app.manager().await, app.user().await);
    let there = user.on(&other);
    there.get("/api/my-account").await.expect("200");
    manager.patch("/api/account-center", json!({ "enabled": false })).await.expect("200");
    there.get("/api/my-account").await.expect("400 account_center.not_enabled");
    manager
        .patch("/api/account-center", json!({ "enabled": true, "fields": { "name": "ReadOnly" } }))
        .await
        .expect("200");
    there.patch("/api/my-account", json!({ "name": "x" })).await.expect("400 account_center.field_not_editable");
}

#[tokio::test]
async fn policies_are_replaced_and_their_ranges_kept() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let path = "/api/sign-in-exp";
    let before = manager.get(path).await.expect("200").json();
    assert_eq!(before["sentinelPolicy"], json!({ "maxAttempts": 10, "lockoutDuration": 15 }));
    let changes = json!({
        "verificationCodePolicy": { "expirationDuration": 120 }, "sentinelPolicy": { "maxAttempts": 3, "lockoutDuration": 60 },
        "passwordPolicy": { "length": { "min": 12 } }, "emailBlocklistPolicy": { "blockSubaddressing": true },
        "languageInfo": { "autoDetect": false, "fallbackLanguage": "ja" },
    });
    let after = manager.patch(path, changes).await.expect("200").json();
    assert_eq!(after["verificationCodePolicy"], json!({ "expirationDuration": 120, "maxRetryAttempts": 5 }));
    assert_eq!(after["passwordPolicy"]["length"], json!({ "min": 12, "max": 256 }));
    assert_eq!(after["languageInfo"], json!({ "autoDetect": false, "fallbackLanguage": "ja" }));
    assert_eq!(after["usernamePolicy"], before["usernamePolicy"]);
    assert_eq!(manager.get(path).await.expect("200").json(), after);
    for bad in [
        json!({ "verificationCodePolicy": { "expirationDuration": 59 } }),
        json!({ "verificationCodePolicy": { "expirationDuration": 3601 } }),
        json!({ "verificationCodePolicy": { "maxRetryAttempts": 0 } }),
        json!({ "verificationCodePolicy": { "maxRetryAttempts": 101 } }),
        json!({ "sentinelPolicy": { "maxAttempts": 0 } }),
        json!({ "sentinelPolicy": { "lockoutDuration": 1.5 } }),
        json!({ "passwordPolicy": { "length": { "min": 20, "max": 10 } } }),
        json!({ "passwordPolicy": { "characterTypes": { "min": 5 } } }),
        json!({ "usernamePolicy": { "minLength": 0 } }),
        json!({ "emailBlocklistPolicy": { "customBlocklist": ["x"] } }),
        json!({ "languageInfo": { "fallbackLanguage": "not a tag" } }),
    ] {
        let answer = manager.patch(path, bad.clone()).await;
        assert_eq!(answer.gist(), "400 guard.invalid_input", "{bad}");
    }
    assert_eq!(manager.get(path).await.expect("200").json(), after);
}

#[tokio::test]
async fn usernames_follow_the_policy_of_letter_case() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let path = "/api/sign-in-exp";
    let create = async |name: &str| manager.post("/api/users", json!({ "username": name })).await;
    create("Ada").await.expect("200");
    let lower = create("ada").await.expect("200").json();
    let blind = json!({ "usernamePolicy": { "caseSensitive": false } });
    manager.patch(path, blind.clone()).await.expect("409 sign_in_experiences.username_policy_case_conflicts_exist");
    assert_eq!(manager.get(path).await.expect("200").json()["usernamePolicy"]["caseSensitive"], true);
    create("ADA").await.expect("200");
    let third = manager.get("/api/users?search.username=ADA").await.expect("200").json()[0]["id"].clone();
    for id in [&lower["id"], &third] {
        manager.delete(&format!("/api/users/{}", id.as_str().unwrap())).await.expect("204");
    }
    manager.patch(path, blind).await.expect("200");
    create("ADA").await.expect("422 user.username_already_in_use");
    assert_eq!(manager.get("/api/users?search.username=ADA").await.expect("200").json()[0]["username"], "Ada");
    let user = app.user().await;
    let record = user.verify_password().await;
    let rename = user.call("PATCH", "/api/my-account", &record, json!({ "username": "aDa" })).await;
    rename.expect("422 user.username_already_in_use");
    manager.patch(path, json!({ "usernamePolicy": { "caseSensitive": true } })).await.expect("200");
    create("ADA").await.expect("200");
}

#[tokio::test]
async fn no_username_slips_past_a_change_of_the_policy() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    for round in 0..5 {
        let names = (0..12).map(|number| json!({ "username": format!("Ada_{round}_{number}") }));
        let creating = join_all(names.map(|body| manager.post("/api/users", body)));
        let blind = json!({ "usernamePolicy": { "caseSensitive": false } });
        let (created, changed) = tokio::join!(creating, manager.patch("/api/sign-in-exp", blind));
        assert!(created.iter().all(|answer| answer.status == 200), "{created:?}");
        changed.expect("200");
        let sql = "select count(*) from users where username_key <> lower(username)";
        assert_eq!(app.number(sql).await, 0, "round {round}");
        let seeing = json!({ "usernamePolicy": { "caseSensitive": true } });
        manager.patch("/api/sign-in-exp", seeing).await.expect("200");
        assert_eq!(app.number("select count(*) from users where username_key <> username").await, 0, "round {round}");
    }
}
