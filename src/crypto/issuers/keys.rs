//! One fetched set of an issuer's public keys.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey};
use quick_cache::sync::Cache;
use serde_json::Value;

use super::ForeignClaims;
use crate::crypto::jwks::PublicKeys;
use crate::crypto::jws::REMEMBERED;
use crate::domain::time::Timestamp;

/// The keys of one fetch. Tokens verified by them are remembered with them, so a key that leaves takes them along.
pub(super) struct KeySet {
    keys: PublicKeys,
    pub(super) fetched_at: Timestamp,
    pub(super) verified: Cache<[u8; 32], Arc<ForeignClaims>>,
}

impl KeySet {
    /// The keys of a JWK set that verify signatures by one of `algorithms`.
    pub(super) fn parse(set: &Value, algorithms: &[String], now: Timestamp) -> Self {
        let keys = PublicKeys::parse(set.get("keys"), algorithms);
        Self { keys, fetched_at: now, verified: Cache::new(REMEMBERED) }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key of this id for this algorithm. A token without a key id is taken when only one key can be meant.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        self.keys.find(kid, algorithm)
    }
}
