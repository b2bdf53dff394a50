//! `[database]`.

use std::{fmt, time::Duration};

use serde::Deserialize;

/// `[database]`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite://FILE` or `postgres://user:password@host/database`. Default `sqlite://countersign.db`.
    pub url: String,
    /// Connections to PostgreSQL, or readers of SQLite. Default 16.
    pub connections: u32,
    /// Longest wait for a free connection, in milliseconds; past it the answer is `503`. Default 3000.
    pub acquire_timeout_ms: u64,
    /// Longest time for a statement, and for a transaction, on PostgreSQL, in milliseconds; past it the answer is `503`. Default 5000.
    pub timeout_ms: u64,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: "sqlite://countersign.db".to_owned(), connections: 16, acquire_timeout_ms: 3000, timeout_ms: 5000 }
    }
}

impl DatabaseConfig {
    /// Longest wait for a free connection.
    #[must_use]
    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }

    /// Longest time for a statement, and for a transaction.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Numbers that would let nothing through. PostgreSQL takes 0 for no limit at all.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let numbers = [("acquire_timeout_ms", self.acquire_timeout_ms), ("timeout_ms", self.timeout_ms)];
        let wrong = numbers.into_iter().filter(|(_, value)| !(1..=3_600_000).contains(value));
        wrong.map(|(key, value)| format!("database.{key} is {value}: write 1 to 3600000 milliseconds")).collect()
    }
}

impl fmt::Debug for DatabaseConfig {
    // The URL holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig").field("connections", &self.connections).finish_non_exhaustive()
    }
}
