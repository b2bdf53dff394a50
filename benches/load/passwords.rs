//! Password verifications a second, against a bare loop of the same hash on every core.

use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    client, limits, report,
    subject::{PASSWORD, Subject},
};

/// Short turns, many of them: how fast a machine gets at its memory changes from one second to the next where others share it.
const LENGTH: Duration = Duration::from_secs(2);

/// The requests that verify every user's password.
pub fn requests(subject: &Subject) -> Vec<Vec<u8>> {
    let body = json!({ "password": PASSWORD });
    subject.requests("POST", "/api/verifications/password/verify", Some(&body))
}

pub fn measure(clients: &Runtime, subject: &Subject) {
    let requests = requests(subject);
    let pairs: Vec<_> = (0..9)
        .map(|_| {
            let limit = limits::hashes(LENGTH);
            (limit, client::rate(clients, subject.address(), &requests, 201, LENGTH))
        })
        .collect();
    report::ratio(&format!("passwords verified a second, {}", subject.database), &pairs, 0.95);
}
