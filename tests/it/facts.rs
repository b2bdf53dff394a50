//! What rests on a fact dies with it, other sessions as the settings say, and the old address is told (contract D12, D15).

use countersign::domain::{message::Template, settings::SessionPolicy};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{TestApp, User};

/// A change of a fact.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Password,
    Email,
    NoEmail,
    Phone,
    NoPhone,
}

impl Change {
    const ALL: [Self; 5] = [Self::Password, Self::Email, Self::NoEmail, Self::Phone, Self::NoPhone];

    /// The setting that decides about it.
    fn setting(self) -> &'static str {
        match self {
            Self::Password => "endOnPasswordChange",
            Self::Email | Self::NoEmail => "endOnEmailChange",
            Self::Phone | Self::NoPhone => "endOnPhoneChange",
        }
    }

    /// What is told, and to which address of before.
    fn notice(self, user: &User<'_>) -> (Template, String) {
        match self {
            Self::Password => (Template::PasswordChanged, user.email.clone()),
            Self::Email | Self::NoEmail => (Template::EmailChanged, user.email.clone()),
            Self::Phone | Self::NoPhone => (Template::PhoneChanged, format!("+{}", user.phone)),
        }
    }

    async fn by_owner(self, user: &User<'_>) {
        let record = user.verify_password().await;
        let call = async |method: &str, path: &str, body: Value| {
            user.call(method, &format!("/api/my-account/{path}"), &record, body).await.expect("204");
        };
        match self {
            Self::Password => call("POST", "password", json!({ "password": "an entirely new passphrase" })).await,
            Self::Email => {
                let proof = user.verify_code("email", &user.new_email()).await;
                let body = json!({ "email": user.new_email(), "newIdentifierVerificationRecordId": proof });
                call("POST", "primary-email", body).await;
            }
            Self::Phone => {
                let proof = user.verify_code("phone", &user.new_phone()).await;
                let body = json!({ "phone": user.new_phone(), "newIdentifierVerificationRecordId": proof });
                call("POST", "primary-phone", body).await;
            }
            Self::NoEmail => call("DELETE", "primary-email", Value::Null).await,
            Self::NoPhone => call("DELETE", "primary-phone", Value::Null).await,
        }
    }

    async fn by_operator(self, user: &User<'_>) {
        let path = format!("/api/users/{}", user.id);
        let (path, body) = match self {
            Self::Password => (format!("{path}/password"), json!({ "password": "of the operator" })),
            Self::Email => (path, json!({ "primaryEmail": user.new_email() })),
            Self::NoEmail => (path, json!({ "primaryEmail": null })),
            Self::Phone => (path, json!({ "primaryPhone": user.new_phone() })),
            Self::NoPhone => (path, json!({ "primaryPhone": null })),
        };
        user.app.manager().await.patch(&path, body).await.expect("200");
    }
}

async fn set_policy(app: &TestApp, policy: Value) {
    app.manager().await.patch("/api/sign-in-exp", json!({ "sessionPolicy": policy })).await.expect("200");
}

async fn is_alive(user: &User<'_>) -> bool {
    let answer = user.get("/api/my-account").await;
    assert!(["200", "401 auth.unauthorized"].contains(&answer.gist().as_str()), "{answer:?}");
    answer.status == 200
}

async fn is_told(change: Change, user: &User<'_>) {
    let (template, to) = change.notice(user);
    let notice = user.app.wait_for_message(|message| message.template == template && message.to == to).await;
    assert_eq!(notice.payload.code, None);
}

/// Each change alone decides, by its own setting; the owner's own session stays, and the old address is told either way.
#[tokio::test]
async fn a_change_by_the_owner_ends_or_keeps_the_other_sessions_as_set() {
    let app = TestApp::start().await;
    for change in Change::ALL {
        for ends in [true, false] {
            let mut policy =
                json!({ "endOnPasswordChange": !ends, "endOnEmailChange": !ends, "endOnPhoneChange": !ends });
            policy[change.setting()] = json!(ends);
            set_policy(&app, policy).await;
            let user = app.user().await;
            let other = user.with_token(user.new_token(&app.application, &["openid"]).await);
            change.by_owner(&user).await;
            assert!(is_alive(&user).await, "{change:?}: one's own session stays");
            assert_eq!(is_alive(&other).await, !ends, "{change:?}, ends {ends}");
            is_told(change, &user).await;
        }
    }
}

#[tokio::test]
async fn a_change_by_an_operator_ends_or_keeps_every_session_as_set() {
    let app = TestApp::start().await;
    for change in Change::ALL {
        for ends in [true, false] {
            let mut policy =
                json!({ "endOnPasswordChange": !ends, "endOnEmailChange": !ends, "endOnPhoneChange": !ends });
            policy[change.setting()] = json!(ends);
            set_policy(&app, policy).await;
            let user = app.user().await;
            change.by_operator(&user).await;
            assert_eq!(is_alive(&user).await, !ends, "{change:?}, ends {ends}");
            is_told(change, &user).await;
        }
    }
}

#[tokio::test]
async fn by_default_a_new_password_ends_other_sessions_and_a_new_address_does_not() {
    let app = TestApp::start().await;
    let shown = app.manager().await.get("/api/sign-in-exp").await.expect("200").json()["sessionPolicy"].clone();
    assert_eq!(shown, json!({ "endOnPasswordChange": true, "endOnEmailChange": false, "endOnPhoneChange": false }));
    // What is left out takes its default, as in every policy.
    set_policy(&app, json!({ "endOnPhoneChange": true })).await;
    let shown = app.manager().await.get("/api/sign-in-exp").await.expect("200").json()["sessionPolicy"].clone();
    assert_eq!(shown, json!({ "endOnPasswordChange": true, "endOnEmailChange": false, "endOnPhoneChange": true }));
}

/// Settings that were stored before there was this policy.
#[tokio::test]
async fn settings_of_an_older_version_have_the_default_policy() {
    let app = TestApp::start().await;
    let mut session = app.write().await;
    session.execute("update settings set sign_in_experience = '{}', version = version + 1", ()).await.unwrap();
    session.commit().await.unwrap();
    let user = app.user().await;
    let other = user.with_token(user.new_token(&app.application, &["openid"]).await);
    Change::Email.by_owner(&user).await;
    assert!(is_alive(&other).await);
    Change::Password.by_owner(&user).await;
    assert!(!is_alive(&other).await);
}

#[tokio::test]
async fn suspension_and_deletion_end_every_session_whatever_is_set() {
    let app = TestApp::start().await;
    set_policy(&app, json!({ "endOnPasswordChange": false })).await;
    let manager = app.manager().await;
    for is_deleted in [false, true] {
        let user = app.user().await;
        let other = user.with_token(user.new_token(&app.application, &["openid"]).await);
        let path = format!("/api/users/{}", user.id);
        if is_deleted {
            manager.call(Method::DELETE, &path, None).await.expect("204");
        } else {
            let path = format!("{path}/is-suspended");
            for is_suspended in [true, false] {
                manager.patch(&path, json!({ "isSuspended": is_suspended })).await.expect("200");
            }
        }
        assert!(!is_alive(&user).await && !is_alive(&other).await, "deleted: {is_deleted}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_or_never_was_is_told_by_the_other() {
    // Text messages go to no country.
    let app = TestApp::start_with(|config| config.sms.allowed_calling_codes = vec!["44".to_owned()]).await;
    let user = app.user().await;
    Change::NoPhone.by_owner(&user).await;
    let is_ours = |message: &countersign::domain::message::Message| message.template == Template::PhoneChanged;
    assert_eq!(app.wait_for_message(is_ours).await.to, user.email, "a phone that is not served");
    let count = || app.mailbox.messages().iter().filter(|message| is_ours(message)).count();
    assert_eq!(count(), 1);
    Change::Phone.by_owner(&user).await;
    for _ in 0..500 {
        if count() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let told: Vec<String> = app.mailbox.messages().into_iter().filter(is_ours).map(|message| message.to).collect();
    assert_eq!(told, [user.email.as_str(), user.email.as_str()], "a phone where there was none");
}

#[tokio::test]
async fn of_a_password_a_user_without_mail_is_told_by_phone() {
    let app = TestApp::start().await;
    let user = app.user().await;
    Change::NoEmail.by_owner(&user).await;
    is_told(Change::NoEmail, &user).await;
    Change::Password.by_owner(&user).await;
    let notice = app.wait_for_message(|message| message.template == Template::PasswordChanged).await;
    assert_eq!(notice.to, format!("+{}", user.phone));
}

#[test]
fn every_kind_of_change_has_its_setting() {
    let all = SessionPolicy { end_on_password_change: true, end_on_email_change: true, end_on_phone_change: true };
    for method in countersign::domain::method::Method::ALL {
        assert!(all.ends_on(*method), "{method:?}");
    }
}
