//! Records redeemed a second, against the same statements and signature without HTTP; and how both move when the table is large.

use std::sync::Arc;

use countersign::{
    app::App,
    crypto::{
        digest::{base64url, part_key, payload_digest, record_key},
        stepup::{self, Assertion},
    },
    domain::{
        id::{ApplicationId, RecordId, RecordKey, UserId, random_text},
        method::{Method, Purpose},
        payload::Payload,
        policy::{self, Acr},
    },
    signin::issue::{self, REDEEM_SCOPE},
    stepup::redemption::{Action, Redeemer},
    storage::{
        Texts, applications,
        openings::{self, NewOpening},
        records::{self, Holder, NewRecord},
    },
    web::client::Client,
};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    client,
    codes::timed,
    report,
    subject::{BANK, OPERATION, Subject, User},
};

/// Records of each user and round.
const RECORDS: usize = 24;
const PAYLOAD: &str = r#"{"amount":"120.50","currency":"EUR","payee":"ACME GmbH"}"#;

/// A record that waits to be redeemed.
struct Waiting {
    user: UserId,
    key: RecordKey,
    request: Vec<u8>,
}

pub fn measure(clients: &Runtime, subject: &Subject) {
    let app = &subject.running.app;
    let bank = clients.block_on(bank(app));
    let few = pairs(clients, subject, &bank);
    report::ratio(&format!("redemptions a second, {}", subject.database), &few, 0.50);
    let many: i64 = std::env::var("COUNTERSIGN_BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    if many > 0 {
        clients.block_on(fill(app, &subject.users, many));
        let large = pairs(clients, subject, &bank);
        report::ratio(&format!("redemptions a second, {many} records, {}", subject.database), &large, 0.50);
        let both: Vec<_> = few.iter().zip(&large).map(|(few, large)| (few.1, large.1)).collect();
        report::ratio(&format!("the same, few against {many}, {}", subject.database), &both, 0.85);
    }
}

fn pairs(clients: &Runtime, subject: &Subject, bank: &str) -> Vec<(f64, f64)> {
    let app = &subject.running.app;
    report::rounds(|| {
        let waiting = clients.block_on(arrange(app, &subject.users, bank));
        let limit = timed(clients, waiting, |own| redeem(Arc::clone(app), own));
        let waiting = clients.block_on(arrange(app, &subject.users, bank));
        let address = subject.address();
        let reached = timed(clients, waiting, |own| client::send_all(address, own.into_iter().map(|one| one.request)));
        (limit, reached)
    })
}

/// The relying service; gives its token.
async fn bank(app: &App) -> String {
    let id = ApplicationId(BANK.to_owned());
    let application = applications::Application {
        id: id.clone(),
        kind: "MachineToMachine".to_owned(),
        ..crate::subject::application(app)
    };
    let mut session = app.db.write().await.unwrap();
    applications::add(&mut session, &application).await.unwrap();
    session.commit().await.unwrap();
    let [_, issuer] = &app.urls.issuers;
    issue::application_token(app, &id, REDEEM_SCOPE, &app.urls.redeemer_audience, issuer, None).unwrap()
}

/// Records whose owners have consented to the payment, and the requests that redeem them.
async fn arrange(app: &App, users: &[User], token: &str) -> Vec<Vec<Waiting>> {
    let payload = Payload::parse(PAYLOAD).unwrap();
    let digest = payload_digest(&payload);
    let mut all = Vec::new();
    for user in users {
        let mut own = Vec::new();
        for id in consented(app, user, OPERATION, Some(&digest), RECORDS).await {
            let body = json!({ "operation": OPERATION, "payload": payload, "subject": user.id });
            let path = format!("/api/verifications/{}/redeem", id.expose());
            own.push(Waiting {
                user: user.id.clone(),
                key: record_key(&id),
                request: client::request("POST", &path, Some(token), Some(&body)),
            });
        }
        all.push(own);
    }
    all
}

/// Records of a user's, opened for an operation and proved by the password.
pub async fn consented(
    app: &App,
    user: &User,
    operation: &str,
    digest: Option<&[u8; 32]>,
    count: usize,
) -> Vec<RecordId> {
    let mut ids = Vec::new();
    let mut session = app.db.write().await.unwrap();
    for _ in 0..count {
        let (id, now) = (RecordId::random(&*app.random), app.now());
        let (key, expires_at) = (record_key(&id), now.plus(std::time::Duration::from_secs(300)));
        let holder = Holder { user: &user.id, jkt: None };
        let handle = random_text(&*app.random, 21);
        let new = NewOpening {
            key: &key,
            holder,
            operation: Some(operation),
            payload_digest: digest.map(<[u8; 32]>::as_slice),
            handle: &handle,
            display: None,
            opened_by: None,
            created_at: now,
            expires_at,
        };
        openings::add(&mut session, new).await.unwrap();
        let part = NewRecord {
            key: &part_key(&key, Method::Password),
            holder,
            method: Method::Password.name(),
            purpose: Purpose::UserPermissionValidation.name(),
            identifier: None,
            code: None,
            created_at: now,
            expires_at,
            verified_at: Some(now),
            part_of: Some(&key),
        };
        records::add(&mut session, part).await.unwrap();
        ids.push(id);
    }
    session.commit().await.unwrap();
    ids
}

/// What the route does for a good record, and nothing else.
async fn redeem(app: Arc<App>, own: Vec<Waiting>) {
    let client = Client { ip: None, request_id: String::new(), user_agent: None };
    let service = ApplicationId(BANK.to_owned());
    let digest = payload_digest(&Payload::parse(PAYLOAD).unwrap());
    for Waiting { user, key, .. } in own {
        let redeemer = Redeemer { service: &service, client: &client, key };
        let action = Action { subject: &user, operation: OPERATION, payload_digest: Some(digest) };
        let mut session = app.db.write().await.unwrap();
        let admitted = redeemer.admit(&app, &mut session, action).await.unwrap();
        let admitted = admitted.unwrap_or_else(|_| unreachable!("the record is good"));
        let id = random_text(&*app.random, 26);
        redeemer.spend(&app, &mut session, &admitted, &id).await.unwrap();
        let now = app.now().seconds();
        let [issuer, _] = &app.urls.issuers;
        let assertion = Assertion {
            iss: issuer.clone(),
            sub: user.0,
            aud: BANK.to_owned(),
            iat: now,
            exp: now + stepup::LIFE,
            jti: id,
            auth_time: admitted.met.auth_time.seconds(),
            acr: Acr::of(&admitted.met.methods).urn().to_owned(),
            amr: policy::amr(&admitted.met.methods),
            operation: OPERATION.to_owned(),
            payload_digest: Some(base64url(&digest)),
        };
        stepup::sign(&app.keys, &assertion).unwrap();
        session.commit().await.unwrap();
    }
}

/// Fills the table with records that have expired and are not swept yet.
async fn fill(app: &App, users: &[User], many: i64) {
    const BATCH: i64 = 25_000;
    const TEXTS: Texts = Texts {
        sqlite: "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)
                 insert into verification_records (id_hash, user_id, method, purpose, guesses, created_at, expires_at, operation, handle)
                 select randomblob(32), $2, 'opened', 'UserPermissionValidation', 0, $3, $3, 'bank.pay', hex(randomblob(16)) from n",
        postgres: "insert into verification_records (id_hash, user_id, method, purpose, guesses, created_at, expires_at, operation, handle)
                   select sha256(gen_random_uuid()::text::bytea), $2, 'opened', 'UserPermissionValidation', 0, $3, $3, 'bank.pay',
                     gen_random_uuid()::text from generate_series(1, $1)",
    };
    let past = app.now().minus(std::time::Duration::from_secs(3600));
    for (_, user) in (0..many / BATCH).zip(users.iter().cycle()) {
        let user = &user.id;
        let mut session = app.db.write().await.unwrap();
        let sql = TEXTS.of(&session);
        session.execute(sql, (BATCH, user, past)).await.unwrap();
        session.commit().await.unwrap();
    }
}
