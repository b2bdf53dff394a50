//! Every operation behind a gate, against every kind of record: generated from the list of operations, so that a new operation is
//! tested before anybody writes a test for it.

use countersign::{
    domain::method::Method,
    operations::{self, Listed},
};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, User};

const DENIED: &str = "401 verification_record.permission_denied";

/// What a user shows at the gate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shown {
    NoHeader,
    Empty,
    Garbage,
    Unknown,
    AnotherUsers,
    Unverified,
    Expired,
    Revoked,
    WrongPurpose,
    BindMfa,
    BothDiffering,
    Twice,
    Right,
    RightByTheOtherName,
    RightByBothNames,
    RightByEmail,
    RightByPhone,
}

impl Shown {
    const ALL: &[Self] = &[
        Self::NoHeader,
        Self::Empty,
        Self::Garbage,
        Self::Unknown,
        Self::AnotherUsers,
        Self::Unverified,
        Self::Expired,
        Self::Revoked,
        Self::WrongPurpose,
        Self::BindMfa,
        Self::BothDiffering,
        Self::Twice,
        Self::Right,
        Self::RightByTheOtherName,
        Self::RightByBothNames,
        Self::RightByEmail,
        Self::RightByPhone,
    ];

    fn is_right(self) -> bool {
        use Shown::{Right, RightByBothNames, RightByEmail, RightByPhone, RightByTheOtherName};
        matches!(self, Right | RightByTheOtherName | RightByBothNames | RightByEmail | RightByPhone)
    }

    async fn headers(self, user: &User<'_>) -> Vec<(&'static str, String)> {
        let (ours, theirs) = ("verification-id", "logto-verification-id");
        match self {
            Self::NoHeader => vec![],
            Self::Empty => vec![(ours, String::new())],
            Self::Garbage => vec![(ours, "not an id; drop table users".to_owned())],
            Self::Unknown => vec![(ours, "0".repeat(32))],
            Self::AnotherUsers => vec![(ours, user.app.user().await.verify_password().await)],
            Self::Unverified => vec![(ours, user.send_code("email", &user.email).await.record())],
            Self::Expired => {
                let record = user.verify_password().await;
                user.app.advance(600);
                vec![(ours, record)]
            }
            Self::Revoked => {
                let record = user.verify_password().await;
                let mut session = user.app.write().await;
                let now = user.app.now();
                countersign::storage::records::revoke_all(&mut session, &user.id, now).await.unwrap();
                session.commit().await.unwrap();
                vec![(ours, record)]
            }
            Self::WrongPurpose => vec![(ours, user.verify_code("email", &format!("x{}", user.new_email())).await)],
            Self::BindMfa => vec![(ours, bind_mfa(user).await)],
            Self::BothDiffering => {
                vec![(ours, user.verify_password().await), (theirs, user.verify_password().await)]
            }
            Self::Twice => {
                let record = user.verify_password().await;
                vec![(ours, record.clone()), (ours, record)]
            }
            Self::Right => vec![(ours, user.verify_password().await)],
            Self::RightByTheOtherName => vec![(theirs, user.verify_password().await)],
            Self::RightByBothNames => {
                let record = user.verify_password().await;
                vec![(ours, record.clone()), (theirs, record)]
            }
            Self::RightByEmail => vec![(ours, user.verify_code("email", &user.email).await)],
            Self::RightByPhone => vec![(ours, user.verify_code("phone", &user.phone).await)],
        }
    }
}

async fn bind_mfa(user: &User<'_>) -> String {
    let body = json!({ "identifier": { "type": "email", "value": user.email }, "templateType": "BindMfa" });
    let record = user.post("/api/verifications/verification-code", body).await.expect("201").record();
    user.try_code("email", &user.email, &record, &user.app.code_for(&user.email)).await.expect("200").record()
}

/// A body with which the operation succeeds once the gate is open.
async fn body(operation: &Listed, user: &User<'_>) -> Value {
    match operation.name {
        "account.username.update" => json!({ "username": format!("renamed_{}", user.id) }),
        "account.password.update" => json!({ "password": "an entirely new passphrase" }),
        "account.email.update" => {
            let email = user.new_email();
            json!({ "newIdentifierVerificationRecordId": user.verify_code("email", &email).await, "email": email })
        }
        "account.phone.update" => {
            let phone = user.new_phone();
            json!({ "newIdentifierVerificationRecordId": user.verify_code("phone", &phone).await, "phone": phone })
        }
        "account.email.delete"
        | "account.phone.delete"
        | "account.sessions.list"
        | "account.session.end"
        | "account.grants.list"
        | "account.grant.revoke" => Value::Null,
        other => panic!("say here how {other} is called"),
    }
}

/// Where the operation is called: on another session of the user's own.
async fn path(operation: &Listed, user: &User<'_>) -> String {
    let Some((folder, _)) = operation.path.split_once('{') else { return operation.path.to_owned() };
    let token = user.new_token(&user.app.application, &["openid"]).await;
    format!("{folder}{}", sid(&token))
}

fn sid(token: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["sid"].as_str().unwrap().to_owned()
}

async fn knock(operation: &Listed, user: &User<'_>, shown: Shown, body: Value) -> Answer {
    let headers = shown.headers(user).await;
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    user.call_with(operation.method, &path(operation, user).await, &headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_opens_for_the_right_record_and_for_no_other() {
    let app = TestApp::start_with(|config| config.limits.send_gap_seconds = 0).await;
    for operation in operations::ALL {
        for shown in Shown::ALL.iter().copied() {
            let user = app.user().await;
            // Bound last, so that no clock moves between: a record for a new address lives ten minutes, too.
            let headers = shown.headers(&user).await;
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let body = body(operation, &user).await;
            let before = user.get("/api/my-account").await.json();
            let path = path(operation, &user).await;
            let answer = user.call_with(operation.method, &path, &headers, body).await;
            if shown.is_right() {
                assert!((200..=204).contains(&answer.status), "{} {shown:?}: {answer:?}", operation.name);
                continue;
            }
            assert_eq!(answer.gist(), DENIED, "{} {shown:?}: {}", operation.name, answer.text);
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
            assert!(challenge.contains("acr_values=") && challenge.contains("max_age=600"), "{challenge}");
            let data = &answer.json()["data"];
            assert_eq!(data["operation"], operation.name);
            assert_eq!(data["userMethods"], json!(["password", "email_code", "phone_code"]));
            assert_eq!(user.get("/api/my-account").await.json(), before, "{} {shown:?} changed it", operation.name);
        }
    }
}

#[tokio::test]
async fn every_operation_demands_what_the_contract_says() {
    for operation in operations::ALL {
        assert_eq!(operation.requirement.methods, Method::ALL, "{}", operation.name);
        assert_eq!(operation.requirement.max_age.as_secs(), 600, "{}", operation.name);
        let is_exempt = operation.requirement.exempts_users_without_methods;
        assert_eq!(is_exempt, operation.name == "account.password.update");
    }
}

#[tokio::test]
async fn a_user_without_any_method_sets_a_password_freely_but_changes_no_username() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let mut session = app.write().await;
    let sql = "update users set password_digest = null, password_algorithm = null, primary_email = null, \
               email_key = null, primary_phone = null where id = $1";
    session.execute(sql, (&user.id,)).await.unwrap();
    session.commit().await.unwrap();
    user.patch("/api/my-account", json!({ "username": "other" })).await.expect(DENIED);
    user.post("/api/my-account/password", json!({ "password": "a first passphrase" })).await.expect("204");
    user.post("/api/my-account/password", json!({ "password": "a second passphrase" })).await.expect(DENIED);
}

#[tokio::test]
async fn a_record_serves_several_operations_until_it_expires() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    for name in ["one", "two", "three"] {
        user.call("PATCH", "/api/my-account", &record, json!({ "username": name })).await.expect("200");
    }
    app.advance(599);
    user.call("PATCH", "/api/my-account", &record, json!({ "username": "four" })).await.expect("200");
    app.advance(1);
    user.call("PATCH", "/api/my-account", &record, json!({ "username": "five" })).await.expect(DENIED);
}

#[tokio::test]
async fn old_facts_die_with_the_change() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let by_password = user.verify_password().await;
    let by_email = user.verify_code("email", &user.email).await;
    let new = json!({ "password": "an entirely new passphrase" });
    user.call("POST", "/api/my-account/password", &by_email, new).await.expect("204");
    user.call("PATCH", "/api/my-account", &by_password, json!({ "username": "a1" })).await.expect(DENIED);
    user.call("PATCH", "/api/my-account", &by_email, json!({ "username": "a2" })).await.expect("200");
    user.call("DELETE", "/api/my-account/primary-email", &by_email, Value::Null).await.expect("204");
    user.call("PATCH", "/api/my-account", &by_email, json!({ "username": "a3" })).await.expect(DENIED);
}

#[tokio::test]
async fn nothing_is_spent_or_changed_when_the_operation_is_refused_inside_the_gate() {
    let app = TestApp::start().await;
    let (user, other) = (app.user().await, app.user().await);
    let record = user.verify_password().await;
    let proof = user.verify_code("email", &other.email).await;
    let body = json!({ "email": other.email, "newIdentifierVerificationRecordId": proof });
    let taken = "422 user.email_already_in_use";
    user.call("POST", "/api/my-account/primary-email", &record, body.clone()).await.expect(taken);
    // The proof of the address was not spent: the same answer again, not `not_found`.
    user.call("POST", "/api/my-account/primary-email", &record, body).await.expect(taken);
    let _ = knock(&operations::ALL[0], &user, Shown::NoHeader, json!({ "username": "x" })).await.expect(DENIED);
}
