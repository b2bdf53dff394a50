//! Which fact is told as what, and what is never told.

use std::{collections::BTreeSet, fs, path::Path};

use countersign::{audit::kinds, domain::hook::HookEvent};
use serde_json::{Value, json};

use super::{Receiver, body, register, settle, started};
use crate::harness::TestApp;

#[test]
fn every_event_is_documented_and_some_fact_is_told_as_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = fs::read_to_string(root.join("docs/webhooks.md")).unwrap();
    for event in HookEvent::ALL {
        let kinds = kinds::ALL.iter().filter(|kind| kind.told.contains(event)).map(|kind| format!("`{}`", kind.name));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        assert!(!kinds.is_empty(), "nothing is told as {}", event.name());
        let line = format!("| `{}` | {} | {kinds} |", event.name(), event.meaning());
        assert!(documented.contains(&line), "docs/webhooks.md lacks: {line}");
    }
    let lines = documented.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4).count();
    assert_eq!(lines, HookEvent::ALL.len(), "docs/webhooks.md has lines that are no events");
}

/// The events that came since the last time, once everything is delivered.
async fn told(app: &TestApp, receiver: &Receiver) -> Vec<Value> {
    settle(&[app], "select count(*) from outbox where kind = 'hook' and delivered_at is null", 0).await;
    let seen = receiver.seen();
    let before = std::mem::replace(&mut *receiver.looked_at.lock().unwrap(), seen.len());
    seen[before..].iter().map(body).collect()
}

fn names(told: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = told.iter().map(|body| body["event"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn one<'a>(told: &'a [Value], event: &str) -> &'a Value {
    let mut found = told.iter().filter(|body| body["event"] == event);
    let first = found.next().unwrap_or_else(|| panic!("no {event} in {told:?}"));
    assert!(found.next().is_none(), "{event} twice in {told:?}");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fact_is_told_once_and_without_secrets() {
    let app = started().await;
    let receiver = Receiver::start();
    let all: Vec<&str> = HookEvent::ALL.iter().map(|event| event.name()).collect();
    let hook = register(&app, &receiver.base, &all).await;
    let user = app.user().await;
    let mine = "/api/my-account";
    // As we write it: the domain in small letters.
    let address = user.email.replace("Example", "example");
    let application = app.application.as_str();
    let mut secrets: BTreeSet<String> =
        [&user.password, &user.token, "a wrong pass phrase", "another pass phrase"].map(Into::into).into();
    secrets.extend([app.management_secret.clone(), hook["signingKey"].as_str().unwrap().to_owned()]);

    // A failure and a success; what a success earned dies with the password.
    user.try_password("a wrong pass phrase").await.expect("422 session.invalid_credentials");
    let record = user.verify_password().await;
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["Verification.Failed", "Verification.Succeeded"]);
    let about = json!({ "userId": user.id, "applicationId": application, "method": "password", "reason": "session.invalid_credentials" });
    let failed = one(&facts, "Verification.Failed");
    assert_eq!((&failed["data"], &failed["ip"], &failed["hookId"]), (&about, &json!("127.0.0.1"), &hook["id"]));
    let about = json!({ "userId": user.id, "applicationId": application, "method": "password" });
    assert_eq!(one(&facts, "Verification.Succeeded")["data"], about);
    let password = json!({ "password": "another pass phrase" });
    user.call("POST", &format!("{mine}/password"), &record, password).await.expect("204");
    secrets.insert(record);
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["User.Data.Updated", "Verification.Revoked"]);
    let about = json!({ "userId": user.id, "applicationId": application, "method": "password", "records": 1 });
    assert_eq!(one(&facts, "Verification.Revoked")["data"], about);
    assert_eq!(one(&facts, "User.Data.Updated")["data"]["primaryEmail"], user.email);

    // A code: sent, sent too often, right.
    let sent = user.send_code("email", &user.email).await.expect("201").record();
    for _ in 0..3 {
        user.send_code("email", &user.email).await.expect("429 request.message_rate_limited");
    }
    let code = app.code_for(&user.email);
    user.try_code("email", &user.email, &sent, &code).await.expect("200");
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["Message.RateLimited", "Verification.Succeeded"]);
    let limited = one(&facts, "Message.RateLimited");
    assert_eq!((&limited["action"], &limited["recipient"]), (&json!("VerificationCodeSend"), &json!(address)));
    app.advance(601);
    user.send_code("email", &user.email).await.expect("201");
    user.send_code("email", &user.email).await.expect("429 request.message_rate_limited");
    assert_eq!(names(&told(&app, &receiver).await), ["Message.RateLimited"], "told again in the next window");

    // Changes that need no verification.
    user.patch(mine, json!({ "name": "Ada" })).await.expect("200");
    user.patch(&format!("{mine}/profile"), json!({ "nickname": "Countess" })).await.expect("200");
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["User.Data.Updated", "User.Data.Updated"]);
    assert!(facts.iter().any(|body| body["data"]["profile"]["nickname"] == "Countess"));

    // Locked, though the request fails.
    for _ in 0..8 {
        user.try_password("a wrong pass phrase").await.expect("422 session.invalid_credentials");
    }
    user.try_password("a wrong pass phrase").await.expect("400 session.verification_blocked_too_many_attempts");
    user.try_password("a wrong pass phrase").await.expect("400 session.verification_blocked_too_many_attempts");
    let facts = told(&app, &receiver).await;
    assert_eq!(facts.iter().filter(|body| body["event"] == "Verification.Failed").count(), 9);
    let lockout = one(&facts, "Identifier.Lockout");
    assert_eq!((&lockout["type"], &lockout["value"]), (&json!("userId"), &json!(user.id)));
    assert_eq!(one(&facts, "Verification.Locked")["data"]["lockedUntil"], "2026-11-20T12:25:01.000Z");

    // By code it is the address that is named.
    app.advance(31);
    let (sent, code) = (user.send_code("email", &user.email).await.expect("201").record(), app.code_for(&user.email));
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..10 {
        user.try_code("email", &user.email, &sent, wrong).await;
    }
    let facts = told(&app, &receiver).await;
    let lockout = one(&facts, "Identifier.Lockout");
    assert_eq!((&lockout["type"], &lockout["value"]), (&json!("email"), &json!(address)));
    secrets.insert(sent);

    let bodies = receiver.seen();
    assert!(bodies.len() > 30);
    for request in &bodies {
        let text = String::from_utf8(request.body.clone()).unwrap();
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {text}");
        }
        assert!(!text.contains("argon2"), "{text}");
        // Codes are too short to be looked for in ids and times.
        let told = &body(request)["data"]["method"];
        assert!(told.is_null() || !body(request)["data"].to_string().contains(&code), "{code} is in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_do_is_told() {
    let app = started().await;
    let receiver = Receiver::start();
    let all: Vec<&str> = HookEvent::ALL.iter().map(|event| event.name()).collect();
    register(&app, &receiver.base, &all).await;
    let user = app.user().await;
    let manager = app.manager().await;
    let path = format!("/api/users/{}", user.id);
    user.verify_password().await;
    let proof = user.verify_code("email", &user.email).await;
    told(&app, &receiver).await;

    manager.patch(&path, json!({ "primaryEmail": "augusta.king@example.net" })).await.expect("200");
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["User.Data.Updated", "Verification.Revoked"]);
    assert_eq!(one(&facts, "User.Data.Updated")["data"]["primaryEmail"], "augusta.king@example.net");
    let about = json!({ "userId": user.id, "applicationId": app.application, "method": "email_code", "records": 1 });
    assert_eq!(one(&facts, "Verification.Revoked")["data"], about);
    manager.patch(&format!("{path}/is-suspended"), json!({ "isSuspended": true })).await.expect("200");
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["User.SuspensionStatus.Updated", "Verification.Revoked"]);
    assert_eq!(one(&facts, "User.SuspensionStatus.Updated")["data"]["isSuspended"], true);
    assert_eq!(one(&facts, "Verification.Revoked")["data"]["records"], 1, "the one by password");
    manager.patch(&format!("{path}/is-suspended"), json!({ "isSuspended": false })).await.expect("200");
    manager.patch(&format!("{path}/password"), json!({ "password": "set by an operator" })).await.expect("200");
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["User.Data.Updated", "User.SuspensionStatus.Updated"]);
    assert_eq!(one(&facts, "User.SuspensionStatus.Updated")["data"]["isSuspended"], false);
    manager.delete(&path).await.expect("204");
    let facts = told(&app, &receiver).await;
    assert_eq!(names(&facts), ["User.Deleted"]);
    assert_eq!(one(&facts, "User.Deleted")["data"]["id"], json!(user.id), "as they were");
    manager.post("/api/users", json!({ "username": "somebody" })).await.expect("200");
    assert_eq!(names(&told(&app, &receiver).await), ["User.Created"]);
    assert!(!facts[0].to_string().contains(&proof) && !facts[0].to_string().contains("argon2"));
}
