//! Users: life and death, and what dies with old facts.

use countersign::domain::message::Template;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;

#[tokio::test]
async fn a_user_is_created_shown_changed_and_deleted() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let body = json!({
        "username": "Ada", "primaryEmail": "Ada@Example.COM", "primaryPhone": "4407911123456", "password": "first-password",
        "name": "Ada", "avatar": "https://example.com/a.png", "customData": { "plan": "pro" }, "externalId": "idp|1",
        "profile": { "locale": "ja", "address": { "country": "JP" } }, "unknown": 1,
    });
    let user = manager.post("/api/users", body).await.expect("200").json();
    let now = app.now().0;
    assert_eq!(
        user,
        json!({
            "id": user["id"], "externalId": "idp|1", "username": "Ada", "primaryEmail": "Ada@example.com",
            "primaryPhone": "447911123456", "name": "Ada", "avatar": "https://example.com/a.png",
            "customData": { "plan": "pro" }, "identities": {}, "lastSignInAt": null, "createdAt": now, "updatedAt": now,
            "profile": { "locale": "ja", "address": { "country": "JP" } }, "applicationId": null, "cimdClientId": null,
            "isSuspended": false, "hasPassword": true,
        })
    );
    let path = format!("/api/users/{}", user["id"].as_str().unwrap());
    assert_eq!(manager.get(&path).await.expect("200").json(), user);
    app.advance(1);
    let changes =
        json!({ "username": "", "name": null, "avatar": "", "customData": {}, "profile": {}, "primaryPhone": null });
    let after = manager.patch(&path, changes).await.expect("200").json();
    for gone in ["username", "name", "avatar", "primaryPhone"] {
        assert_eq!(after[gone], Value::Null, "{gone}");
    }
    assert_eq!((&after["customData"], &after["profile"]), (&json!({}), &json!({})));
    assert_eq!((&after["primaryEmail"], &after["updatedAt"]), (&user["primaryEmail"], &json!(now + 1000)));
    manager.patch(&path, json!({})).await.expect("422 entity.invalid_input");
    manager.delete(&path).await.expect("204");
    manager.get(&path).await.expect("404 entity.not_found");
    for kind in ["user.created", "user.updated", "user.deleted"] {
        let mut session = app.app().db.read().await.unwrap();
        let sql = "select count(*) from audit_events where type = $1 and user_id = $2 and application_id = $3";
        let params = (kind, user["id"].as_str().unwrap(), &app.application);
        assert_eq!(session.fetch_value::<i64>(sql, params).await.unwrap(), 1, "{kind}");
    }
}

#[tokio::test]
async fn what_must_be_unique_is() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let body = json!({ "username": "ada", "primaryEmail": "ada@example.com", "primaryPhone": "447911123456", "externalId": "1" });
    manager.post("/api/users", body).await.expect("200");
    let other = manager.post("/api/users", json!({ "username": "Ada" })).await.expect("200").json();
    let path = format!("/api/users/{}", other["id"].as_str().unwrap());
    for (clash, refusal) in [
        (json!({ "username": "ada" }), "422 user.username_already_in_use"),
        (json!({ "primaryEmail": "ADA@example.com" }), "422 user.email_already_in_use"),
        (json!({ "primaryPhone": "4407911123456" }), "422 user.phone_already_in_use"),
        (json!({ "externalId": "1" }), "422 user.external_id_already_in_use"),
        (json!({ "primaryPhone": "999123456789" }), "422 user.invalid_phone"),
        (json!({ "name": "x".repeat(129) }), "422 entity.value_too_long"),
        (json!({ "username": "x".repeat(129) }), "422 entity.value_too_long"),
        (json!({ "primaryEmail": format!("{}@example.com", "x".repeat(128)) }), "422 entity.value_too_long"),
    ] {
        manager.post("/api/users", clash.clone()).await.expect(refusal);
        manager.patch(&path, clash).await.expect(refusal);
    }
    assert_eq!(app.number("select count(*) from users").await, 2, "a refused user leaves nothing");
}

#[tokio::test]
async fn digests_of_elsewhere_are_imported_and_upgraded() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let bad = |body: Value| manager.post("/api/users", body);
    bad(json!({ "password": "x", "passwordDigest": "y", "passwordAlgorithm": "MD5" }))
        .await
        .expect("400 user.password_and_digest");
    bad(json!({ "passwordDigest": "y" })).await.expect("400 user.password_algorithm_required");
    bad(json!({ "passwordDigest": "y", "passwordAlgorithm": "MD5" })).await.expect("422 user.invalid_password_digest");
    // MD5 of "password".
    let body = json!({ "passwordDigest": "5f4dcc3b5aa765d61d8327deb882cf99", "passwordAlgorithm": "MD5" });
    let user = manager.post("/api/users", body).await.expect("200").json();
    let path = format!("/api/users/{}", user["id"].as_str().unwrap());
    let verify =
        async |password: &str| manager.post(&format!("{path}/password/verify"), json!({ "password": password })).await;
    verify("wrong").await.expect("422 session.invalid_credentials");
    assert_eq!(app.number("select count(*) from users where password_algorithm = 'MD5'").await, 1);
    verify("password").await.expect("204");
    assert_eq!(app.number("select count(*) from users where password_algorithm = 'Argon2id'").await, 1);
    verify("password").await.expect("204");
    manager.patch(&format!("{path}/password"), json!({ "password": "x" })).await.expect("200");
    verify("password").await.expect("422 session.invalid_credentials");
    verify("x").await.expect("204");
    let bare = manager.post("/api/users", json!({})).await.expect("200").json();
    let has = async |id: &Value| {
        let path = format!("/api/users/{}/has-password", id.as_str().unwrap());
        manager.get(&path).await.expect("200").json()["hasPassword"].as_bool().unwrap()
    };
    assert!(has(&user["id"]).await && !has(&bare["id"]).await);
}

#[tokio::test]
async fn lists_come_in_pages_that_lead_to_each_other() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    for number in 0..5 {
        app.advance(1);
        manager.post("/api/users", json!({ "username": format!("u{number}") })).await.expect("200");
    }
    let answer = manager.get("/api/users?page=2&page_size=2&search=%25U%25").await.expect("200");
    let names: Vec<Value> = answer.json().as_array().unwrap().iter().map(|user| user["username"].clone()).collect();
    assert_eq!(names, ["u2", "u1"]);
    assert_eq!(answer.header("total-number"), Some("5"));
    let root = &app.app().urls.root;
    let link =
        |page: u32, rel: &str| format!("<{root}/api/users?search=%25U%25&page={page}&page_size=2>; rel=\"{rel}\"");
    let links = [link(1, "first"), link(3, "last"), link(1, "prev"), link(3, "next")].join(", ");
    assert_eq!(answer.header("link"), Some(links.as_str()));
    let all = manager.get("/api/users").await.expect("200");
    assert_eq!(all.json().as_array().unwrap().len(), 5);
    assert!(!all.header("link").unwrap().contains("next"));
    assert_eq!(manager.get("/api/users?page=9").await.expect("200").json(), json!([]));
    for query in ["page=0", "page=-1", "page=x", "page=", "page_size=0", "page_size=101", "page=99999999999999999999"] {
        manager.get(&format!("/api/users?{query}")).await.expect("400 guard.invalid_pagination");
        manager.get(&format!("/api/applications?{query}")).await.expect("400 guard.invalid_pagination");
    }
}

#[tokio::test]
async fn users_are_found_by_pattern_and_by_identifier() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let body = json!({ "username": "Ada_L", "primaryEmail": "Ada@Example.com", "primaryPhone": "447911123456", "name": "Ada Lovelace",
        "externalId": "idp|7" });
    let ada = manager.post("/api/users", body).await.expect("200").json()["id"].clone();
    manager.post("/api/users", json!({ "username": "AdaxL" })).await.expect("200");
    let id = ada.as_str().unwrap();
    for query in [
        "search=%25love%25",
        "search=ada@%25",
        "search=ADA_L",
        "search=4479%25",
        &format!("search={id}"),
        &format!("search.id={id}"),
        "search.username=Ada_L",
        "search.primaryEmail=ADA@EXAMPLE.COM",
        "search.primaryPhone=4407911123456",
        "search.externalId=idp%7C7",
        "search.username=nobody&search.externalId=idp%7C7",
    ] {
        let answer = manager.get(&format!("/api/users?{query}")).await.expect("200");
        assert_eq!(answer.header("total-number"), Some("1"), "{query}");
        assert_eq!(answer.json()[0]["id"], ada, "{query}");
    }
    for query in
        ["search=love", "search=!%25", "search.username=ada_l", "search.primaryEmail=x", "search.primaryPhone=x"]
    {
        assert_eq!(manager.get(&format!("/api/users?{query}")).await.expect("200").json(), json!([]), "{query}");
    }
    let long = format!("search={}", "x".repeat(257));
    for query in ["search=a&search.id=b", "search=%00", "search.username=a%00", &long] {
        manager.get(&format!("/api/users?{query}")).await.expect("400 guard.invalid_input");
    }
}

/// Whether a record still opens the gate of the password.
async fn opens(user: &crate::harness::User<'_>, record: &str) -> bool {
    let answer = user.call("PATCH", "/api/my-account", record, json!({ "username": format!("n_{}", user.id) })).await;
    assert!(["200", "401 verification_record.permission_denied"].contains(&answer.gist().as_str()), "{answer:?}");
    answer.status == 200
}

#[tokio::test]
async fn records_die_with_the_fact_they_rest_on() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let user = app.user().await;
    let path = format!("/api/users/{}", user.id);
    let keep = json!({ "sessionPolicy": { "endOnPasswordChange": false } });
    manager.patch("/api/sign-in-exp", keep).await.expect("200");
    let (by_password, by_mail) = (user.verify_password().await, user.verify_code("email", &user.email).await);
    app.advance(31);
    let by_phone = user.verify_code("phone", &user.phone).await;
    manager.patch(&format!("{path}/password"), json!({ "password": "of the operator" })).await.expect("200");
    assert!(!opens(&user, &by_password).await && opens(&user, &by_mail).await);
    app.wait_for_message(|message| message.template == Template::PasswordChanged).await;
    manager.patch(&path, json!({ "primaryEmail": user.email.to_uppercase() })).await.expect("200");
    assert!(opens(&user, &by_mail).await, "another spelling is the same address");
    manager.patch(&path, json!({ "primaryEmail": user.new_email() })).await.expect("200");
    assert!(!opens(&user, &by_mail).await && opens(&user, &by_phone).await);
    let notice = app.wait_for_message(|message| message.template == Template::EmailChanged).await;
    assert_eq!(notice.to.to_lowercase(), user.email.to_lowercase(), "the previous address is told");
    manager.patch(&path, json!({ "primaryPhone": null })).await.expect("200");
    assert!(!opens(&user, &by_phone).await);
    let notice = app.wait_for_message(|message| message.template == Template::PhoneChanged).await;
    assert_eq!(notice.to, format!("+{}", user.phone));
}

#[tokio::test]
async fn suspension_and_deletion_end_everything_at_once() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let user = app.user().await;
    let path = format!("/api/users/{}/is-suspended", user.id);
    let record = user.verify_password().await;
    let suspended = manager.patch(&path, json!({ "isSuspended": true })).await.expect("200").json();
    assert_eq!(suspended["isSuspended"], true);
    user.get("/api/my-account").await.expect("401 auth.unauthorized");
    manager.patch(&path, json!({ "isSuspended": false })).await.expect("200");
    user.get("/api/my-account").await.expect("401 auth.unauthorized");
    let back = user.with_token(user.new_token(&app.application, &["openid", "profile"]).await);
    back.get("/api/my-account").await.expect("200");
    assert!(!opens(&back, &record).await, "a record of before");
    manager.call(Method::DELETE, &format!("/api/users/{}", user.id), None).await.expect("204");
    back.get("/api/my-account").await.expect("401 auth.unauthorized");
    for sql in
        ["select count(*) from verification_records", "select count(*) from sessions", "select count(*) from users"]
    {
        assert_eq!(app.number(sql).await, 0, "{sql}");
    }
}
