//! `[hashing]`: what hashing a password costs (Argon2id), and the bounds of the pool.

use secrecy::SecretString;
use serde::Deserialize;

/// `[hashing]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashingConfig {
    /// Memory of one hash, in KiB. Default 19456.
    pub memory_kib: u32,
    /// Passes over that memory. Default 2.
    pub passes: u32,
    /// Lanes of that memory; they are worked on one after the other. Default 1.
    pub lanes: u32,
    /// Threads, each with its own memory; 0, the default, stands for the number of cores.
    pub threads: usize,
    /// The most passwords that may wait; past it the answer is `503`. Default 512.
    pub queue: usize,
    /// How long one may wait, in milliseconds; past it the answer is `503`. Default 5000.
    pub deadline_ms: u64,
    /// Server-side secrets mixed into digests: the first into new ones, the others still verify and are replaced on use. Default: none.
    pub peppers: Vec<SecretString>,
}

impl Default for HashingConfig {
    /// OWASP's parameters for Argon2id (`m=19456, t=2, p=1`), no pepper.
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1, threads: 0, queue: 512, deadline_ms: 5000, peppers: Vec::new() }
    }
}
