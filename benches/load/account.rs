//! Answers of `GET /api/my-account` a second, against a bare handler that answers the same bytes.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::{client, client::Connection, limits::Bare, report, subject::Subject};

const LENGTH: Duration = Duration::from_millis(1500);

pub fn measure(clients: &Runtime, runtime: &Runtime, subject: &Subject) {
    let requests = subject.requests("GET", "/api/my-account", None);
    let (head, body) = clients.block_on(async {
        let mut connection = Connection::open(subject.address()).await;
        let answer = connection.expect(requests.first().unwrap(), 200).await;
        let (head, body) = connection.parts(answer);
        (head.to_vec(), body.to_vec())
    });
    let bare = Bare::start(runtime, &head, &body);
    let pairs: Vec<_> = (0..5)
        .map(|_| {
            let limit = client::rate(clients, bare.address, &requests, 200, LENGTH);
            (limit, client::rate(clients, subject.address(), &requests, 200, LENGTH))
        })
        .collect();
    runtime.block_on(bare.stop());
    report::ratio(&format!("GET /api/my-account a second, {}", subject.database), &pairs, 0.30);
}
