//! Webhooks: registered by operators, told of what happened, by any node, at least once, and never sent where they may not go.

mod delivery;
mod events;
mod network;
mod registering;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use countersign::config::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    TestApp,
    stand_in::{Answer, Request, start},
};
pub use crate::outbox::settle;

/// Longer than a delivery belongs to whoever tries it.
const LEASE: u64 = 41;

/// Whom webhooks are told to: keeps what came, and answers what it was given, then 204.
struct Receiver {
    base: String,
    seen: Arc<Mutex<Vec<Request>>>,
    /// How many of them the test has looked at.
    looked_at: Mutex<usize>,
}

impl Receiver {
    fn start() -> Self {
        Self::answering([])
    }

    fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let (inside, answers) = (seen.clone(), Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let base = start(move |request| {
            inside.lock().unwrap().push(request.clone());
            answers.lock().unwrap().pop_front().unwrap_or_else(|| Answer::new(204, ""))
        });
        Self { base, seen, looked_at: Mutex::default() }
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until so many have come.
    async fn wait(&self, count: usize) -> Vec<Request> {
        for _ in 0..1000 {
            if self.seen.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let seen = self.seen();
        assert_eq!(seen.len(), count, "{:?}", seen.iter().map(body).collect::<Vec<_>>());
        seen
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// Receivers of tests listen on this machine.
fn allow_loopback(config: &mut Config) {
    config.webhooks.allowed_networks = vec!["127.0.0.0/8".parse().unwrap()];
}

async fn started() -> TestApp {
    TestApp::start_with(allow_loopback).await
}

/// Registers a hook; as it is shown.
pub async fn register(app: &TestApp, url: &str, events: &[&str]) -> Value {
    let hook = json!({ "name": "x", "events": events, "config": { "url": url } });
    app.manager().await.post("/api/hooks", hook).await.expect("201").json()
}

async fn change(app: &TestApp, hook: &Value, changes: Value) -> Value {
    let path = format!("/api/hooks/{}", hook["id"].as_str().unwrap());
    app.manager().await.call(Method::PATCH, &path, Some(changes)).await.expect("200").json()
}

/// Something that is told as `User.Created`.
async fn create_user(app: &TestApp, name: &str) -> Value {
    app.manager().await.post("/api/users", json!({ "username": name })).await.expect("200").json()
}

const DELIVERED: &str =
    "select count(*) from outbox where kind = 'hook' and delivered_at is not null and length(sealed) = 0";
const GIVEN_UP: &str =
    "select count(*) from outbox where kind = 'hook' and given_up_at is not null and length(sealed) = 0";
const STORED: &str = "select count(*) from outbox where kind = 'hook'";

/// Why the newest was given up, and after how many tries.
async fn given_up(app: &TestApp) -> (String, i64) {
    let events = app.manager().await.get("/api/audit-events?type=hook.given_up").await.expect("200").json();
    let data = &events[0]["data"];
    (data["reason"].as_str().unwrap().to_owned(), data["attempts"].as_i64().unwrap())
}

/// HMAC-SHA-256 as RFC 2104 writes it down.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(digest(&SHA256, key).as_ref());
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|one| one ^ byte).to_vec();
    let inner = digest(&SHA256, &[pad(0x36), text.to_vec()].concat());
    digest(&SHA256, &[pad(0x5c), inner.as_ref().to_vec()].concat()).as_ref().to_vec()
}

/// Both signatures of a delivery, as its receiver checks them.
fn assert_signed(request: &Request, key: &str) {
    let hex = hmac(key.as_bytes(), &request.body).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(request.header("logto-signature-sha-256"), Some(hex.as_str()));
    let secret = STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
    let (id, at) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &request.body].concat();
    let expected = format!("v1,{}", STANDARD.encode(hmac(&secret, &signed)));
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
}

#[test]
fn the_hmac_of_these_tests_is_that_of_rfc_4231() {
    let tag = hmac(b"Jefe", b"what do ya want for nothing?");
    assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
}
