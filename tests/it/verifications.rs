//! Verification by password and by code (contract 1.1 to 1.3, 1.6 to 1.8).

use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn the_right_password_creates_a_verified_record_on_both_paths() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for path in ["/api/verifications/password/verify", "/api/verifications/password"] {
        let answer = user.post(path, json!({ "password": user.password })).await.expect("201");
        assert_eq!(answer.json()["expiresAt"], "2026-11-20T12:10:00.000Z");
        let record = answer.record();
        assert_eq!(record.len(), 32);
        user.call("PATCH", "/api/my-account", &record, json!({ "username": "proved" })).await.expect("200");
    }
}

#[tokio::test]
async fn a_wrong_password_stores_nothing_and_says_the_same_as_no_password() {
    let app = TestApp::start().await;
    let (user, bare) = (app.user().await, app.user().await);
    let mut session = app.write().await;
    session.execute("update users set password_digest = null where id = $1", (&bare.id,)).await.unwrap();
    session.commit().await.unwrap();
    let wrong = user.try_password("not it").await.expect("422 session.invalid_credentials");
    let none = bare.try_password("not it").await.expect("422 session.invalid_credentials");
    assert_eq!(wrong.text, none.text);
    assert_eq!(app.number("select count(*) from verification_records").await, 0);
}

#[tokio::test]
async fn an_old_hash_is_upgraded_when_it_is_used() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let mut session = app.write().await;
    let md5 = "5f4dcc3b5aa765d61d8327deb882cf99"; // of `password`
    let sql = "update users set password_digest = $2, password_algorithm = 'MD5' where id = $1";
    session.execute(sql, (&user.id, md5)).await.unwrap();
    session.commit().await.unwrap();
    user.try_password("password").await.expect("201");
    assert_eq!(app.number("select count(*) from users where password_algorithm = 'Argon2id'").await, 1);
    user.try_password("password").await.expect("201");
}

#[tokio::test]
async fn a_code_goes_to_the_own_address_and_opens_a_gate() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for (kind, to) in [("email", user.email.clone()), ("phone", user.phone.clone())] {
        let record = user.verify_code(kind, &to).await;
        let answer = user.call("PATCH", "/api/my-account", &record, json!({ "username": format!("by_{kind}") })).await;
        answer.expect("200");
    }
    let messages = app.mailbox.messages();
    assert!(messages.iter().all(|message| message.template.name() == "UserPermissionValidation"));
}

#[tokio::test]
async fn the_own_address_in_another_spelling_is_still_the_own_one() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_code("email", &user.email.to_uppercase()).await;
    user.call("PATCH", "/api/my-account", &record, json!({ "username": "spelled" })).await.expect("200");
}

#[tokio::test]
async fn refusals_of_codes_are_those_of_the_contract() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (email, phone) = (user.email.clone(), user.phone.clone());
    let record = user.send_code("email", &email).await.expect("201").record();
    let code = app.code_for(&email);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    user.try_code("email", &email, "unknown", &code).await.expect("400 verification_record.not_found");
    user.try_code("phone", &phone, &record, &code).await.expect("400 verification_record.not_found");
    user.try_code("email", "other@example.com", &record, &code).await.expect("400 verification_code.email_mismatch");
    user.try_code("email", &email, &record, "").await.expect("400 verification_code.not_found");
    user.try_code("email", &email, &record, wrong).await.expect("400 verification_code.code_mismatch");
    user.try_code("email", &email, &record, &code).await.expect("200");
    user.try_code("email", &email, &record, &code).await.expect("400 verification_code.not_found");
    let record = user.send_code("phone", &phone).await.expect("201").record();
    user.try_code("phone", "15550009999", &record, "1").await.expect("400 verification_code.phone_mismatch");
}

#[tokio::test]
async fn another_user_cannot_verify_a_record_or_use_it() {
    let app = TestApp::start().await;
    let (user, thief) = (app.user().await, app.user().await);
    let record = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    let answer = thief.try_code("email", &user.email, &record, &code).await;
    answer.expect("400 verification_record.not_found");
    user.try_code("email", &user.email, &record, &code).await.expect("200");
}

#[tokio::test]
async fn five_guesses_of_a_code_are_evaluated_and_no_sixth() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        user.try_code("email", &user.email, &record, wrong).await.expect("400 verification_code.code_mismatch");
    }
    user.try_code("email", &user.email, &record, &code).await.expect("400 verification_code.exceed_max_try");
}

#[tokio::test]
async fn ten_failures_lock_the_method_and_no_other() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for _ in 0..9 {
        user.try_password("wrong").await.expect("422 session.invalid_credentials");
    }
    let blocked = "400 session.verification_blocked_too_many_attempts";
    let answer = user.try_password("wrong").await.expect(blocked);
    assert_eq!(answer.header("retry-after"), Some("900"));
    assert_eq!(answer.json()["data"]["retryAfterSeconds"], 900);
    user.try_password(&user.password).await.expect(blocked);
    user.verify_code("email", &user.email).await;
    app.advance(901);
    user.try_password(&user.password).await.expect("201");
    // The failures of the last hour still count, and the next lock is as long as a first one after a success.
    user.try_password("wrong").await.expect(blocked);
    app.advance(3601);
    let user = user.with_token(user.new_token(&app.application, &["openid"]).await);
    user.try_password("wrong").await.expect("422 session.invalid_credentials");
}

#[tokio::test]
async fn codes_and_records_expire() {
    let app = TestApp::start().await;
    app.change_settings(|settings| {
        settings.sign_in_experience.verification_code_policy.expiration_duration = 60;
    })
    .await;
    let user = app.user().await;
    let record = user.send_code("email", &user.email).await.expect("201").record();
    app.advance(61);
    let code = app.code_for(&user.email);
    user.try_code("email", &user.email, &record, &code).await.expect("400 verification_code.expired");
    app.advance(540);
    user.try_code("email", &user.email, &record, &code).await.expect("400 verification_record.not_found");
}

#[tokio::test]
async fn sends_are_limited_for_each_recipient_and_user() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.send_code("email", &user.email).await.expect("201");
    let answer = user.send_code("email", &user.email).await.expect("429 request.message_rate_limited");
    assert_eq!(answer.header("retry-after"), Some("30"));
    user.send_code("phone", &user.phone).await.expect("201");
    for _ in 0..9 {
        app.advance(31);
        user.send_code("email", &user.email).await.expect("201");
    }
    app.advance(31);
    user.send_code("email", &user.email).await.expect("429 request.message_rate_limited");
    let other = app.user().await;
    other.send_code("email", &user.email).await.expect("429 request.message_rate_limited");
    app.advance(600);
    user.send_code("email", &user.email).await.expect("201");
}

#[tokio::test]
async fn a_code_for_a_new_address_is_for_binding_and_opens_nothing() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let new = user.new_email();
    let body = json!({ "identifier": { "type": "email", "value": new }, "templateType": "UserPermissionValidation" });
    let record = user.post("/api/verifications/verification-code", body).await.expect("201").record();
    assert_eq!(app.mailbox.messages()[0].template.name(), "BindNewIdentifier");
    user.try_code("email", &new, &record, &app.code_for(&new)).await.expect("200");
    let answer = user.call("PATCH", "/api/my-account", &record, json!({ "username": "nope" })).await;
    answer.expect("401 verification_record.permission_denied");
}

#[tokio::test]
async fn the_blocklist_guards_new_addresses_only() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.change_settings(|settings| {
        let policy = json!({ "customBlocklist": ["@example.com", "@blocked.example"], "blockSubaddressing": true });
        settings.sign_in_experience.email_blocklist_policy = serde_json::from_value(policy).unwrap();
    })
    .await;
    user.send_code("email", &user.email).await.expect("201");
    let blocked = "422 session.email_blocklist.email_not_allowed";
    user.send_code("email", "a@blocked.example").await.expect(blocked);
    let tagged = "422 session.email_blocklist.email_subaddressing_not_allowed";
    user.send_code("email", "a+b@fine.example").await.expect(tagged);
}

#[tokio::test]
async fn without_a_channel_nothing_is_stored_and_the_answer_is_501() {
    let app = TestApp::start_with_channels(|_| {}).await;
    let user = app.user().await;
    user.send_code("email", &user.email).await.expect("501 connector.not_found");
    assert_eq!(app.number("select count(*) from verification_records").await, 0);
    assert_eq!(app.number("select count(*) from sends").await, 0);
}

#[tokio::test]
async fn a_channel_that_refuses_leaves_no_record_and_no_count() {
    let app = TestApp::start_with_channels(|config| {
        // Nobody listens there.
        config.email.smtp_url = Some("smtp://127.0.0.1:1".into());
        config.email.from = Some("Countersign <no-reply@example.com>".to_owned());
    })
    .await;
    let user = app.user().await;
    for _ in 0..3 {
        user.send_code("email", &user.email).await.expect("400 connector.general");
    }
    for table in
        ["select count(*) from verification_records", "select count(*) from sends", "select count(*) from outbox"]
    {
        assert_eq!(app.number(table).await, 0, "{table}");
    }
    let told = app.number("select count(*) from audit_events where type = 'verification.code_not_sent'").await;
    assert_eq!(told, 3);
}

#[tokio::test]
async fn nothing_secret_is_stored_in_the_open() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    user.try_code("email", &user.email, &record, "999999x").await.expect("400 verification_code.code_mismatch");
    let mut session = app.app().db.read().await.unwrap();
    let (hash, mac): (Vec<u8>, Vec<u8>) =
        session.fetch_one("select id_hash, code_mac from verification_records", ()).await.unwrap();
    assert_eq!((hash.len(), mac.len()), (32, 32));
    let sealed: Vec<u8> = session.fetch_value("select sealed from outbox", ()).await.unwrap();
    assert!(sealed.is_empty(), "a delivered message is wiped");
    let audit: Vec<(String,)> = session.fetch_all("select cast(data as text) from audit_events", ()).await.unwrap();
    // The domain is shown in lower case; of the name before it one letter.
    let name = user.email.to_lowercase().split('@').next().unwrap().to_owned();
    for (line,) in audit {
        let line = line.to_lowercase();
        assert!(!line.contains(&code) && !line.contains(&record) && !line.contains(&name), "{line}");
    }
}

#[tokio::test]
async fn a_hundred_failures_in_a_row_disable_the_method_until_it_is_bound_anew_or_reset() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (user, other) = (app.user().await, app.user().await);
    let blocked = "400 session.verification_blocked_too_many_attempts";
    for user in [&user, &other] {
        let mut session = app.write().await;
        let sql = "insert into guess_guards (user_id, method, touched_at, locked_until, locks, failures_in_a_row)
                   values ($1, 'password', 0, 0, 0, 99)";
        session.execute(sql, (&user.id,)).await.unwrap();
        session.commit().await.unwrap();
        let answer = user.try_password("wrong").await.expect(blocked);
        assert_eq!((answer.json()["data"]["disabled"].as_bool(), answer.header("retry-after")), (Some(true), None));
    }
    app.advance(1000);
    user.try_password(&user.password).await.expect(blocked);
    let by_email = user.verify_code("email", &user.email).await;
    let new = json!({ "password": "an entirely new passphrase" });
    user.call("POST", "/api/my-account/password", &by_email, new).await.expect("204");
    user.try_password("an entirely new passphrase").await.expect("201");

    other.try_password(&other.password).await.expect(blocked);
    let targets = json!({ "targetType": "User", "targets": [other.email.to_uppercase()] });
    manager.post("/api/sentinel-activities/delete", targets).await.expect("204");
    other.try_password(&other.password).await.expect("201");
}

#[tokio::test]
async fn operators_reset_what_was_sent_to_an_address() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.send_code("phone", &user.phone).await.expect("201");
    user.send_code("phone", &user.phone).await.expect("429 request.message_rate_limited");
    let targets = json!({ "targetType": "User", "targets": [user.phone, "unknown"] });
    app.manager().await.post("/api/sentinel-activities/delete", targets).await.expect("204");
    user.send_code("phone", &user.phone).await.expect("201");
}
