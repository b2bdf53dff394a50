//! Everybody at once: 10,000 connections that rest, and 1,000 password checks in parallel.
//!
//! Asserts what must hold whatever the machine does beside; prints what it measured (`-- --nocapture`), see docs/floods.md.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use countersign::config::Config;
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Place, Service, people::Office};
use crate::harness::TestDatabase;

const USERS: usize = 100;
const CHECKS: usize = 1000;
const PASSWORD: &str = "horse-battery-staple-9";

#[tokio::test(flavor = "multi_thread")]
async fn the_flood_is_answered_and_memory_has_a_bound() {
    // This end of the connections needs files, too: the other is a process of its own.
    let files = usize::try_from(rlimit::increase_nofile_limit(20_000).unwrap()).unwrap();
    let resting = files.saturating_sub(3000).clamp(100, 10_000);
    if resting < 10_000 {
        println!("only {files} files may be open here: {resting} connections instead of 10,000");
    }
    let database = TestDatabase::new().await;
    let place = Place::installed("smtp://127.0.0.1:9");
    let config = std::fs::read_to_string(place.path("countersign.toml")).unwrap();
    let more = "[limits]\nrequests_per_minute = 0\nverifications_per_minute = 0\ntokens_per_minute = 0\n";
    let url = database.url();
    place.write("countersign.toml", &format!("{config}[database]\nurl = \"{url}\"\n{more}"));
    let create = "applications create --config countersign.toml --name x --type machine-to-machine --management --json";
    let application = place.run(&create.split(' ').collect::<Vec<_>>()).succeeds().json();
    let service = place.serve();
    let http = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let tokens = users(&http, &service.url, &application).await;

    let connections = rest(&service, resting).await;
    let quiet = watch(&http, &service.url, &AtomicBool::new(false), 300).await;
    let (over, started) = (AtomicBool::new(false), Instant::now());
    let checks = async {
        let answers = join_all((0..CHECKS).map(|number| check(&http, &service.url, &tokens[number % USERS]))).await;
        over.store(true, Ordering::Relaxed);
        answers
    };
    let (answers, flooded) = tokio::join!(checks, watch(&http, &service.url, &over, usize::MAX));
    let took = started.elapsed();

    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer).or_default() += 1;
    }
    let peak = peak_mebibytes(&service);
    println!("{resting} connections at rest, {CHECKS} password checks at once: {counts:?} in {took:.1?}");
    println!("peak memory {peak} MiB");
    report(&quiet, &flooded);
    assert!(counts.keys().all(|gist| gist == "201" || gist == "503 with Retry-After"), "{counts:?}");
    let passed = counts.get("201").copied().unwrap_or(0);
    assert!(passed >= 1, "{counts:?}");
    assert!(flooded.len() >= 10, "it was alive only {} times", flooded.len());
    // Each check has 19 MiB of its own while it runs: a thousand at once would have had 19 GiB.
    assert!(peak < 500, "{peak} MiB");
    for mut connection in connections.into_iter().step_by(500) {
        assert!(ask(&mut connection).await, "a connection at rest is still good");
    }
}

/// Tokens of so many users.
async fn users(http: &Client, url: &str, application: &Value) -> Vec<String> {
    let office = Office::open(http, url, application).await;
    let mut tokens = Vec::new();
    for number in 0..USERS {
        let user = json!({ "username": format!("user_{number}"), "password": PASSWORD });
        tokens.push(office.user(user, "openid").await);
    }
    tokens
}

/// Opens so many connections; each asked once, and rests since.
async fn rest(service: &Service, count: usize) -> Vec<TcpStream> {
    let address = service.url.strip_prefix("http://").unwrap();
    let mut connections = Vec::with_capacity(count);
    while connections.len() < count {
        let batch = (0..100.min(count - connections.len())).map(async |_| {
            let mut connection = TcpStream::connect(address).await.unwrap();
            assert!(ask(&mut connection).await);
            connection
        });
        connections.extend(join_all(batch).await);
    }
    connections
}

async fn ask(connection: &mut TcpStream) -> bool {
    let mut answer = [0; 2048];
    let is_sent = connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok();
    let read = if is_sent { connection.read(&mut answer).await.unwrap_or(0) } else { 0 };
    answer[..read].starts_with(b"HTTP/1.1 200")
}

/// Asks again and again whether the service lives, until it is over or asked so often; gives how long each took.
async fn watch(http: &Client, url: &str, over: &AtomicBool, most: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    while times.len() < most && !over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let answer = http.get(format!("{url}/healthz")).send().await.unwrap();
        times.push(started.elapsed());
        assert_eq!(answer.status(), 200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    times.sort_unstable();
    times
}

async fn check(http: &Client, url: &str, token: &str) -> String {
    let request = http.post(format!("{url}/api/verifications/password/verify")).bearer_auth(token);
    let answer = request.json(&json!({ "password": PASSWORD })).send().await.unwrap();
    let waits = if answer.headers().contains_key("retry-after") { " with Retry-After" } else { "" };
    format!("{}{waits}", answer.status().as_u16())
}

/// The most memory the process ever had.
fn peak_mebibytes(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn report(quiet: &[Duration], flooded: &[Duration]) {
    for (name, share) in [("median", 0.5), ("99 of 100", 0.99), ("longest", 1.0)] {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small numbers"
        )]
        let at = |times: &[Duration]| times[((times.len() - 1) as f64 * share) as usize];
        let (before, during) = (at(quiet), at(flooded));
        let ratio = during.as_secs_f64() / before.as_secs_f64();
        println!("/healthz, {name}: {before:.2?} before, {during:.2?} during, {ratio:.1} times");
    }
    let limits = Config::default().hashing;
    println!("hashing as configured by default: {limits:?}; {} answers of /healthz during the flood", flooded.len());
}
