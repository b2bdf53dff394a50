//! No oracle (`security.md`, invariant 4): what a stranger or another user must not tell apart is answered alike, byte for byte. Whether
//! it also takes the same time is measured by `benches/oracle`.

use std::fmt::Write as _;

use countersign::{
    domain::id::UserId,
    operations,
    storage::{records, sessions, users},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{Service, TestApp, User};

/// An answer as it came over the wire, without what differs between any two answers: the order of headers, which is random, the time,
/// ids, and how many requests the client has left.
#[derive(Debug, PartialEq)]
struct Masked {
    status: String,
    headers: Vec<String>,
    body: String,
}

fn mask(bytes: &str) -> Masked {
    let (head, body) = bytes.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {bytes}"));
    let mut lines = head.split("\r\n").map(str::to_owned);
    let status = lines.next().unwrap();
    let differing = ["date", "logto-core-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"];
    let mut headers: Vec<String> = lines
        .map(|line| match line.split_once(':').unwrap() {
            (name, _) if differing.contains(&name) => format!("{name}: *"),
            _ => line,
        })
        .collect();
    headers.sort();
    let mut body = body.to_owned();
    if let Ok(Value::Object(members)) = serde_json::from_str(&body) {
        for name in ["verificationRecordId", "expiresAt"] {
            if let Some(value) = members.get(name).and_then(Value::as_str) {
                body = body.replace(value, &"*".repeat(value.len()));
            }
        }
    }
    Masked { status, headers, body }
}

/// One of several requests that must be answered alike.
struct Request {
    class: &'static str,
    head: String,
    body: String,
}

impl Request {
    /// `authorization` is the whole value of the header.
    fn new(class: &'static str, line: &str, authorization: Option<&str>, headers: &[(&str, &str)], body: &str) -> Self {
        let mut head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        let authorization = authorization.map(|value| ("authorization", value));
        for (name, value) in authorization.iter().chain(headers) {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        Self { class, head, body: body.to_owned() }
    }

    fn json(class: &'static str, line: &str, user: &User<'_>, body: &Value) -> Self {
        let headers = [("content-type", "application/json")];
        Self::new(class, line, Some(&format!("Bearer {}", user.token)), &headers, &body.to_string())
    }

    async fn answer(&self, app: &TestApp) -> Masked {
        let mut stream = TcpStream::connect(app.running.address).await.unwrap();
        let request = format!("{}content-length: {}\r\n\r\n{}", self.head, self.body.len(), self.body);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        mask(&answer)
    }
}

/// All are answered as the first is, and that one with `status` and `code`.
async fn are_alike(app: &TestApp, status: u16, code: &str, requests: &[Request]) {
    let first = requests[0].answer(app).await;
    assert!(first.status.starts_with(&format!("HTTP/1.1 {status} ")), "{}: {first:?}", requests[0].class);
    assert!(code.is_empty() || first.body.contains(&format!("\"code\":\"{code}\"")), "{first:?}");
    for request in &requests[1..] {
        assert_eq!(request.answer(app).await, first, "{} and {}", request.class, requests[0].class);
    }
}

const UNKNOWN: &str = "00000000000000000000000000000000";

/// Records of every kind that are of no use to `me`, by what they are.
struct Useless {
    records: Vec<(&'static str, String)>,
}

impl Useless {
    /// Each stands for `email`; `me` and `other` both have asked for a code to it.
    async fn collect(app: &TestApp, me: &User<'_>, other: &User<'_>, email: &str) -> Self {
        let mut records = vec![("unknown", UNKNOWN.to_owned())];
        let send = async |user: &User<'_>| user.send_code("email", email).await.expect("201").record();
        let verify = async |user: &User<'_>| {
            let record = user.verify_code("email", email).await;
            app.advance(31);
            record
        };
        records.push(("own, expired", send(me).await));
        records.push(("own, verified, expired", {
            app.advance(31);
            verify(me).await
        }));
        records.push(("foreign, expired", send(other).await));
        app.advance(601);
        records.push(("own, revoked", verify(me).await));
        let mut session = app.write().await;
        records::revoke_all(&mut session, &me.id, app.now()).await.unwrap();
        session.commit().await.unwrap();
        records.push(("own, spent", {
            let proof = verify(me).await;
            let mut session = app.write().await;
            let sql = "update verification_records set spent_at = $2 where user_id = $1 and revoked_at is null and expires_at > $2";
            session.execute(sql, (&me.id, app.now())).await.unwrap();
            session.commit().await.unwrap();
            proof
        }));
        records.push(("foreign, verified", verify(other).await));
        records.push(("foreign, by password", other.verify_password().await));
        records.push(("foreign, pending", send(other).await));
        records.push(("no id at all", "x".to_owned()));
        Self { records }
    }
}

async fn start() -> TestApp {
    TestApp::start_with(|config| {
        config.limits.sends_per_recipient = 1000;
        config.limits.sends_per_user = 1000;
    })
    .await
}

#[tokio::test]
async fn a_record_that_is_not_ones_own_is_as_good_as_unknown_where_codes_are_verified() {
    let app = start().await;
    let (me, other) = (app.user().await, app.user().await);
    let useless = Useless::collect(&app, &me, &other, &me.email).await;
    let verify = |class: &'static str, record: &str| {
        let identifier = json!({ "type": "email", "value": me.email });
        let body = json!({ "identifier": identifier, "verificationId": record, "code": "000000" });
        Request::json(class, "POST /api/verifications/verification-code/verify", &me, &body)
    };
    let mut requests: Vec<Request> = useless.records.iter().map(|(class, record)| verify(class, record)).collect();
    let of_the_phone = me.send_code("phone", &me.phone).await.expect("201").record();
    requests.push(verify("own, of another method", &of_the_phone));
    are_alike(&app, 400, "verification_record.not_found", &requests).await;

    // The same while the method is locked.
    let mut session = app.write().await;
    let sql = "update guess_guards set locked_until = $2 where user_id = $1";
    session.execute(sql, (&me.id, app.now().0 + 60_000)).await.unwrap();
    session.commit().await.unwrap();
    are_alike(&app, 400, "session.verification_blocked_too_many_attempts", &requests).await;
}

#[tokio::test]
async fn a_record_that_is_not_ones_own_is_as_good_as_unknown_at_every_gate() {
    let app = start().await;
    let (me, other) = (app.user().await, app.user().await);
    let mut useless = Useless::collect(&app, &me, &other, &me.email).await;
    useless.records.push(("own, pending", me.send_code("email", &me.email).await.expect("201").record()));
    useless.records.push(("own, for binding", me.verify_code("email", &me.new_email()).await));
    for operation in operations::ALL {
        let line = format!("{} {}", operation.method, operation.path);
        let body = match operation.name {
            "account.username.update" => json!({ "username": "renamed" }).to_string(),
            "account.password.update" => json!({ "password": "an entirely new passphrase" }).to_string(),
            "account.email.update" => {
                json!({ "email": me.new_email(), "newIdentifierVerificationRecordId": UNKNOWN }).to_string()
            }
            "account.phone.update" => {
                json!({ "phone": me.new_phone(), "newIdentifierVerificationRecordId": UNKNOWN }).to_string()
            }
            _ => String::new(),
        };
        let token = format!("Bearer {}", me.token);
        let show = |(class, record): &(&'static str, String)| {
            let headers = [("content-type", "application/json"), ("verification-id", record.as_str())];
            Request::new(class, &line, Some(&token), &headers, &body)
        };
        let mut requests: Vec<Request> = useless.records.iter().map(show).collect();
        let headers = [("content-type", "application/json")];
        requests.push(Request::new("none", &line, Some(&token), &headers, &body));
        are_alike(&app, 401, "verification_record.permission_denied", &requests).await;
    }
}

#[tokio::test]
async fn a_proof_that_is_not_ones_own_is_as_good_as_unknown_where_addresses_are_bound() {
    let app = start().await;
    let (me, other) = (app.user().await, app.user().await);
    // The address belongs to neither, to the other, and to a third.
    for address in [me.new_email(), other.email.clone(), app.user().await.email] {
        let mut useless = Useless::collect(&app, &me, &other, &address).await;
        useless.records.push(("own, pending", me.send_code("email", &address).await.expect("201").record()));
        useless.records.push(("own, of another address", me.verify_code("email", "elsewhere@example.org").await));
        let me = me.with_token(me.new_token(&app.application, &["openid", "email"]).await);
        let record = me.verify_password().await;
        let bind = |(class, proof): &(&'static str, String)| {
            let body = json!({ "email": address, "newIdentifierVerificationRecordId": proof }).to_string();
            let headers = [("content-type", "application/json"), ("verification-id", record.as_str())];
            let line = "POST /api/my-account/primary-email";
            Request::new(class, line, Some(&format!("Bearer {}", me.token)), &headers, &body)
        };
        let requests: Vec<Request> = useless.records.iter().map(bind).collect();
        are_alike(&app, 400, "verification_record.not_found", &requests).await;
    }
}

#[tokio::test]
async fn a_wrong_password_and_no_password_are_answered_alike() {
    let app = start().await;
    let argon2 = format!("$argon2id$v=19$m=128,t=3,p=1$c29tZXNhbHRzb21lc2FsdA${}", "A".repeat(43));
    let digests = [
        ("none", None),
        ("imported, MD5", Some(("5f4dcc3b5aa765d61d8327deb882cf99", "MD5"))),
        ("imported, Argon2id of another cost", Some((argon2.as_str(), "Argon2id"))),
        ("unreadable", Some(("nonsense", "Argon2id"))),
    ];
    let line = "POST /api/verifications/password/verify";
    let body = json!({ "password": "not it" });
    let mut requests = vec![Request::json("wrong", line, &app.user().await, &body)];
    for (class, stored) in digests {
        let user = app.user().await;
        let mut session = app.write().await;
        let sql = "update users set password_digest = $2, password_algorithm = $3 where id = $1";
        session.execute(sql, (&user.id, stored.map(|one| one.0), stored.map(|one| one.1))).await.unwrap();
        session.commit().await.unwrap();
        requests.push(Request::json(class, line, &user, &body));
    }
    are_alike(&app, 422, "session.invalid_credentials", &requests).await;
}

#[tokio::test]
async fn a_code_to_somebody_elses_address_is_sent_as_one_to_a_free_address_is() {
    let app = start().await;
    let me = app.user().await;
    let (taken, suspended) = (app.user().await, app.user().await);
    let mut session = app.write().await;
    users::set_suspended(&mut session, &suspended.id, true, app.now()).await.unwrap();
    session.commit().await.unwrap();
    let line = "POST /api/verifications/verification-code";
    for (kind, addresses) in [
        ("email", [me.new_email(), taken.email.clone(), taken.email.to_uppercase(), suspended.email.clone()]),
        ("phone", [me.new_phone(), taken.phone.clone(), taken.phone.clone(), suspended.phone.clone()]),
    ] {
        let classes = ["free", "taken", "taken, written otherwise", "of a suspended user"];
        let mut requests = Vec::new();
        for (class, address) in classes.into_iter().zip(&addresses) {
            let body = json!({ "identifier": { "type": kind, "value": address } });
            requests.push(Request::json(class, line, &app.user().await, &body));
        }
        are_alike(&app, 201, "", &requests).await;
        let templates = app.mailbox.messages().into_iter().take(4).map(|message| message.template.name());
        assert_eq!(templates.collect::<Vec<_>>(), ["BindNewIdentifier"; 4]);
    }
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_are_answered_alike() {
    let app = start().await;
    let manager = app.manager().await;
    let third = app.third_party().await;
    let public = json!({ "name": "public", "type": "SPA" });
    let public =
        manager.post("/api/applications", public).await.expect("200").json()["id"].as_str().unwrap().to_owned();
    let clients = [
        ("unknown", "nobody"),
        ("known", app.application.as_str()),
        ("third-party", third.as_str()),
        ("public", &public),
    ];
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    for path in ["POST /oidc/token", "POST /oauth/token"] {
        let by_body = clients.map(|(class, id)| {
            let body = format!("grant_type=client_credentials&client_id={id}&client_secret=wrong");
            Request::new(class, path, None, &headers, &body)
        });
        are_alike(&app, 401, "oidc.invalid_client", &by_body).await;
        let without = [clients[0], clients[1], clients[2]].map(|(class, id)| {
            Request::new(class, path, None, &headers, &format!("grant_type=client_credentials&client_id={id}"))
        });
        are_alike(&app, 401, "oidc.invalid_client", &without).await;
        let by_header = clients.map(|(class, id)| {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:wrong")));
            Request::new(class, path, Some(&basic), &headers, "grant_type=client_credentials")
        });
        are_alike(&app, 401, "oidc.invalid_client", &by_header).await;
    }
}

/// Subject tokens for a user, as a back end asks for them.
async fn subject_token(manager: &Service<'_>, user: &UserId) -> String {
    let answer = manager.post("/api/subject-tokens", json!({ "userId": user })).await.expect("201");
    answer.json()["subjectToken"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_subject_token_that_is_of_no_use_is_answered_as_an_unknown_one() {
    let app = start().await;
    let (manager, user) = (app.manager().await, app.user().await);
    let mut tokens = vec![("unknown", format!("sub_{UNKNOWN}"))];
    tokens.push(("expired", subject_token(&manager, &user.id).await));
    app.advance(601);
    for (class, is_deleted) in [("of a suspended user", false), ("of a deleted user", true)] {
        let gone = app.user().await;
        tokens.push((class, subject_token(&manager, &gone.id).await));
        let mut session = app.write().await;
        if is_deleted {
            users::delete(&mut session, &gone.id).await.unwrap();
        } else {
            users::set_suspended(&mut session, &gone.id, true, app.now()).await.unwrap();
        }
        session.commit().await.unwrap();
    }
    let spent = subject_token(&manager, &user.id).await;
    let exchange = |class: &'static str, token: &str| {
        let body = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id={}&client_secret={}\
             &subject_token_type=urn:logto:token-type:impersonation_token&subject_token={token}",
            app.application, app.management_secret
        );
        Request::new(class, "POST /oidc/token", None, &[("content-type", "application/x-www-form-urlencoded")], &body)
    };
    assert!(exchange("used", &spent).answer(&app).await.status.contains("200"));
    tokens.push(("used", spent));
    let requests: Vec<Request> = tokens.iter().map(|(class, token)| exchange(class, token)).collect();
    are_alike(&app, 400, "oidc.invalid_grant", &requests).await;
}

#[tokio::test]
async fn a_token_that_is_no_longer_good_does_not_say_why() {
    let app = start().await;
    let (ended, suspended, deleted, forged) = (app.user().await, app.user().await, app.user().await, app.user().await);
    let mut session = app.write().await;
    sessions::end_all(&mut session, &ended.id, None, app.now()).await.unwrap();
    users::set_suspended(&mut session, &suspended.id, true, app.now()).await.unwrap();
    users::delete(&mut session, &deleted.id).await.unwrap();
    session.commit().await.unwrap();
    let (signed, signature) = forged.token.rsplit_once('.').unwrap();
    let forged = forged.with_token(format!("{signed}.{}", signature.chars().rev().collect::<String>()));
    for line in ["GET /api/my-account", "POST /api/verifications/password/verify"] {
        let requests = [("ended", &ended), ("suspended", &suspended), ("deleted", &deleted), ("forged", &forged)]
            .map(|(class, user)| Request::json(class, line, user, &json!({ "password": "x" })));
        are_alike(&app, 401, "auth.unauthorized", &requests).await;
    }
}

#[tokio::test]
async fn whoever_may_not_manage_learns_of_no_user_or_application() {
    let app = start().await;
    let (me, other) = (app.user().await, app.user().await);
    let ids = [("unknown", "nobody000000".to_owned()), ("known", other.id.to_string())];
    for (line, code) in [("GET /api/users/", "auth.unauthorized"), ("DELETE /api/users/", "auth.unauthorized")] {
        let requests: Vec<Request> =
            ids.iter().map(|(class, id)| Request::json(class, &format!("{line}{id}"), &me, &json!({}))).collect();
        are_alike(&app, 401, code, &requests).await;
    }
    let ids = [("unknown", "nobody000000"), ("known", app.application.as_str())];
    let requests = ids.map(|(class, id)| Request::json(class, &format!("GET /api/applications/{id}"), &me, &json!({})));
    are_alike(&app, 401, "auth.unauthorized", &requests).await;
}
