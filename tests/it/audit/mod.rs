//! The audit log: what is in it, who sees it, and what cannot be done to it.

mod api;
mod chain;
mod database;
mod export;

use std::{collections::BTreeSet, fs, path::Path};

use countersign::audit::{self, Actor, kinds};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, sources, with_operations};

/// Every event, as the management API shows them, oldest first.
async fn events(app: &TestApp) -> Vec<Value> {
    let manager = app.manager().await;
    let mut all = Vec::new();
    for page in 1.. {
        let answer = manager.get(&format!("/api/audit-events?page={page}&page_size=100")).await.expect("200");
        let items = answer.json().as_array().unwrap().clone();
        if items.is_empty() {
            break;
        }
        all.extend(items);
    }
    all.reverse();
    all
}

#[test]
fn every_type_of_event_is_listed_and_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = fs::read_to_string(root.join("docs/audit.md")).unwrap();
    let by = |kind: &kinds::Kind| if kind.by == kinds::By::Owner { "owner" } else { "other" };
    for kind in kinds::ALL {
        let members = kind.members.iter().map(|member| format!("`{member}`")).collect::<Vec<_>>().join(", ");
        let members = if members.is_empty() { "–".to_owned() } else { members };
        let line = format!("| `{}` | {} | {members} | {} |", kind.name, by(kind), kind.meaning);
        assert!(documented.contains(&line), "docs/audit.md lacks: {line}");
    }
    let lines = documented.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(lines, kinds::ALL.len(), "docs/audit.md has lines that are no types of events");
    let names: BTreeSet<&str> = kinds::ALL.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds::ALL.len());
    // Looking changes nothing, and leaves nothing.
    for operation in countersign::operations::ALL.iter().filter(|operation| operation.method != "GET") {
        assert!(names.contains(operation.name), "{} is not in audit::kinds", operation.name);
    }
    let mut written = 0;
    for path in sources("src") {
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("audit::write(").chain(text.match_indices("super::write(")) {
            let call = &text[at..text.len().min(at + 200)];
            let call = call.split(".await").next().unwrap();
            let Some(name) = call.split('"').nth(1).filter(|name| name.contains('.')) else { continue };
            written += 1;
            assert!(names.contains(name), "{}: {name} is not in audit::kinds", path.display());
        }
    }
    assert!(written >= 15, "the calls are no longer found: {written}");
}

#[tokio::test]
async fn an_event_of_no_listed_type_is_not_written() {
    let app = TestApp::start().await;
    let nobody = Actor { user: None, application: None, client: None };
    let mut session = app.write().await;
    audit::write(app.app(), &mut session, "nothing.such", nobody, json!({})).await.unwrap_err();
    audit::write(app.app(), &mut session, "user.updated", nobody, json!({ "fields": [0.5] })).await.unwrap_err();
    audit::write(app.app(), &mut session, "user.updated", nobody, json!({ "fields": [1] })).await.unwrap();
}

/// What an event must never have: secrets that went over the wire, and whole addresses.
#[derive(Default)]
struct Secrets(BTreeSet<String>);

impl Secrets {
    fn add(&mut self, text: &str) {
        assert!(text.len() >= 6, "{text} would be found by chance");
        self.0.insert(text.to_lowercase());
    }
}

/// A user consents to payments, and a back end redeems, reserves, and is refused.
async fn consent(app: &TestApp, secrets: &mut Secrets) {
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let payload = json!({ "amount": "1999.00", "currency": "EUR", "payee": { "name": "Mallory and Sons" } });
    let redeemed = user.consent(payload.clone()).await;
    let answer = bank.redeem(&redeemed, "bank.pay", payload.clone(), &user).await.expect("200");
    bank.redeem(&redeemed, "bank.pay", payload.clone(), &user).await.expect("409 verification_record.already_redeemed");
    app.advance(31);
    let reserved = user.consent(payload.clone()).await;
    let body = json!({ "operation": "bank.pay", "payload": payload, "subject": user.id.0, "leaseSeconds": 60 });
    let reservation = bank.post(&format!("/api/verifications/{reserved}/reserve"), body).await.expect("200").json();
    bank.post(&format!("/api/verifications/{reserved}/release"), reservation).await.expect("204");
    bank.redeem(&reserved, "bank.pay", json!({}), &user).await.expect("409 verification_record.payload_mismatch");
    let withdrawn = user.open("bank.pay", payload).await.expect("201").record();
    user.call("DELETE", &format!("/api/verifications/{withdrawn}"), "", json!({})).await.expect("204");
    let assertion = answer.json()["assertion"].as_str().unwrap().to_owned();
    for text in [&redeemed, &reserved, &withdrawn, &assertion, "Mallory", "1999.00", &bank.secret] {
        secrets.add(text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_leaves_its_events_and_no_secrets() {
    let app = TestApp::start_with(|config| {
        with_operations(config);
        config.operations.retain(|operation| !operation.name.starts_with("account."));
    })
    .await;
    let user = app.user().await;
    let mut secrets = Secrets::default();
    for text in [&user.password, &user.token, &user.email, &user.phone] {
        secrets.add(text);
    }
    let mine = "/api/my-account";
    user.try_password("a wrong pass phrase").await.expect("422 session.invalid_credentials");
    secrets.add("a wrong pass phrase");
    let record = user.verify_password().await;
    let new = user.new_email();
    let sent = user.send_code("email", &new).await.expect("201").record();
    user.send_code("email", &new).await.expect("429 request.message_rate_limited");
    let code = app.code_for(&new);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    user.try_code("email", &new, &sent, wrong).await.expect("400 verification_code.code_mismatch");
    user.try_code("email", &new, &sent, &code).await.expect("200");
    let body = json!({ "email": new, "newIdentifierVerificationRecordId": sent });
    user.call("POST", &format!("{mine}/primary-email"), &record, body).await.expect("204");
    let phone = user.new_phone();
    let proof = user.verify_code("phone", &phone).await;
    let phone_code = app.code_for(&phone);
    let body = json!({ "phone": phone, "newIdentifierVerificationRecordId": proof });
    user.call("POST", &format!("{mine}/primary-phone"), &record, body).await.expect("204");
    let renamed = json!({ "username": "ada_lovelace", "customData": { "secret": "of the front end" } });
    user.call("PATCH", mine, &record, renamed).await.expect("200");
    user.patch(mine, json!({ "name": "Ada" })).await.expect("200");
    user.patch(&format!("{mine}/profile"), json!({ "nickname": "Countess" })).await.expect("200");
    let password = json!({ "password": "an entirely new passphrase" });
    user.call("POST", &format!("{mine}/password"), &record, password).await.expect("204");
    app.advance(60);
    let again = user.verify_code("phone", &phone).await;
    user.call("DELETE", &format!("{mine}/primary-email"), &again, json!({})).await.expect("204");
    for _ in 0..10 {
        user.try_password("a wrong pass phrase").await;
    }
    secrets.add(new.split('@').next().unwrap());
    for text in
        [&record, &sent, &new, &phone, &proof, &again, "an entirely new passphrase", "of the front end", "Countess"]
    {
        secrets.add(text);
    }
    manage(&app, &user.id.0, &mut secrets).await;
    sign_in(&app, &mut secrets).await;
    consent(&app, &mut secrets).await;

    let events = events(&app).await;
    let seen: BTreeSet<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let not_here = [
        "account.phone.delete",
        "token.stepped_up",
        // See tests/it/{passwordless,oauth,hosted,sessions}.
        "account.session.end",
        "session.ended",
        "sign_in.locked",
        "sign_in.guarded",
        "sign_in.ticket_issued",
        "tokens.issued",
        "tokens.reused",
        "application.secret_created",
        "application.secret_deleted",
        "verification.code_not_sent",
        "message.given_up",
        "hook.tested",
        "hook.given_up",
        "audit.swept",
        "session.started",
        "verification.disabled",
        "verification.unlocked",
        "signing_key.rotated",
        "signing_key.retired",
        "master_key.rotated",
    ];
    for kind in kinds::ALL.iter().filter(|kind| !not_here.contains(&kind.name)) {
        assert!(seen.contains(kind.name), "no {} among {seen:?}", kind.name);
    }
    for event in &events {
        let text = event.to_string().to_lowercase();
        for secret in &secrets.0 {
            assert!(!text.contains(secret.as_str()), "{secret} is in {text}");
        }
        let kind = kinds::find(event["type"].as_str().unwrap()).unwrap();
        for name in event["data"].as_object().unwrap().keys() {
            assert!(kind.members.contains(&name.as_str()), "{} has the undocumented {name}", kind.name);
        }
        // Codes are too short to be looked for in ids and times.
        for code in [&code, &phone_code, wrong] {
            assert!(!event["data"].to_string().contains(code), "{code} is in {event}");
        }
    }
    let failed = events.iter().filter(|event| event["type"] == "verification.failed").count();
    assert_eq!(failed, 1 + 10, "one event a failure; the last try was refused, the method being locked, and is none");
}

/// What operators and back ends do.
/// Somebody signs up and in, is shown out of one application and of a session, and uses a refresh token twice.
async fn sign_in(app: &TestApp, secrets: &mut Secrets) {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let body = json!({ "name": "A page", "type": "SPA" });
    let client = app.manager().await.post("/api/applications", body).await.expect("200").json()["id"].clone();
    let email = "signs.up@example.com";
    secrets.add("signs.up");
    let post = async |path: &str, body: Value| Answer::of(app.http.post(app.url(path)).json(&body)).await;
    let start = json!({ "client_id": client, "connection": "email", "email": email, "send": "code" });
    let start = async || post("/passwordless/start", start.clone()).await.expect("200");
    let grant = "http://auth0.com/oauth/grant-type/passwordless/otp";
    let redeem = async |otp: &str| {
        let scope = "openid offline_access urn:logto:scope:sessions";
        let body = json!({ "grant_type": grant, "client_id": client, "realm": "email", "username": email, "otp": otp, "scope": scope });
        post("/oauth/token", body).await
    };
    let code = async || app.wait_for_message(|message| message.to == email).await.payload.code.unwrap();
    start().await;
    let right = code().await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    redeem(wrong).await.expect("403 oidc.invalid_grant");
    let browsers = json!({ "client_id": client, "connection": "email", "email": email, "verification_code": right });
    post("/passwordless/verify", browsers).await.expect("200");
    let tokens = redeem(&right).await.expect("200").json();
    for name in ["access_token", "id_token", "refresh_token"] {
        secrets.add(tokens[name].as_str().unwrap());
    }
    let bearer = tokens["access_token"].as_str().unwrap();
    let call = async |method: reqwest::Method, path: &str, record: &str| {
        let request = app.http.request(method, app.url(path)).bearer_auth(bearer).header("Verification-Id", record);
        Answer::of(request).await
    };
    app.advance(60);
    let identifier = json!({ "type": "email", "value": email });
    let request = app.http.post(app.url("/api/verifications/verification-code")).bearer_auth(bearer);
    let record = Answer::of(request.json(&json!({ "identifier": identifier }))).await.expect("201").record();
    let shown = json!({ "identifier": identifier, "verificationId": record, "code": app.code_for(email) });
    let request = app.http.post(app.url("/api/verifications/verification-code/verify")).bearer_auth(bearer);
    Answer::of(request.json(&shown)).await.expect("200");
    secrets.add(&record);
    let claims = BASE64_URL_SAFE_NO_PAD.decode(bearer.split('.').nth(1).unwrap()).unwrap();
    let sid = serde_json::from_slice::<Value>(&claims).unwrap()["sid"].as_str().unwrap().to_owned();
    let path = format!("/api/my-account/grants/{sid}");
    call(reqwest::Method::DELETE, &path, &record).await.expect("204");
}

async fn manage(app: &TestApp, user: &str, secrets: &mut Secrets) {
    let manager = app.manager().await;
    secrets.add(&manager.token);
    secrets.add(&app.management_secret);
    let users = format!("/api/users/{user}");
    manager.patch(&users, json!({ "name": "Augusta", "primaryEmail": "augusta.king@example.net" })).await.expect("200");
    manager.patch(&format!("{users}/password"), json!({ "password": "set by an operator" })).await.expect("200");
    manager.post(&format!("{users}/password/verify"), json!({ "password": "set by an operator" })).await.expect("204");
    manager.patch(&format!("{users}/is-suspended"), json!({ "isSuspended": true })).await.expect("200");
    manager.patch(&format!("{users}/is-suspended"), json!({ "isSuspended": false })).await.expect("200");
    let subject = manager.post("/api/subject-tokens", json!({ "userId": user })).await.expect("201").json();
    let subject = subject["subjectToken"].as_str().unwrap();
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:logto:token-type:impersonation_token"),
        ("subject_token", subject),
    ];
    let request = app.http.post(app.url("/oidc/token")).form(&form);
    let request = request.basic_auth(&app.application, Some(&app.management_secret));
    let token = Answer::of(request).await.expect("200").json()["access_token"].as_str().unwrap().to_owned();
    let other = json!({ "primaryEmail": "somebody.else@example.net", "primaryPhone": "15005550099", "password": "born with it" });
    let other = manager.post("/api/users", other).await.expect("200").json();
    manager.delete(&format!("/api/users/{}", other["id"].as_str().unwrap())).await.expect("204");
    let made = manager.post("/api/applications", json!({ "name": "Office", "type": "MachineToMachine" })).await.json();
    let path = format!("/api/applications/{}", made["id"].as_str().unwrap());
    manager.patch(&path, json!({ "name": "Back office" })).await.expect("200");
    manager.call(Method::DELETE, &path, None).await.expect("204");
    let hook =
        json!({ "events": ["User.Deleted"], "config": { "url": "https://example.com/hush-hush" }, "enabled": false });
    let hook = manager.post("/api/hooks", hook).await.expect("201").json();
    let path = format!("/api/hooks/{}", hook["id"].as_str().unwrap());
    manager.patch(&path, json!({ "name": "Hook" })).await.expect("200");
    manager.call(Method::PATCH, &format!("{path}/signing-key"), None).await.expect("200");
    manager.delete(&path).await.expect("204");
    secrets.add("hush-hush");
    secrets.add(hook["signingKey"].as_str().unwrap());
    manager.patch("/api/account-center", json!({ "enabled": true })).await.expect("200");
    manager.patch("/api/sign-in-exp", json!({ "sentinelPolicy": { "maxAttempts": 10 } })).await.expect("200");
    for text in [
        subject,
        &token,
        "augusta.king@example.net",
        "set by an operator",
        "somebody.else@example.net",
        "15005550099",
        "born with it",
    ] {
        secrets.add(text);
    }
    secrets.add(made["secret"].as_str().unwrap_or("no secret here"));
}
