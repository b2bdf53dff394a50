//! Answers to proxies a second, against a bare handler that gives the same bytes. Where a record is spent, that is a transaction with a
//! commit, and what redemption reaches says more.

use countersign::{
    app::App,
    crypto::digest::payload_digest,
    domain::{id::RecordId, payload::Payload},
};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    client,
    codes::timed,
    limits,
    redemption::consented,
    report,
    subject::{HOST, Subject, TRANSFER, User, VIEW},
};

const PATH: &str = "/forward-auth";

/// Transfers of each user and round.
const TRANSFERS: usize = 24;

pub fn measure(clients: &Runtime, runtime: &Runtime, subject: &Subject) {
    let app = &subject.running.app;
    let beside = |what: &str, status, requests: &[Vec<u8>]| {
        let pairs = limits::beside_bare(clients, runtime, subject, (PATH, status), requests);
        report::ratio(&format!("forward auth, {what}, {}", subject.database), &pairs, 0.30);
        report::median(pairs.iter().map(|pair| pair.0).collect())
    };
    let each = |asked: &dyn Fn(&User) -> Vec<u8>| subject.users.iter().map(asked).collect::<Vec<_>>();
    beside("not guarded", 200, &each(&|user| asked(user, "GET", "/", None)));
    beside("challenged", 401, &each(&|user| asked(user, "GET", "/statements/1", None)));
    let views = each(&|user| {
        let ids = clients.block_on(consented(app, user, VIEW, None, 1));
        asked(user, "GET", "/statements/1", ids.first().map(RecordId::expose))
    });
    let bare = beside("open until expiry", 200, &views);
    let pairs = report::rounds(|| {
        let requests = clients.block_on(transfers(app, &subject.users));
        let address = subject.address();
        (bare, timed(clients, requests, |own| client::send_all(address, own.into_iter())))
    });
    report::ratio(&format!("forward auth, spent once, {}", subject.database), &pairs, 0.30);
}

/// A transfer for each record, as a proxy asks about it.
async fn transfers(app: &App, users: &[User]) -> Vec<Vec<Vec<u8>>> {
    let path = "/transfers/1/execute";
    let payload = json!({ "method": "POST", "host": HOST, "path": path, "query": "" });
    let digest = payload_digest(&Payload::parse(&payload.to_string()).unwrap());
    let mut all = Vec::new();
    for user in users {
        let ids = consented(app, user, TRANSFER, Some(&digest), TRANSFERS).await;
        all.push(ids.iter().map(|id| asked(user, "POST", path, Some(id.expose()))).collect());
    }
    all
}

/// The question about a user's request, as nginx puts it.
fn asked(user: &User, method: &str, path: &str, record: Option<&str>) -> Vec<u8> {
    let record = record.map(|id| format!("Verification-Id: {id}\r\n")).unwrap_or_default();
    let lines =
        format!("X-Original-Method: {method}\r\nX-Original-Host: {HOST}\r\nX-Original-URI: {path}\r\n{record}\r\n");
    let mut request = client::request("GET", PATH, Some(&user.token), None);
    request.truncate(request.len() - 2);
    request.extend(lines.into_bytes());
    request
}
