//! The account API (contract 3, rows 1 to 4 and 9 to 12).

use countersign::domain::settings::{Field, FieldControl};
use serde_json::{Value, json};

use crate::harness::TestApp;

#[tokio::test]
async fn scopes_and_settings_decide_what_is_seen() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let seen = user.get("/api/my-account").await.expect("200").json();
    assert_eq!(seen["id"], user.id.as_str());
    assert_eq!(seen["primaryEmail"], user.email.as_str());
    assert_eq!(seen["primaryPhone"], user.phone.as_str());
    assert_eq!((&seen["hasPassword"], &seen["hasSecurityVerificationMethod"]), (&json!(true), &json!(true)));
    assert_eq!((&seen["name"], &seen["customData"], &seen["identities"]), (&Value::Null, &json!({}), &json!({})));

    let narrow = user.with_token(user.new_token(&app.application, &["openid"]).await);
    let seen = narrow.get("/api/my-account").await.json();
    assert_eq!(seen, json!({ "id": user.id.as_str(), "hasSecurityVerificationMethod": true }));

    app.change_settings(|settings| {
        settings.account_center.fields.insert(Field::Email, FieldControl::Off);
        settings.account_center.fields.remove(&Field::Name);
        settings.account_center.fields.insert(Field::Phone, FieldControl::ReadOnly);
    })
    .await;
    let seen = user.get("/api/my-account").await.json();
    let members = seen.as_object().unwrap();
    assert!(!members.contains_key("primaryEmail") && !members.contains_key("name"));
    assert!(members.contains_key("primaryPhone"));
}

#[tokio::test]
async fn basics_change_without_a_verification() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let changes = json!({ "name": "Ada", "avatar": "https://example.com/a.png", "customData": { "a": 1 } });
    let seen = user.patch("/api/my-account", changes).await.expect("200").json();
    assert_eq!((&seen["name"], &seen["customData"]), (&json!("Ada"), &json!({ "a": 1 })));
    let seen = user.patch("/api/my-account", json!({ "name": "", "customData": {} })).await.expect("200").json();
    assert_eq!((&seen["name"], &seen["customData"]), (&Value::Null, &json!({})));
    assert_eq!(seen["avatar"], "https://example.com/a.png");
    user.patch("/api/my-account", json!({})).await.expect("422 entity.invalid_input");
    for avatar in ["javascript:alert(1)", "", "nonsense", "http://"] {
        user.patch("/api/my-account", json!({ "avatar": avatar })).await.expect("400 guard.invalid_input");
    }
}

#[tokio::test]
async fn the_profile_merges_and_its_address_is_replaced_as_a_whole() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let path = "/api/my-account/profile";
    let first = json!({ "givenName": "Ada", "address": { "country": "GB", "locality": "London" } });
    user.patch(path, first).await.expect("200");
    let answer = user.patch(path, json!({ "familyName": "L", "address": { "country": "FR" } })).await.expect("200");
    let expected = json!({ "givenName": "Ada", "familyName": "L", "address": { "country": "FR" } });
    assert_eq!(answer.json(), expected);
    assert_eq!(user.patch(path, json!({})).await.expect("200").json(), expected);
    let narrow = user.with_token(user.new_token(&app.application, &["openid", "profile"]).await);
    let answer = narrow.patch(path, json!({ "nickname": "A" })).await.expect("200");
    assert!(answer.json().get("address").is_none());
    narrow.patch(path, json!({ "address": {} })).await.expect("400 auth.unauthorized");
}

#[tokio::test]
async fn a_new_address_is_bound_once_and_the_old_one_is_told() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (record, new) = (user.verify_password().await, user.new_email());
    let proof = user.verify_code("email", &new).await;
    let path = "/api/my-account/primary-email";
    let other = json!({ "email": "else@example.org", "newIdentifierVerificationRecordId": proof });
    user.call("POST", path, &record, other).await.expect("400 verification_record.not_found");
    let body = json!({ "email": new.to_uppercase(), "newIdentifierVerificationRecordId": proof });
    user.call("POST", path, &record, body.clone()).await.expect("204");
    user.call("POST", path, &record, body).await.expect("400 verification_record.not_found");
    let seen = user.get("/api/my-account").await.json();
    let local = new.split('@').next().unwrap().to_uppercase();
    assert_eq!(seen["primaryEmail"], format!("{local}@example.org"));
    let notice = app.wait_for_message(|message| message.template.name() == "EmailChanged").await;
    assert_eq!(notice.to, user.email);
}

#[tokio::test]
async fn a_new_phone_is_bound_in_its_canonical_form() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    // A trunk zero, as people write it.
    let (written, canonical) = ("4407912345678", "447912345678");
    let proof = user.send_code("phone", written).await.expect("201").record();
    user.try_code("phone", canonical, &proof, &app.code_for(canonical)).await.expect("200");
    let body = json!({ "phone": written, "newIdentifierVerificationRecordId": proof });
    user.call("POST", "/api/my-account/primary-phone", &record, body).await.expect("204");
    assert_eq!(user.get("/api/my-account").await.json()["primaryPhone"], canonical);
    let notice = app.wait_for_message(|message| message.template.name() == "PhoneChanged").await;
    assert_eq!(notice.to.trim_start_matches('+'), user.phone);
}

#[tokio::test]
async fn the_last_way_in_cannot_be_removed() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    user.call("PATCH", "/api/my-account", &record, json!({ "username": null })).await.expect("200");
    user.call("DELETE", "/api/my-account/primary-email", &record, Value::Null).await.expect("204");
    let last = "400 user.last_sign_in_method_required";
    user.call("DELETE", "/api/my-account/primary-phone", &record, Value::Null).await.expect(last);
}

#[tokio::test]
async fn passwords_follow_the_policy() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    let path = "/api/my-account/password";
    let answer = user.call("POST", path, &record, json!({ "password": "aaa" })).await;
    let answer = answer.expect("422 password.rejected");
    assert_eq!(
        answer.json()["data"][0],
        json!({ "code": "password_rejected.too_short", "interpolation": { "min": 8 } })
    );
    let same = json!({ "password": user.password });
    user.call("POST", path, &record, same).await.expect("422 user.same_password");
    user.call("POST", path, &record, json!({ "password": "12345678" })).await.expect("422 password.rejected");
    user.call("POST", path, &record, json!({ "password": "correct horse 9" })).await.expect("204");
    let notice = app.wait_for_message(|message| message.template.name() == "PasswordChanged").await;
    assert_eq!(notice.to, user.email);
    user.try_password(&user.password).await.expect("422 session.invalid_credentials");
    user.try_password("correct horse 9").await.expect("201");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let other = user.with_token(user.new_token(&app.application, &["openid"]).await);
    let record = user.verify_password().await;
    let new = json!({ "password": "correct horse 9" });
    user.call("POST", "/api/my-account/password", &record, new).await.expect("204");
    user.get("/api/my-account").await.expect("200");
    other.get("/api/my-account").await.expect("401 auth.unauthorized");
}

#[tokio::test]
async fn usernames_follow_the_policy_and_are_unique() {
    let app = TestApp::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let record = user.verify_password().await;
    let taken = json!({ "username": other.username });
    user.call("PATCH", "/api/my-account", &record, taken).await.expect("422 user.username_already_in_use");
    app.change_settings(|settings| {
        let policy = json!({ "minLength": 5, "allowedChars": { "numbers": false } });
        settings.sign_in_experience.username_policy = serde_json::from_value(policy).unwrap();
    })
    .await;
    let rename = |name: &str| json!({ "username": name });
    user.call("PATCH", "/api/my-account", &record, rename("abc")).await.expect("422 user.username_too_short");
    let numbers = "422 user.username_numbers_not_allowed";
    user.call("PATCH", "/api/my-account", &record, rename("abcde1")).await.expect(numbers);
    user.call("PATCH", "/api/my-account", &record, rename("1abc")).await.expect("400 guard.invalid_input");
    user.call("PATCH", "/api/my-account", &record, rename("abcde")).await.expect("200");
}

/// The order of checks is part of the contract: each step here mends what the step before was refused for.
#[tokio::test]
async fn checks_come_in_the_order_of_the_contract() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    let edit = async |field, control| {
        app.change_settings(|settings| {
            settings.account_center.fields.insert(field, control);
        })
        .await;
    };
    let third = app.third_party().await;
    let foreign = user.with_token(user.new_token(&third, &["openid", "profile", "email"]).await);
    let body = json!({ "email": "a@b.example", "newIdentifierVerificationRecordId": "x" });
    let path = "/api/my-account/primary-email";
    edit(Field::Email, FieldControl::ReadOnly).await;

    // PD, NE, U400, FP, NF400.
    foreign.call("POST", path, "none", body.clone()).await.expect("401 verification_record.permission_denied");
    foreign.call("POST", path, &record, body.clone()).await.expect("400 account_center.field_not_editable");
    edit(Field::Email, FieldControl::Edit).await;
    let narrow = user.with_token(user.new_token(&third, &["openid"]).await);
    narrow.call("POST", path, &record, body.clone()).await.expect("400 auth.unauthorized");
    let third_party = "403 auth.third_party_application_forbidden";
    foreign.call("POST", path, &record, body.clone()).await.expect(third_party);
    user.call("POST", path, &record, body).await.expect("400 verification_record.not_found");

    // Row 4: FP, PD, NE, policy.
    let path = "/api/my-account/password";
    edit(Field::Password, FieldControl::Off).await;
    let weak = json!({ "password": "a" });
    foreign.call("POST", path, "none", weak.clone()).await.expect(third_party);
    user.call("POST", path, "none", weak.clone()).await.expect("401 verification_record.permission_denied");
    user.call("POST", path, &record, weak.clone()).await.expect("400 account_center.field_not_editable");
    edit(Field::Password, FieldControl::Edit).await;
    user.call("POST", path, &record, weak).await.expect("422 password.rejected");

    // Row 2: NE, U400, FP, PD.
    edit(Field::Username, FieldControl::ReadOnly).await;
    let rename = json!({ "username": "abc" });
    narrow.patch("/api/my-account", rename.clone()).await.expect("400 account_center.field_not_editable");
    edit(Field::Username, FieldControl::Edit).await;
    narrow.patch("/api/my-account", rename.clone()).await.expect("400 auth.unauthorized");
    foreign.patch("/api/my-account", rename.clone()).await.expect(third_party);
    user.patch("/api/my-account", rename).await.expect("401 verification_record.permission_denied");

    // Verifications: FP first.
    foreign.try_password("x").await.expect(third_party);
}
