//! Codes verified a second, against the same statements committed directly.

use std::{sync::Arc, time::Instant};

use countersign::{
    app::App,
    audit::{self, Actor},
    crypto::digest::record_key,
    domain::{
        id::{RecordId, RecordKey, UserId},
        method::{Method, Purpose},
    },
    stepup::records::LIFE,
    storage::{Db, PoolLimits, guesses, records},
};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    client, report,
    subject::{Subject, User},
};

/// Codes for each user and round.
const CODES: usize = 80;
const METHOD: &str = Method::EmailCode.name();
const CODE: &str = "042193";

/// A code that waits to be verified.
struct Waiting {
    user: UserId,
    email: String,
    key: RecordKey,
    request: Vec<u8>,
}

pub fn measure(clients: &Runtime, subject: &Subject) {
    let app = &subject.running.app;
    let url = app.config.database.url.clone();
    let limits = PoolLimits::of(&app.config.database, app.config.database.connections);
    let direct = clients.block_on(Db::connect(&url, limits)).unwrap();
    let pairs = report::rounds(|| {
        let waiting = clients.block_on(arrange(app, &subject.users));
        let limit = timed(clients, waiting, |own| commit(direct.clone(), Arc::clone(app), own));
        let waiting = clients.block_on(arrange(app, &subject.users));
        let address = subject.address();
        let reached = timed(clients, waiting, |own| client::send_all(address, own.into_iter().map(|one| one.request)));
        (limit, reached)
    });
    clients.block_on(direct.close());
    report::ratio(&format!("codes verified a second, {}", subject.database), &pairs, 0.50);
}

/// Every user's list at the same time, each in its order. Codes a second.
pub fn timed<T, F: Future<Output = ()> + Send + 'static>(
    clients: &Runtime,
    waiting: Vec<Vec<T>>,
    work: impl Fn(Vec<T>) -> F,
) -> f64 {
    let count: usize = waiting.iter().map(Vec::len).sum();
    let started = Instant::now();
    let tasks: Vec<_> = waiting.into_iter().map(|own| clients.spawn(work(own))).collect();
    for task in tasks {
        clients.block_on(task).expect("every code is right");
    }
    client::per_second(u64::try_from(count).unwrap(), started.elapsed())
}

/// Records with codes, as sending them would have left them.
async fn arrange(app: &App, users: &[User]) -> Vec<Vec<Waiting>> {
    let mut all = Vec::new();
    let mut session = app.db.write().await.unwrap();
    for user in users {
        let mut own = Vec::new();
        for _ in 0..CODES {
            let (id, now) = (RecordId::random(&*app.random), app.now());
            let key = record_key(&id);
            let row = records::NewRecord {
                key: &key,
                holder: records::Holder { user: &user.id, jkt: None },
                method: METHOD,
                purpose: Purpose::UserPermissionValidation.name(),
                identifier: Some(&user.email),
                code: Some((app.codes.mac(&key, CODE).to_vec(), now.plus(LIFE))),
                created_at: now,
                expires_at: now.plus(LIFE),
                verified_at: None,
                part_of: None,
            };
            records::add(&mut session, row).await.unwrap();
            let identifier = json!({ "type": "email", "value": user.email });
            let body = json!({ "identifier": identifier, "verificationId": id.expose(), "code": CODE });
            let path = "/api/verifications/verification-code/verify";
            let request = client::request("POST", path, Some(&user.token), Some(&body));
            own.push(Waiting { user: user.id.clone(), email: user.email.clone(), key, request });
        }
        all.push(own);
    }
    session.commit().await.unwrap();
    all
}

/// The statements of `stepup::challenges::verify` for a right code, and nothing else.
async fn commit(db: Db, app: Arc<App>, own: Vec<Waiting>) {
    for Waiting { user, email, key, .. } in own {
        let now = app.now();
        let mut session = db.write().await.unwrap();
        guesses::hold(&mut session, &user, METHOD, now).await.unwrap();
        let holder = records::Holder { user: &user, jkt: None };
        let challenge = records::count_guess(&mut session, [&key, &key], holder, METHOD, &email, now).await.unwrap();
        assert!(challenge.is_some_and(|challenge| challenge.guesses == 1), "the record waits for its code");
        assert!(records::set_verified(&mut session, &key, now).await.unwrap(), "nobody else verifies it");
        let actor = Actor { user: Some(&user), application: None, client: None };
        let data = json!({ "method": METHOD, "identifier": email });
        audit::write(&app, &mut session, "verification.succeeded", actor, data).await.unwrap();
        session.commit().await.unwrap();
    }
}
