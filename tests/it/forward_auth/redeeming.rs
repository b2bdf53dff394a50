//! Records at `/forward-auth`: what is agreed to passes, once.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::{config::forward_auth::Unrouted, storage::users};
use serde_json::{Value, json};

use super::{
    answers::{NGINX, PAID, ask},
    guarding,
    lab::{HOST, Lab, taken},
};
use crate::{
    chaos::proxy::Way,
    harness::{Answer, Bound, TestApp, User},
    operations::step_up::exchange,
};

/// A parameter of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let (_, rest) = challenge.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name}: {challenge}"));
    rest.split('"').next().unwrap()
}

/// Does what a challenge says, knowing nothing but its header: the record's id.
async fn satisfy(user: &User<'_>, challenge: &str) -> String {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(parameter(challenge, "payload")).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    consent(user, parameter(challenge, "operation"), payload).await
}

async fn consent(user: &User<'_>, operation: &str, payload: Value) -> String {
    let record = user.open(operation, payload).await.expect("201").record();
    user.add_password(&record).await.expect("201");
    record
}

fn transfer(id: u32) -> Value {
    json!({ "method": "POST", "host": HOST, "path": format!("/transfers/{id}/execute"), "query": "" })
}

/// Asks about the first transfer.
async fn ask_as(app: &TestApp, user: &User<'_>, record: &str) -> Answer {
    let token = format!("Bearer {}", user.token);
    ask(app, NGINX, PAID, &[("authorization", &token), ("verification-id", record)]).await
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn what_was_agreed_to_passes_every_proxy_once() {
    let lab = Lab::start(guarding(Unrouted::Refuse)).await;
    let user = lab.app.user().await;
    let token = format!("Authorization: Bearer {}", user.token);
    for (number, front) in lab.fronts.iter().enumerate() {
        let name = front.name;
        let line = format!("POST /transfers/{number}/execute?note=%2e%2e/x");
        let asked = front.send(line.as_bytes(), &[&token], "{}").await;
        let record = satisfy(&user, asked.header("www-authenticate").unwrap()).await;
        let shown = format!("Verification-Id: {record}");
        let headers = [token.as_str(), &shown, "X-Countersign-Subject: mallory", "X-Countersign-Amr: hwk"];
        let passed = front.send(line.as_bytes(), &headers, r#"{"now":true}"#).await;
        assert_eq!((passed.status, passed.body.contains("done by the back end")), (200, true), "{name}: {passed:?}");
        let again = front.send(line.as_bytes(), &headers, r#"{"now":true}"#).await;
        assert_eq!(again.status, 401, "{name}: {again:?}");

        let seen = lab.seen();
        assert_eq!(seen.len(), 1, "{name}: {seen:?}");
        assert_eq!((seen[0].method.as_str(), &*seen[0].body), ("POST", &br#"{"now":true}"#[..]), "{name}");
        assert_eq!(seen[0].target, line["POST ".len()..], "{name}");
        let said: Vec<_> =
            ["subject", "operation", "amr"].map(|name| seen[0].header(&format!("x-countersign-{name}"))).into();
        assert_eq!(said, [Some(user.id.0.as_str()), Some("payments.transfer"), Some("pwd")], "{name}");
        let lines = seen[0].headers.iter().filter(|(header, _)| header.starts_with("x-countersign-")).count();
        assert_eq!(lines, 4, "{name}: {seen:?}");
        let assertion = claims(seen[0].header("x-countersign-assertion").unwrap());
        assert_eq!((&assertion["aud"], &assertion["sub"]), (&json!(HOST), &json!(user.id.0)), "{name}");
        assert!(assertion["payload_digest"].is_string(), "{name}: {assertion}");
    }
    assert_eq!(lab.app.number("select count(*) from audit_events where type = 'operation.redeemed'").await, 3);
}

#[tokio::test]
async fn a_record_is_for_one_target() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let user = app.user().await;
    let token = format!("Bearer {}", user.token);
    let others = [
        ["POST", HOST, "/transfers/2/execute"],
        ["POST", HOST, "/transfers/1/execute?a"],
        ["POST", HOST, "/transfers/%61/execute"],
    ];
    for other in others {
        let record = consent(&user, "payments.transfer", transfer(1)).await;
        let headers = [("authorization", token.as_str()), ("verification-id", &record)];
        let answer = ask(&app, NGINX, other, &headers).await.expect("401 verification_record.permission_denied");
        assert_eq!(answer.json()["data"]["reason"], "verification_record.payload_mismatch");
        // It was an attack, or looks like one: the record is dead.
        let answer = ask_as(&app, &user, &record).await.expect("401 verification_record.permission_denied");
        assert_eq!(answer.json()["data"]["reason"], "verification_record.revoked");
    }
    let mismatches = app.number("select count(*) from audit_events where type = 'operation.payload_mismatch'").await;
    assert_eq!(mismatches, 3);
    // Another spelling of the same is the same.
    let record = consent(&user, "payments.transfer", transfer(1)).await;
    let headers = [("authorization", token.as_str()), ("verification-id", &record)];
    ask(&app, NGINX, ["POST", "Bank.Example:443", "/tr%61nsfers/%31/execute?"], &headers).await.expect("200");
}

#[tokio::test]
async fn a_step_up_token_passes_where_nothing_is_bound_while_its_record_lives() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let user = app.user().await;
    let denied = "401 verification_record.permission_denied";
    let ask = async |token: &str, target: [&str; 3]| {
        ask(&app, NGINX, target, &[("authorization", &format!("Bearer {token}"))]).await
    };
    let view = ["GET", HOST, "/admin/salaries"];
    let challenge = ask(&user.token, view).await.expect(denied);
    assert!(parameter(challenge.header("www-authenticate").unwrap(), "acr_values").ends_with(":methods:password"));

    let record = consent(&user, "payroll.view", Value::Null).await;
    let stepped_up = exchange(&user, &user.token, &record, &[]).await.expect("200").json();
    let stepped_up = stepped_up["access_token"].as_str().unwrap();
    for _ in 0..2 {
        let passed = ask(stepped_up, view).await.expect("200");
        assert_eq!(passed.header("x-countersign-operation"), Some("payroll.view"));
    }
    // What must be bound to the request is not carried by a token.
    ask(stepped_up, PAID).await.expect(denied);
    ask(stepped_up, view).await.expect("200");
    user.call("DELETE", &format!("/api/verifications/{record}"), "", Value::Null).await.expect("204");
    ask(stepped_up, view).await.expect(denied);
}

#[tokio::test]
async fn nothing_but_a_fresh_own_record_for_this_passes() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let (user, other) = (app.user().await, app.user().await);
    let denied = "401 verification_record.permission_denied";
    ask_as(&app, &user, &consent(&other, "payments.transfer", transfer(1)).await).await.expect(denied);
    ask_as(&app, &user, &consent(&user, "payroll.view", Value::Null).await).await.expect(denied);
    ask_as(&app, &user, &user.verify_password().await).await.expect(denied);
    ask_as(&app, &user, &user.open("payments.transfer", transfer(1)).await.record()).await.expect(denied);
    for nonsense in ["", "x", "00000000000000000000000000000000"] {
        ask_as(&app, &user, nonsense).await.expect(denied);
    }
    let old = consent(&user, "payments.transfer", transfer(1)).await;
    app.advance(301);
    ask_as(&app, &user, &old).await.expect(denied);
    let withdrawn = consent(&user, "payments.transfer", transfer(1)).await;
    user.call("DELETE", &format!("/api/verifications/{withdrawn}"), "", json!({})).await.expect("204");
    ask_as(&app, &user, &withdrawn).await.expect(denied);
    let good = consent(&user, "payments.transfer", transfer(1)).await;
    ask_as(&app, &user, &good).await.expect("200");
    let manager = app.manager().await;
    let spared = consent(&user, "payments.transfer", transfer(1)).await;
    let path = format!("/api/users/{}/is-suspended", user.id);
    manager.patch(&path, json!({ "isSuspended": true })).await.expect("200");
    assert_eq!(ask_as(&app, &user, &spared).await.status, 401);
}

#[tokio::test]
async fn forty_at_once_are_one() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let user = app.user().await;
    let record = consent(&user, "payments.transfer", transfer(1)).await;
    let asked = (0..40).map(|_| ask_as(&app, &user, &record));
    let answers = futures_util::future::join_all(asked).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(passed, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 401)), "{answers:?}");
}

#[tokio::test]
async fn what_is_good_until_it_expires_passes_until_then() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let user = app.user().await;
    let token = format!("Bearer {}", user.token);
    let record = consent(&user, "payroll.view", Value::Null).await;
    let headers = [("authorization", token.as_str()), ("verification-id", &record)];
    for path in ["/admin", "/admin/people?page=1", "/admin/people?page=2"] {
        ask(&app, NGINX, ["GET", HOST, path], &headers).await.expect("200");
    }
    let challenged = ask(&app, NGINX, ["GET", HOST, "/admin"], &headers[..1]).await;
    let challenge = challenged.header("www-authenticate").unwrap();
    assert!(!challenge.contains("payload"), "nothing is bound: {challenge}");
    app.advance(601);
    let late = ask(&app, NGINX, ["GET", HOST, "/admin"], &headers).await;
    late.expect("401 verification_record.permission_denied");
}

#[tokio::test]
async fn whoever_has_none_of_the_methods_is_told_so() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let user = app.user().await;
    let mut session = app.write().await;
    users::set_email(&mut session, &user.id, None, None, app.now()).await.unwrap();
    session.commit().await.unwrap();
    ask_as(&app, &user, "").await.expect("401 verification_record.permission_denied");
    let third = app.user().await;
    let mut session = app.write().await;
    users::set_email(&mut session, &third.id, None, None, app.now()).await.unwrap();
    session.execute("update users set password_digest = null where id = $1", (&third.id,)).await.unwrap();
    session.commit().await.unwrap();
    let answer = ask_as(&app, &third, "").await.expect("403 operation.enrolment_required");
    assert!(answer.json()["data"]["missing"].is_array(), "{answer:?}");
}

#[tokio::test]
async fn a_bound_token_comes_with_a_proof_for_the_other_back_end() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let user = app.user().await;
    let bound = Bound::new(&user).await;
    let scheme = format!("DPoP {}", bound.token);
    let proof = |claims: Value| bound.proof("POST", "/forward-auth", &claims);
    let there = || proof(json!({ "htu": format!("https://{HOST}/transfers/1/execute") }));
    let ask = async |proof: &str, record: &str| {
        ask(&app, NGINX, PAID, &[("authorization", &scheme), ("dpop", proof), ("verification-id", record)]).await
    };
    let challenged = ask(&there(), "").await.expect("401 verification_record.permission_denied");
    assert!(challenged.header("www-authenticate").unwrap().starts_with("DPoP "), "{challenged:?}");
    assert!(challenged.header("dpop-nonce").is_some(), "{challenged:?}");
    let opened =
        bound.post("/api/verifications", json!({ "operation": "payments.transfer", "payload": transfer(1) })).await;
    let record = opened.expect("201").record();
    let body = json!({ "password": user.password, "verificationRecordId": record });
    bound.post("/api/verifications/password/verify", body).await.expect("201");
    for (what, wrong) in [
        ("our own address", proof(json!({}))),
        ("another path", proof(json!({ "htu": format!("https://{HOST}/transfers/2/execute") }))),
        ("another host", proof(json!({ "htu": "https://shop.example/transfers/1/execute" }))),
        ("another method", proof(json!({ "htu": format!("https://{HOST}/transfers/1/execute"), "htm": "GET" }))),
    ] {
        let answer = ask(&wrong, &record).await;
        assert_eq!(answer.gist(), "401 auth.invalid_dpop_proof", "{what}");
    }
    // What was opened under a key is not used without it.
    let bare = ask_as(&app, &user, &record).await.expect("401 verification_record.permission_denied");
    assert_eq!(bare.json()["data"]["reason"], "verification_record.not_found");
    ask(&there(), &record).await.expect("200");
}

#[tokio::test]
async fn an_answer_that_is_lost_costs_the_record_and_nothing_else() {
    let lab = Lab::start(guarding(Unrouted::Refuse)).await;
    let user = lab.app.user().await;
    let token = format!("Authorization: Bearer {}", user.token);
    for front in &lab.fronts {
        let record = consent(&user, "payments.transfer", transfer(1)).await;
        let headers = [token.as_str(), &format!("Verification-Id: {record}")];
        lab.way.set(Way::Silent);
        let lost = front.send(b"POST /transfers/1/execute", &headers, "").await;
        assert!(lost.status >= 500, "{}: {lost:?}", front.name);
        lab.way.set(Way::Open);
        // Countersign may have heard the question or not: the record passes once or never.
        let statuses = [
            front.send(b"POST /transfers/1/execute", &headers, "").await.status,
            front.send(b"POST /transfers/1/execute", &headers, "").await.status,
        ];
        assert!(matches!(statuses, [200 | 401, 401]), "{}: {statuses:?}", front.name);
        assert!(lab.seen().len() <= 1, "{}", front.name);
    }
}

#[tokio::test]
async fn a_record_outlives_a_restart() {
    let Lab { app, way, fronts, seen } = Lab::start(guarding(Unrouted::Refuse)).await;
    let next = app.second_node_as(guarding(Unrouted::Refuse), |_| {}).await;
    let user = app.user().await.on(&next);
    let token = format!("Authorization: Bearer {}", user.token);
    let mut records = Vec::new();
    for front in &fronts {
        let record = format!("Verification-Id: {}", consent(&user, "payments.transfer", transfer(1)).await);
        // Its connections to the first node are open by now.
        assert_eq!(front.send(b"POST /transfers/1/execute", &[&token], "").await.status, 401, "{}", front.name);
        records.push(record);
    }
    app.running.stop().await;
    for (front, record) in fronts.iter().zip(&records) {
        let down = front.send(b"POST /transfers/1/execute", &[&token, record], "").await;
        assert!(down.status >= 500, "{}: {down:?}", front.name);
    }
    assert_eq!(taken(&seen).len(), 0);
    way.aim(next.running.address.port());
    for (front, record) in fronts.iter().zip(&records) {
        assert_eq!(front.send(b"POST /transfers/1/execute", &[&token, record], "").await.status, 200, "{}", front.name);
        assert_eq!(front.send(b"POST /transfers/1/execute", &[&token, record], "").await.status, 401, "{}", front.name);
    }
    assert_eq!(taken(&seen).len(), 3);
}

#[tokio::test]
async fn a_slow_countersign_is_waited_for() {
    let lab = Lab::start(guarding(Unrouted::Refuse)).await;
    let user = lab.app.user().await;
    let token = format!("Authorization: Bearer {}", user.token);
    lab.way.set(Way::Slow(Duration::from_millis(300)));
    for front in &lab.fronts {
        let record = consent(&user, "payments.transfer", transfer(1)).await;
        let answer =
            front.send(b"POST /transfers/1/execute", &[&token, &format!("Verification-Id: {record}")], "").await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", front.name);
    }
}
