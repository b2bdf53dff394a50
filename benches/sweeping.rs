//! What a million expired records cost the requests beside them: latencies of requests before there are any, with them lying about,
//! and while they are swept, as ratios.
//!
//!     cargo bench --bench sweeping                      on SQLite
//!     COUNTERSIGN_TEST_POSTGRES=postgres://... cargo bench --bench sweeping
//!
//! `ROWS` and `SECONDS` change how many records and how long a phase.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for ourselves: it prints, and ends loudly")]

use std::time::{Duration, Instant};

use countersign::{
    app::App,
    channels::Channels,
    config::Config,
    crypto::master_key::MasterKey,
    domain::id::{ApplicationId, UserId},
    jobs::sweeping::sweep,
    server::{self, Options, Running},
    signin::issue,
    storage::{
        Engine,
        applications::{self, Application},
        users,
    },
};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

const CLIENTS: usize = 4;

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` comes by, too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rows, seconds) = (number("ROWS", 1_000_000), number("SECONDS", 15));
    let folder = tempfile::tempdir().expect("a folder");
    let (running, _mailbox) = start(&folder).await;
    let app = &running.app.clone();
    let tokens = people(app).await;
    println!("{:?}, {CLIENTS} clients, {seconds} s a phase", app.db.engine());

    let _ = measure(&running, &tokens, Duration::from_secs(3)).await;
    let before = measure(&running, &tokens, Duration::from_secs(seconds)).await;
    before.print("without expired records", &before);
    let start = Instant::now();
    fill(app, i64::try_from(rows).expect("a number")).await;
    println!("({rows} expired records stored in {:.0} s)", start.elapsed().as_secs_f64());
    let _ = measure(&running, &tokens, Duration::from_secs(3)).await;
    measure(&running, &tokens, Duration::from_secs(seconds)).await.print("with them, not swept", &before);

    let start = Instant::now();
    let sweeping = sweep(app);
    tokio::pin!(sweeping);
    let beside = measure(&running, &tokens, Duration::from_secs(seconds));
    tokio::pin!(beside);
    let during = tokio::select! {
        swept = &mut sweeping => {
            println!("(swept {} rows before the phase was over)", swept.expect("it sweeps"));
            beside.await
        }
        during = &mut beside => {
            during.print("while they are swept", &before);
            let swept = sweeping.await.expect("it sweeps");
            let took = start.elapsed().as_secs_f64();
            println!("(swept {swept} rows in {took:.0} s; the last part without requests beside it)");
            measure(&running, &tokens, Duration::from_secs(seconds)).await
        }
    };
    during.print("after it", &before);
}

struct Latencies {
    reads: Vec<Duration>,
    writes: Vec<Duration>,
}

impl Latencies {
    fn print(&self, name: &str, base: &Self) {
        for (kind, own, base) in [("read", &self.reads, &base.reads), ("verify", &self.writes, &base.writes)] {
            let line = [0.5, 0.95, 0.99].map(|share| {
                let (own, base) = (at(own, share), at(base, share));
                format!("{own:6.2} ms ({:.2})", own / base)
            });
            println!(
                "{name:26} {kind:7} {:6} requests   p50 {}   p95 {}   p99 {}",
                own.len(),
                line[0],
                line[1],
                line[2]
            );
        }
    }
}

/// Milliseconds.
fn at(sorted: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).map_or(0.0, |length| length.as_secs_f64() * 1000.0)
}

async fn start(folder: &tempfile::TempDir) -> (Running, Channels) {
    let mut config = Config::default();
    config.server.bind = ([127, 0, 0, 1], 0).into();
    config.hashing.memory_kib = 64;
    config.hashing.passes = 1;
    config.database.url = match std::env::var("COUNTERSIGN_TEST_POSTGRES") {
        Ok(url) => {
            let mut connection = PgConnection::connect(&url).await.expect("the server answers");
            let name = format!("sweeping_{}", std::process::id());
            connection.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.expect("a database");
            let mut url = url::Url::parse(&url).expect("a URL");
            url.set_path(&name);
            url.into()
        }
        Err(_) => format!("sqlite://{}", folder.path().join("bench.db").display()),
    };
    let (channels, mailbox) = Channels::to_mailbox(10);
    let options = Options {
        master_key: Some(MasterKey::generate()),
        mailbox: Some((channels.clone(), mailbox)),
        ..Options::default()
    };
    (server::start(config, options).await.expect("it starts"), channels)
}

/// A token for each client, of a user with the password `a fine passphrase`.
async fn people(app: &App) -> Vec<String> {
    let application = Application {
        id: ApplicationId::random(&*app.random),
        name: "bench".to_owned(),
        description: None,
        kind: "MachineToMachine".to_owned(),
        is_third_party: false,
        is_management: false,
        allow_token_exchange: true,
        oidc_client_metadata: Default::default(),
        custom_data: Default::default(),
        client_settings: Default::default(),
        created_at: app.now(),
    };
    let digest = app.hasher.hash("a fine passphrase".to_owned().into()).await.expect("a digest");
    let mut session = app.db.write().await.expect("a session");
    applications::add(&mut session, &application).await.expect("an application");
    let mut tokens = Vec::new();
    for _ in 0..CLIENTS {
        let user = UserId::random(&*app.random);
        users::add(&mut session, &user, None, app.now()).await.expect("a user");
        users::set_password(&mut session, &user, &digest, "Argon2id", app.now()).await.expect("a password");
        let [_, issuer] = &app.urls.issuers;
        let token = issue::user_token(app, &mut session, &user, &application.id, "openid profile", issuer).await;
        tokens.push(token.expect("a token"));
    }
    session.commit().await.expect("a commit");
    tokens
}

/// Expired records of the first user.
async fn fill(app: &App, rows: i64) {
    let sqlite = "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)
        insert into verification_records (id_hash, user_id, method, purpose, guesses, created_at, expires_at)
        select cast(printf('%032d', i) as blob), (select min(id) from users), 'Password', 'UserPermissionValidation', 0, i, i from n";
    let postgres = "insert into verification_records (id_hash, user_id, method, purpose, guesses, created_at, expires_at)
        select decode(lpad(i::text, 64, '0'), 'hex'), (select min(id) from users), 'Password', 'UserPermissionValidation', 0, i, i
        from generate_series(1, $1) i";
    let mut session = app.db.write().await.expect("a session");
    let sql = if app.db.engine() == Engine::Sqlite { sqlite } else { postgres };
    session.execute(sql, (rows,)).await.expect("rows");
    session.commit().await.expect("a commit");
}

/// Each client reads and verifies in turn.
async fn measure(running: &Running, tokens: &[String], length: Duration) -> Latencies {
    let http = reqwest::Client::new();
    let clients = tokens.iter().map(|token| {
        let (http, token, url) = (http.clone(), token.clone(), running.url());
        tokio::spawn(async move {
            let (mut reads, mut writes) = (Vec::new(), Vec::new());
            let begin = Instant::now();
            while begin.elapsed() < length {
                let start = Instant::now();
                let answer =
                    http.get(format!("{url}/api/my-account")).bearer_auth(&token).send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                let _ = answer.bytes().await;
                reads.push(start.elapsed());
                let start = Instant::now();
                let body = json!({ "password": "a fine passphrase" });
                let request = http.post(format!("{url}/api/verifications/password/verify")).json(&body);
                let answer = request.bearer_auth(&token).send().await.expect("an answer");
                assert_eq!(answer.status(), 201);
                let _ = answer.bytes().await;
                writes.push(start.elapsed());
            }
            (reads, writes)
        })
    });
    let mut all = Latencies { reads: Vec::new(), writes: Vec::new() };
    for client in clients.collect::<Vec<_>>() {
        let (reads, writes) = client.await.expect("a client");
        all.reads.extend(reads);
        all.writes.extend(writes);
    }
    all.reads.sort_unstable();
    all.writes.sort_unstable();
    all
}
