//! `[limits]`: bounds, so that nothing grows without end.

use serde::Deserialize;

/// `[limits]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Largest body, in bytes. Default 65536.
    pub body_bytes: usize,
    /// Open connections. Default 25000.
    pub connections: usize,
    /// Messages to one recipient in 10 minutes. Default 10.
    pub sends_per_recipient: i64,
    /// Messages one user may cause in an hour. Default 20.
    pub sends_per_user: i64,
    /// Seconds between two messages from one user to one recipient. Default 30.
    pub send_gap_seconds: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            connections: 25_000,
            sends_per_recipient: 10,
            sends_per_user: 20,
            send_gap_seconds: 30,
        }
    }
}
