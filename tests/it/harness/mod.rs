//! Starts a real server on a free port with a database of its own, and speaks HTTP to it through actors with verbs.
//!
//! SQLite by default; `COUNTERSIGN_TEST_POSTGRES=postgres://user@host/db` runs the same tests on PostgreSQL, each in a database of
//! its own.

mod actors;
mod database;
mod dpop;
mod mail_server;
mod redeemer;
mod sources;
pub mod stand_in;

use std::{sync::Arc, time::Duration};

use countersign::{
    app::App,
    channels::{Channels, mailbox::Mailbox},
    clock::{Clock, ManualClock},
    config::Config,
    crypto::{
        master_key::MasterKey,
        signing::{SigningAlgorithm, SigningKey},
    },
    domain::{id::ApplicationId, message::Message, time::Timestamp},
    server::{self, Options, Running},
    storage::{Session, applications::Application},
};

pub use actors::{Answer, Service, User};
pub use database::TestDatabase;
pub use dpop::{Bound, ClientKey, merge};
pub use mail_server::MailServer;
pub use redeemer::{Redeemer, with_operations};
pub use sources::sources;

/// 2026-11-20T12:00:00Z: every test begins then.
pub const START: Timestamp = Timestamp(1_795_176_000_000);

/// A running server and what a test may look at.
pub struct TestApp {
    pub running: Running,
    pub clock: Arc<ManualClock>,
    pub mailbox: Arc<Mailbox>,
    pub http: reqwest::Client,
    pub database: Arc<TestDatabase>,
    pub application: ApplicationId,
    pub management_secret: String,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With a configuration of the test's own.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let database = Arc::new(TestDatabase::new().await);
        let mut config = config(&database);
        change(&mut config);
        let (channels, mailbox) = Channels::to_mailbox(1000);
        let options = Options { mailbox: Some((channels, mailbox.clone())), ..options() };
        Self::launch(config, database, Arc::new(ManualClock::new(START)), options, mailbox, None).await
    }

    /// With options of the test's own, such as channels or master keys; without channels messages go to the mailbox.
    pub async fn start_with_options(change: impl FnOnce(&mut Options)) -> Self {
        let database = Arc::new(TestDatabase::new().await);
        let config = config(&database);
        let (channels, mailbox) = Channels::to_mailbox(1000);
        let mut options = Options { mailbox: Some((channels, mailbox.clone())), ..options() };
        change(&mut options);
        Self::launch(config, database, Arc::new(ManualClock::new(START)), options, mailbox, None).await
    }

    /// With the channels the configuration names, instead of the mailbox.
    pub async fn start_with_channels(change: impl FnOnce(&mut Config)) -> Self {
        let database = Arc::new(TestDatabase::new().await);
        let mut config = config(&database);
        change(&mut config);
        let (_, mailbox) = Channels::to_mailbox(1);
        Self::launch(config, database, Arc::new(ManualClock::new(START)), options(), mailbox, None).await
    }

    /// With a clock of the test's own; `clock` of what is returned is another.
    pub async fn start_with_clock(clock: Arc<dyn Clock>) -> Self {
        let database = Arc::new(TestDatabase::new().await);
        let config = config(&database);
        let (channels, mailbox) = Channels::to_mailbox(1000);
        let options = Options { mailbox: Some((channels, mailbox.clone())), clock: Some(clock), ..options() };
        Self::launch(config, database, Arc::new(ManualClock::new(START)), options, mailbox, None).await
    }

    /// What another server on the same database is started with.
    pub fn like_this_one(&self) -> (Config, Options) {
        let channels = Channels { email: Some(self.mailbox.clone()), sms: Some(self.mailbox.clone()) };
        (config(&self.database), Options { mailbox: Some((channels, self.mailbox.clone())), ..options() })
    }

    /// A second node on the same database, clock, mailbox and public URL.
    pub async fn second_node(&self) -> Self {
        self.second_node_with(|_| {}).await
    }

    /// The same with options of the test's own.
    pub async fn second_node_with(&self, change: impl FnOnce(&mut Options)) -> Self {
        self.second_node_as(|_| {}, change).await
    }

    /// The same with a configuration and options of the test's own.
    pub async fn second_node_as(&self, configure: impl FnOnce(&mut Config), change: impl FnOnce(&mut Options)) -> Self {
        let mut config = config(&self.database);
        configure(&mut config);
        config.server.public_url = Some(self.running.url());
        let channels = Channels { email: Some(self.mailbox.clone()), sms: Some(self.mailbox.clone()) };
        let mut options = Options { mailbox: Some((channels, self.mailbox.clone())), ..options() };
        change(&mut options);
        let known = Some((self.application.clone(), self.management_secret.clone()));
        Self::launch(config, self.database.clone(), self.clock.clone(), options, self.mailbox.clone(), known).await
    }

    async fn launch(
        config: Config,
        database: Arc<TestDatabase>,
        clock: Arc<ManualClock>,
        options: Options,
        mailbox: Arc<Mailbox>,
        known: Option<(ApplicationId, String)>,
    ) -> Self {
        let own: Arc<dyn Clock> = options.clock.unwrap_or_else(|| clock.clone());
        let options = Options { clock: Some(own), ..options };
        let running = server::start(config, options).await.expect("the server starts");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let (application, management_secret) = match known {
            Some(known) => known,
            None => add_application(&running.app, "first-party", false).await,
        };
        Self { running, clock, mailbox, http, database, application, management_secret }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    pub fn app(&self) -> &App {
        &self.running.app
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A write session, for looking into and arranging the database.
    pub async fn write(&self) -> Session {
        self.app().db.write().await.unwrap()
    }

    /// A single number from the database.
    pub async fn number(&self, sql: &'static str) -> i64 {
        self.app().db.read().await.unwrap().fetch_value(sql, ()).await.unwrap()
    }

    /// The newest code that went to `to`.
    pub fn code_for(&self, to: &str) -> String {
        self.codes_for(to).into_iter().next().unwrap_or_else(|| panic!("no code went to {to}"))
    }

    /// All of them, the newest first. A notice may come in between: it is delivered when nobody waits for it.
    pub fn codes_for(&self, to: &str) -> Vec<String> {
        let same = |one: &str| one.trim_start_matches('+').eq_ignore_ascii_case(to.trim_start_matches('+'));
        let messages = self.mailbox.messages().into_iter().filter(|message| same(&message.to));
        messages.filter_map(|message| message.payload.code).collect()
    }

    /// Waits until a message of that kind was delivered.
    pub async fn wait_for_message(&self, fits: impl Fn(&Message) -> bool) -> Message {
        for _ in 0..500 {
            if let Some(message) = self.mailbox.messages().into_iter().find(|message| fits(message)) {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the message did not come");
    }

    pub async fn user(&self) -> User<'_> {
        let more = ["address", "custom_data", "identities", "urn:logto:scope:sessions"];
        User::create(self, &[&["openid", "profile", "email", "phone"][..], &more].concat()).await
    }

    /// A third-party application.
    pub async fn third_party(&self) -> ApplicationId {
        add_application(&self.running.app, "third-party", true).await.0
    }

    /// A relying service of that id, as [`with_operations`] names them.
    pub async fn redeemer(&self, id: &str) -> Redeemer<'_> {
        let (id, secret) = add_application_as(self.app(), ApplicationId(id.to_owned()), id, false).await;
        Redeemer { app: self, id: id.0, secret }
    }

    /// The management API's client, with a token.
    pub async fn manager(&self) -> Service<'_> {
        Service::sign_in(self).await
    }

    pub async fn change_settings(&self, change: impl FnOnce(&mut countersign::domain::settings::Settings)) {
        use countersign::storage::settings;
        let mut session = self.write().await;
        let mut now = settings::lock(&mut session).await.unwrap();
        change(&mut now);
        settings::set(&mut session, &now).await.unwrap();
        session.commit().await.unwrap();
    }
}

fn options() -> Options {
    let first_keys = vec![SigningKey::from_pkcs8(SigningAlgorithm::Rs256, START, rsa_key()).unwrap()];
    Options { master_key: Some(MasterKey::from_bytes([7; 32])), first_keys, ..Options::default() }
}

/// One RSA key a process: making one for each server would take most of the time of the tests.
fn rsa_key() -> &'static [u8] {
    static KEY: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(SigningAlgorithm::Rs256, START).unwrap().to_pkcs8().unwrap().to_vec())
}

fn config(database: &TestDatabase) -> Config {
    let mut config = Config::default();
    config.server.bind = "127.0.0.1:0".parse().unwrap();
    config.server.workers = Some(1);
    config.server.shutdown_seconds = 1;
    config.database.url = database.url();
    config.database.connections = 6;
    config.database.acquire_timeout_ms = 20_000;
    config.database.timeout_ms = 20_000;
    // Counted as always, but never refused: tests ask faster than people.
    config.limits.requests_per_minute = 10_000_000;
    config.limits.verifications_per_minute = 10_000_000;
    config.limits.tokens_per_minute = 10_000_000;
    config.hashing.memory_kib = 64;
    config.hashing.passes = 1;
    config.hashing.threads = 1;
    config
}

async fn add_application(app: &App, name: &str, is_third_party: bool) -> (ApplicationId, String) {
    add_application_as(app, ApplicationId::random(&*app.random), name, is_third_party).await
}

async fn add_application_as(app: &App, id: ApplicationId, name: &str, is_third_party: bool) -> (ApplicationId, String) {
    use countersign::{crypto::digest::digest, storage::applications};
    let application = Application {
        id,
        name: name.to_owned(),
        description: None,
        kind: "MachineToMachine".to_owned(),
        is_third_party,
        is_management: !is_third_party,
        allow_token_exchange: !is_third_party,
        oidc_client_metadata: Default::default(),
        custom_data: Default::default(),
        client_settings: Default::default(),
        created_at: app.now(),
    };
    let secret = "the-secret-of-a-test-application".to_owned();
    let mut session = app.db.write().await.unwrap();
    applications::add(&mut session, &application).await.unwrap();
    let hash = digest(secret.as_bytes());
    applications::add_secret(&mut session, &application.id, &hash, "first", app.now()).await.unwrap();
    session.commit().await.unwrap();
    (application.id, secret)
}
