//! Whole requests, as bytes on a connection, to the service with everything behind it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::LazyLock,
    time::Duration,
};

use countersign::{
    channels::Channels,
    config::Config,
    crypto::{digest::digest, master_key::MasterKey},
    domain::id::{ApplicationId, RecordId, UserId},
    server::{self, Options, Running},
    signin::issue,
    storage::{applications, applications::Application, users},
};
use tokio::runtime::Runtime;

/// A service with a user and an operator, and what stands for their secrets in the inputs.
struct Service {
    address: SocketAddr,
    runtime: Runtime,
    running: Running,
    application: ApplicationId,
    words: std::sync::Mutex<[String; 4]>,
}

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap().keep();
    let mut config = Config::default();
    config.server.bind = "127.0.0.1:0".parse().unwrap();
    config.server.workers = Some(1);
    config.database.url = format!("sqlite://{}", folder.join("fuzz.db").display());
    config.limits.requests_per_minute = 0;
    config.limits.verifications_per_minute = 0;
    config.limits.tokens_per_minute = 0;
    config.limits.head_seconds = 1;
    config.limits.body_seconds = 1;
    config.hashing.memory_kib = 64;
    config.hashing.passes = 1;
    config.hashing.threads = 1;
    let mailbox = Some(Channels::to_mailbox(10));
    let master_key = Some(MasterKey::from_bytes([7; 32]));
    let (running, application, words) = runtime.block_on(async {
        let running = server::start(config, Options { master_key, mailbox, ..Options::default() }).await.unwrap();
        let application = application(&running).await;
        let words = people(&running, &application).await;
        (running, application, words)
    });
    Service { address: running.address, runtime, running, application, words: words.into() }
});

async fn application(running: &Running) -> ApplicationId {
    let app = &running.app;
    let application = Application {
        id: ApplicationId::random(&*app.random),
        name: "fuzz".to_owned(),
        description: None,
        kind: "MachineToMachine".to_owned(),
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

/// A user's token, an operator's token, a verified record's id, the user's id.
async fn people(running: &Running, application: &ApplicationId) -> [String; 4] {
    let app = &running.app;
    let (id, now) = (UserId::random(&*app.random), app.now());
    let hash = app.hasher.hash("horse-battery-1".to_owned().into()).await.unwrap();
    let mut session = app.db.write().await.unwrap();
    users::add(&mut session, &id, Some(application), now).await.unwrap();
    users::set_password(&mut session, &id, &hash, "Argon2id", now).await.unwrap();
    let email = format!("{id}@example.com");
    users::set_email(&mut session, &id, Some(&email), Some(&email), now).await.unwrap();
    let [_, issuer] = &app.urls.issuers;
    let scopes = "openid profile email phone address custom_data identities";
    let token = issue::user_token(app, &mut session, &id, application, scopes, issuer).await.unwrap();
    let record = countersign::stepup::records::Fresh::new(app);
    let row = countersign::storage::records::NewRecord {
        key: &record.key,
        holder: countersign::storage::records::Holder { user: &id, jkt: None },
        method: "password",
        purpose: "UserPermissionValidation",
        identifier: None,
        code: None,
        created_at: now,
        expires_at: record.expires_at,
        verified_at: Some(now),
        part_of: None,
    };
    countersign::storage::records::add(&mut session, row).await.unwrap();
    session.commit().await.unwrap();
    let audience = &app.urls.management_audiences[0];
    let operator = issue::application_token(app, application, issue::MANAGEMENT_SCOPE, audience, issuer, None).unwrap();
    let record: &RecordId = &record.id;
    [token, operator, record.expose().to_owned(), id.to_string()]
}

/// The bytes 1 to 4 stand for the words of `people`. Whatever comes in, the service answers, and never that it failed.
pub fn requests(data: &[u8]) {
    let service = &*SERVICE;
    let mut words = service.words.lock().unwrap();
    let mut bytes = Vec::with_capacity(data.len());
    for byte in data {
        match byte {
            1..=4 => bytes.extend_from_slice(words[usize::from(*byte) - 1].as_bytes()),
            other => bytes.push(*other),
        }
    }
    let answer = exchange(service.address, &bytes);
    // What comes behind a first request may be anything; each answer begins with its version.
    for status in statuses(&answer) {
        assert!(status < 500 || matches!(status, 501 | 503), "{status}: {}", String::from_utf8_lossy(&answer));
        assert!(status != 503, "nothing is away, yet: {}", String::from_utf8_lossy(&answer));
    }
    // Whoever was deleted, suspended or signed out comes back as somebody else.
    let look = format!(
        "GET /api/my-account HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        words[0]
    );
    if data.len().is_multiple_of(16) && !exchange(service.address, look.as_bytes()).starts_with(b"HTTP/1.1 200") {
        let application = match service.runtime.block_on(async {
            service
                .running
                .app
                .db
                .read()
                .await?
                .fetch_optional::<(String,)>(
                    "select id from applications where id = $1 and is_management",
                    (&service.application,),
                )
                .await
                .map_err(countersign::error::Error::from)
        }) {
            Ok(Some(_)) => service.application.clone(),
            _ => service.runtime.block_on(application(&service.running)),
        };
        *words = service.runtime.block_on(people(&service.running, &application));
    }
}

fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = Vec::new();
    // The service may have refused, and gone, before all of it is written.
    if stream.write_all(bytes).is_ok() {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn statuses(answer: &[u8]) -> impl Iterator<Item = u16> {
    let text = String::from_utf8_lossy(answer).into_owned();
    let found: Vec<u16> = text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect();
    found.into_iter()
}
