//! The pairs of classes that nobody must tell apart.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use countersign::{
    crypto::digest::digest,
    domain::{application::ApplicationType, id::ApplicationId, method::Purpose, time::Timestamp},
    storage::{
        applications::{self, Application},
        sessions, tokens,
    },
};
use serde_json::{Value, json};

use crate::{
    scene::{
        Leaves, Scene,
        State::{Expired, Pending, Revoked, Spent, Verified},
    },
    sign_in,
};

const UNKNOWN: &str = "00000000000000000000000000000000";
pub const JSON: &str = "Content-Type: application/json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const VERIFY: &str = "POST /api/verifications/verification-code/verify";

/// Two classes of requests with the same answer.
pub struct Pair {
    pub name: String,
    pub requests: [Vec<u8>; 2],
    /// Of both answers.
    pub status: u16,
    pub leaves: Leaves,
    /// Whether time does tell them apart, and may: what shows that the measuring sees anything.
    pub is_different: bool,
    /// After each request, for what it set off.
    pub pause: Duration,
    /// Sent before the first sample, and each time things were cleared away.
    pub first: Vec<Vec<u8>>,
}

impl Pair {
    pub fn new(name: impl Into<String>, status: u16, requests: [Vec<u8>; 2]) -> Self {
        Self {
            name: name.into(),
            requests,
            status,
            leaves: Leaves::Nothing,
            is_different: false,
            pause: Duration::ZERO,
            first: Vec::new(),
        }
    }
}

/// A request as it goes over the wire.
pub fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn with_token(line: &str, token: &str, headers: &str, body: &Value) -> Vec<u8> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(line, &format!("Authorization: Bearer {token}\r\n{JSON}{headers}"), &body)
}

/// All of them. Some end users: those come last.
pub async fn all(scene: &Scene) -> Vec<Pair> {
    let mut pairs = codes(scene).await;
    pairs.extend(gates(scene).await);
    pairs.extend(bindings(scene).await);
    pairs.extend(passwords(scene).await);
    pairs.extend(sends(scene));
    pairs.extend(sign_in::all(scene).await);
    pairs.extend(clients(scene).await);
    pairs.extend(subject_tokens(scene).await);
    pairs.extend(bearers(scene).await);
    pairs
}

async fn codes(scene: &Scene) -> Vec<Pair> {
    let (me, other) = (scene.user(0), scene.user(1));
    let verify = |record: &str| {
        let identifier = json!({ "type": "email", "value": me.email });
        let body = json!({ "identifier": identifier, "verificationId": record, "code": "000000" });
        with_token(VERIFY, &me.token, "", &body)
    };
    let mut pairs = vec![
        Pair::new("control: an unknown record, twice", 400, [verify(UNKNOWN), verify(UNKNOWN)]),
        Pair {
            is_different: true,
            ..Pair::new("control: an unknown record, and what is no id", 400, [verify(UNKNOWN), verify("x")])
        },
    ];
    let purpose = Purpose::UserPermissionValidation;
    for (owner, state) in
        [(other, Pending), (other, Verified), (other, Expired), (me, Expired), (me, Revoked), (me, Spent)]
    {
        let record = scene.record(&owner.id, purpose, &me.email, state).await;
        let whose = if owner.id == me.id { "own" } else { "foreign" };
        let name = format!("code: unknown record, {whose} {state:?} one").to_lowercase();
        pairs.push(Pair::new(name, 400, [verify(UNKNOWN), verify(&record)]));
    }
    pairs
}

async fn gates(scene: &Scene) -> Vec<Pair> {
    let (me, other) = (scene.user(0), scene.user(1));
    let show = |record: &str| {
        let header = format!("Verification-Id: {record}\r\n");
        with_token("DELETE /api/my-account/primary-phone", &me.token, &header, &Value::Null)
    };
    let mut pairs = Vec::new();
    for (owner, state) in [(other, Verified), (me, Pending), (me, Expired), (me, Revoked)] {
        let record = scene.record(&owner.id, Purpose::UserPermissionValidation, &me.email, state).await;
        let whose = if owner.id == me.id { "own" } else { "foreign" };
        let name = format!("gate: unknown record, {whose} {state:?} one").to_lowercase();
        pairs.push(Pair::new(name, 401, [show(UNKNOWN), show(&record)]));
    }
    pairs
}

async fn bindings(scene: &Scene) -> Vec<Pair> {
    let (me, other) = (scene.user(0), scene.user(1));
    let permission = scene.record(&me.id, Purpose::UserPermissionValidation, &me.email, Verified).await;
    let bind = |address: &str, proof: &str| {
        let header = format!("Verification-Id: {permission}\r\n");
        let body = json!({ "email": address, "newIdentifierVerificationRecordId": proof });
        with_token("POST /api/my-account/primary-email", &me.token, &header, &body)
    };
    let free = "free@example.org";
    let mut pairs = Vec::new();
    for (owner, state) in [(other, Verified), (me, Pending), (me, Spent)] {
        let proof = scene.record(&owner.id, Purpose::BindNewIdentifier, free, state).await;
        let whose = if owner.id == me.id { "own" } else { "foreign" };
        let name = format!("binding: unknown proof, {whose} {state:?} one").to_lowercase();
        pairs.push(Pair::new(name, 400, [bind(free, UNKNOWN), bind(free, &proof)]));
    }
    let taken = &scene.user(2).email;
    pairs.push(Pair::new(
        "binding: free address, taken one, without a proof",
        400,
        [bind("free0@example.com", UNKNOWN), bind(taken, UNKNOWN)],
    ));
    pairs
}

async fn passwords(scene: &Scene) -> Vec<Pair> {
    let (set, none, imported) = (scene.user(2), scene.user(3), scene.user(4));
    scene.set_digest(&none.id, None).await;
    scene.set_digest(&imported.id, Some(("5f4dcc3b5aa765d61d8327deb882cf99", "MD5"))).await;
    let check = |token: &str| {
        with_token("POST /api/verifications/password/verify", token, "", &json!({ "password": "not it" }))
    };
    [("password: wrong, none set", none), ("password: wrong, wrong for an imported MD5", imported)]
        .map(|(name, other)| Pair {
            leaves: Leaves::Guesses,
            ..Pair::new(name, 422, [check(&set.token), check(&other.token)])
        })
        .into()
}

fn sends(scene: &Scene) -> Vec<Pair> {
    let (me, taken) = (scene.user(0), scene.user(2));
    let send = |kind: &str, address: &str| {
        let body = json!({ "identifier": { "type": kind, "value": address } });
        with_token("POST /api/verifications/verification-code", &me.token, "", &body)
    };
    [("email", "free0@example.com", taken.email.as_str()), ("phone", "15550009999", "15550000002")]
        .map(|(kind, free, taken)| Pair {
            leaves: Leaves::Sends,
            ..Pair::new(format!("code: to a free {kind}, to a taken one"), 201, [send(kind, free), send(kind, taken)])
        })
        .into()
}

async fn clients(scene: &Scene) -> Vec<Pair> {
    let known = application(scene).await;
    let unknown = "nobody0000000000000000000".get(..known.as_str().len()).expect("as long");
    let by_header = |id: &str| {
        let basic = BASE64_STANDARD.encode(format!("{id}:wrong"));
        let headers = format!("Authorization: Basic {basic}\r\n{FORM}");
        request("POST /oidc/token", &headers, "grant_type=client_credentials")
    };
    let without =
        |id: &str| request("POST /oidc/token", FORM, &format!("grant_type=client_credentials&client_id={id}"));
    let known = known.as_str();
    vec![
        Pair::new("token: unknown client, wrong secret", 401, [by_header(unknown), by_header(known)]),
        Pair::new("token: unknown client, no secret", 401, [without(unknown), without(known)]),
    ]
}

/// One that may exchange subject tokens, with the secret `secret`.
async fn application(scene: &Scene) -> ApplicationId {
    let app = &scene.subject.running.app;
    let application = Application {
        id: ApplicationId::random(&*app.random),
        name: "back end".to_owned(),
        description: None,
        kind: ApplicationType::MachineToMachine.name().to_owned(),
        is_third_party: false,
        is_management: true,
        allow_token_exchange: true,
        oidc_client_metadata: Default::default(),
        custom_data: Default::default(),
        client_settings: Default::default(),
        created_at: app.now(),
    };
    let mut session = app.db.write().await.unwrap();
    applications::add(&mut session, &application).await.unwrap();
    applications::add_secret(&mut session, &application.id, &digest(b"secret"), "first", app.now()).await.unwrap();
    session.commit().await.unwrap();
    application.id
}

async fn subject_tokens(scene: &Scene) -> Vec<Pair> {
    let app = &scene.subject.running.app;
    let (client, user, now) = (application(scene).await, scene.user(0), app.now());
    let exchange = |token: &str| {
        let body = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id={client}&client_secret=secret\
             &subject_token_type=urn:logto:token-type:impersonation_token&subject_token={token}"
        );
        request("POST /oidc/token", FORM, &body)
    };
    let mut session = app.db.write().await.unwrap();
    let (spent, expired) = ("sub_used0000000000000000000000000000", "sub_expired0000000000000000000000000");
    tokens::add(&mut session, &digest(spent.as_bytes()), &user.id, now, Timestamp(now.0 + 600_000)).await.unwrap();
    tokens::spend(&mut session, &digest(spent.as_bytes()), now).await.unwrap();
    tokens::add(&mut session, &digest(expired.as_bytes()), &user.id, now, now).await.unwrap();
    let (gone, suspended) = (scene.user(6), "sub_suspended00000000000000000000000");
    tokens::add(&mut session, &digest(suspended.as_bytes()), &gone.id, now, Timestamp(now.0 + 600_000)).await.unwrap();
    session.commit().await.unwrap();
    scene.dismiss(&gone.id, false).await;
    let unknown = format!("sub_{UNKNOWN}");
    vec![
        Pair::new("subject token: unknown, used", 400, [exchange(&unknown), exchange(spent)]),
        Pair::new("subject token: unknown, expired", 400, [exchange(&unknown), exchange(expired)]),
        Pair::new("subject token: unknown, of a suspended user", 400, [exchange(&unknown), exchange(suspended)]),
    ]
}

async fn bearers(scene: &Scene) -> Vec<Pair> {
    // The suspended one was suspended before.
    let (ended, suspended, deleted) = (scene.user(5), scene.user(6), scene.user(7));
    let app = &scene.subject.running.app;
    let mut session = app.db.write().await.unwrap();
    sessions::end_all(&mut session, &ended.id, None, app.now()).await.unwrap();
    session.commit().await.unwrap();
    scene.dismiss(&deleted.id, true).await;
    let get = |token: &str| with_token("GET /api/my-account", token, "", &Value::Null);
    vec![
        Pair::new("bearer: deleted user, suspended user", 401, [get(&deleted.token), get(&suspended.token)]),
        Pair::new("bearer: deleted user, ended session", 401, [get(&deleted.token), get(&ended.token)]),
    ]
}
