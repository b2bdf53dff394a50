//! `[audit]`: the audit log.

use serde::Deserialize;

/// `[audit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// The head of the chain is signed when it has moved by so many events. Default 1000.
    pub checkpoint_events: i64,
    /// Or so many seconds after it was signed last, if it has moved at all. Default 60.
    pub checkpoint_seconds: u64,
    /// Days after which events are deleted. Default: never.
    pub retention_days: Option<u32>,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { checkpoint_events: 1000, checkpoint_seconds: 60, retention_days: None }
    }
}
