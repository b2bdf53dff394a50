//! `[hashing]`: what hashing a password costs (argon2id).

use serde::Deserialize;

/// `[hashing]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashingConfig {
    /// Memory of one hash, in KiB. Default 19456.
    pub memory_kib: u32,
    /// Passes over the memory. Default 2.
    pub passes: u32,
    /// Hashes at a time. Default: one a core.
    pub threads: Option<usize>,
    /// Requests that may wait for a hash; past it the answer is `503`. Default 1000.
    pub queue: usize,
    /// Longest wait for a hash, in milliseconds; past it the answer is `503`. Default 5000.
    pub deadline_ms: u64,
    /// A secret mixed into every new hash, kept outside the database. Default: none.
    pub pepper: Option<secrecy::SecretString>,
}

impl Default for HashingConfig {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, threads: None, queue: 1000, deadline_ms: 5000, pepper: None }
    }
}
