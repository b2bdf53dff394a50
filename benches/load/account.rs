//! Answers of `GET /api/my-account` a second, against a bare handler that answers the same bytes.

use tokio::runtime::Runtime;

use crate::{limits, report, subject::Subject};

const PATH: &str = "/api/my-account";

pub fn measure(clients: &Runtime, runtime: &Runtime, subject: &Subject) {
    let requests = subject.requests("GET", PATH, None);
    let pairs = limits::beside_bare(clients, runtime, subject, (PATH, 200), &requests);
    report::ratio(&format!("GET {PATH} a second, {}", subject.database), &pairs, 0.30);
}
