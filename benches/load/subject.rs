//! The service as it runs in production, with users who hold tokens.

use std::{net::SocketAddr, sync::Arc};

use countersign::{
    app::App,
    channels::Channels,
    config::Config,
    crypto::master_key::MasterKey,
    domain::id::{ApplicationId, UserId},
    server::{self, Options, Running},
    signin::issue,
    storage::{applications, applications::Application, users},
};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::runtime::Runtime;

pub const PASSWORD: &str = "correct horse battery staple";

/// An operation of a back end's, and who redeems it.
pub const OPERATION: &str = "bank.pay";
pub const BANK: &str = "load-bank";

/// What a proxy asks about: one payment each, and a view that is open for a while.
pub const HOST: &str = "bank.example";
pub const TRANSFER: &str = "proxy.transfer";
pub const VIEW: &str = "proxy.view";

/// A runtime of its own for each side.
pub fn runtime(name: &str) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(crate::cores()).thread_name(name).enable_all().build().unwrap()
}

/// A line of JSON a request, with the members that `serve` writes; it goes nowhere, but is written.
pub fn log_as_in_production() {
    let nowhere = std::fs::File::options().write(true).open("/dev/null").expect("a place to write to");
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false);
    lines.with_max_level(tracing::Level::INFO).with_writer(Arc::new(nowhere)).init();
}

/// An empty database of either kind.
pub struct Database {
    pub name: &'static str,
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    pub fn all() -> Vec<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let url = format!("sqlite://{}", folder.path().join("load.db").display());
        let mut all = vec![Self { name: "SQLite", url, _folder: Some(folder) }];
        match std::env::var("COUNTERSIGN_TEST_POSTGRES") {
            Ok(server) => all.push(Self { name: "PostgreSQL", url: fresh_postgres(&server), _folder: None }),
            Err(_) => println!("PostgreSQL is left out: COUNTERSIGN_TEST_POSTGRES names no server"),
        }
        all
    }
}

fn fresh_postgres(server: &str) -> String {
    let name = format!("countersign_load_{}", std::process::id());
    runtime("setup").block_on(async {
        let mut connection = PgConnection::connect(server).await.expect("COUNTERSIGN_TEST_POSTGRES answers");
        connection.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.unwrap();
        let fsync: String = sqlx::query_scalar("show fsync").fetch_one(&mut connection).await.unwrap();
        println!("PostgreSQL runs with fsync {fsync}");
    });
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(&name);
    url.into()
}

/// The configuration: the defaults, but for the addresses.
pub fn config(url: &str) -> Config {
    let mut config = Config::default();
    config.server.bind = "127.0.0.1:0".parse().unwrap();
    // Tokens hold for the service in this process and for one of its own.
    config.server.public_url = Some("http://localhost:3000".to_owned());
    url.clone_into(&mut config.database.url);
    // Counted as always, but never refused: it all comes from one address.
    config.limits.requests_per_minute = 100_000_000;
    config.limits.verifications_per_minute = 100_000_000;
    config.limits.tokens_per_minute = 100_000_000;
    config.limits.sends_per_client = 0;
    config.limits.sends_in_all = 0;
    let operations = serde_json::json!([
        { "name": OPERATION, "methods": [["password"]], "bind": "payload", "redeemers": [BANK],
          "message": { "en": "Pay {amount} {currency} to {payee}" } },
        { "name": TRANSFER, "methods": [["password"]], "bind": "payload", "message": { "en": "{method} {path} at {host}" } },
        { "name": VIEW, "methods": [["password"]], "use": "until_expiry" },
    ]);
    config.operations = serde_json::from_value(operations).unwrap();
    let guards = serde_json::json!({
        "default": "pass", "proxies": ["127.0.0.1/32"],
        "routes": [
            { "host": HOST, "method": "POST", "path": "/transfers/{id}/execute", "operation": TRANSFER },
            { "host": HOST, "method": "GET", "path": "/statements/{*rest}", "operation": VIEW },
        ],
    });
    config.forward_auth = serde_json::from_value(guards).unwrap();
    config
}

pub fn options() -> Options {
    let mailbox = Some(Channels::to_mailbox(10));
    Options { master_key: Some(MasterKey::from_bytes([7; 32])), mailbox, ..Options::default() }
}

pub struct User {
    pub id: UserId,
    pub email: String,
    pub token: String,
}

pub struct Subject {
    pub database: &'static str,
    pub running: Running,
    pub users: Vec<User>,
}

impl Subject {
    /// Starts the service and adds users.
    pub async fn start(database: &Database, count: usize) -> Self {
        Self::start_as(database, count, config(&database.url), options()).await
    }

    /// The same with a configuration and options of the caller's own.
    pub async fn start_as(database: &Database, count: usize, config: Config, options: Options) -> Self {
        let running = server::start(config, options).await.expect("the service starts");
        let app = &running.app;
        let application = add_application(app).await;
        let digest = app.hasher.hash(PASSWORD.into()).await.unwrap();
        let mut users = Vec::new();
        for number in 0..count {
            users.push(add_user(app, &application, number, &digest).await);
        }
        Self { database: database.name, running, users }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// One request for each user.
    pub fn requests(&self, method: &str, path: &str, body: Option<&serde_json::Value>) -> Vec<Vec<u8>> {
        self.users.iter().map(|user| crate::client::request(method, path, Some(&user.token), body)).collect()
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// An application, not stored yet.
pub fn application(app: &App) -> Application {
    Application {
        id: ApplicationId::random(&*app.random),
        name: "load".to_owned(),
        description: None,
        kind: "SPA".to_owned(),
        is_third_party: false,
        is_management: false,
        allow_token_exchange: false,
        oidc_client_metadata: Default::default(),
        custom_data: Default::default(),
        client_settings: Default::default(),
        created_at: app.now(),
    }
}

/// An application, stored.
pub async fn add_application(app: &App) -> ApplicationId {
    let application = application(app);
    let mut session = app.db.write().await.unwrap();
    applications::add(&mut session, &application).await.unwrap();
    session.commit().await.unwrap();
    application.id
}

async fn add_user(app: &App, application: &ApplicationId, number: usize, digest: &str) -> User {
    let (id, now) = (UserId::random(&*app.random), app.now());
    let (username, email) = (format!("user_{number}"), format!("user{number}@example.com"));
    let mut session = app.db.write().await.unwrap();
    users::add(&mut session, &id, Some(application), now).await.unwrap();
    users::set_username(&mut session, &id, Some(&username), Some(&username), now).await.unwrap();
    users::set_email(&mut session, &id, Some(&email), Some(&email), now).await.unwrap();
    users::set_phone(&mut session, &id, Some(&format!("1555{number:07}")), now).await.unwrap();
    users::set_password(&mut session, &id, digest, "Argon2id", now).await.unwrap();
    let [_, issuer] = &app.urls.issuers;
    let scope = "openid profile email phone address custom_data identities";
    let token = issue::user_token(app, &mut session, &id, application, scope, issuer).await.unwrap();
    session.commit().await.unwrap();
    User { id, email, token }
}
