//! `[limits]`: bounds, so that nothing grows without end.

use ipnet::IpNet;
use serde::Deserialize;

/// `[limits]`. Where it says so, 0 switches a limit off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Largest body, in bytes. Default 65536.
    pub body_bytes: usize,
    /// Seconds a body may take to arrive, all of it. Default 10.
    pub body_seconds: u64,
    /// Largest headers of a request, names and values together, in bytes. Default 32768.
    pub header_bytes: usize,
    /// Longest target of a request (path and query), in bytes. Default 8192.
    pub uri_bytes: usize,
    /// Seconds the head of a request may take to arrive. Default 5.
    pub head_seconds: u64,
    /// Seconds a connection may rest between two requests. Default 75.
    pub keep_alive_seconds: u64,
    /// Open connections. Default 25000.
    pub connections: usize,
    /// Requests of one client address in a minute, other than the next two kinds; 0 for no limit. Default 6000.
    pub requests_per_minute: u32,
    /// Requests that send or verify something, of one client address in a minute; 0 for no limit. Default 600.
    pub verifications_per_minute: u32,
    /// Requests for tokens and their revocation, of one client address in a minute; 0 for no limit. Default 1200.
    pub tokens_per_minute: u32,
    /// Client addresses, as CIDR blocks, whose requests are not counted: own back ends. Default: none.
    pub unlimited_clients: Vec<IpNet>,
    /// Messages to one recipient in 10 minutes. Default 10.
    pub sends_per_recipient: i64,
    /// Messages one user may cause in an hour. Default 20.
    pub sends_per_user: i64,
    /// Messages one client address may cause in an hour; 0 for no limit. Default 200.
    pub sends_per_client: i64,
    /// Messages all users together may cause in an hour; 0 for no limit. Default 20000.
    pub sends_in_all: i64,
    /// Seconds between two messages from one user to one recipient. Default 30.
    pub send_gap_seconds: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            body_seconds: 10,
            header_bytes: 32 * 1024,
            uri_bytes: 8 * 1024,
            head_seconds: 5,
            keep_alive_seconds: 75,
            connections: 25_000,
            requests_per_minute: 6000,
            verifications_per_minute: 600,
            tokens_per_minute: 1200,
            unlimited_clients: Vec::new(),
            sends_per_recipient: 10,
            sends_per_user: 20,
            sends_per_client: 200,
            sends_in_all: 20_000,
            send_gap_seconds: 30,
        }
    }
}

impl LimitsConfig {
    /// Numbers that would let nobody in, or everything.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut must_be_some = |key: &str, value: u64| {
            if value == 0 {
                problems.push(format!("limits.{key} is 0: write a number of 1 or more"));
            }
        };
        must_be_some("body_bytes", self.body_bytes as u64);
        must_be_some("body_seconds", self.body_seconds);
        must_be_some("header_bytes", self.header_bytes as u64);
        must_be_some("uri_bytes", self.uri_bytes as u64);
        must_be_some("head_seconds", self.head_seconds);
        must_be_some("keep_alive_seconds", self.keep_alive_seconds);
        must_be_some("connections", self.connections as u64);
        for (key, value) in [("sends_per_client", self.sends_per_client), ("sends_in_all", self.sends_in_all)] {
            if value < 0 {
                problems.push(format!("limits.{key} is {value}: write 0 for no limit, or a number of messages"));
            }
        }
        problems
    }
}
