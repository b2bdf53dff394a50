//! One fetched set of an issuer's public keys.

use std::sync::Arc;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use quick_cache::sync::Cache;
use serde_json::Value;

use super::ForeignClaims;
use crate::crypto::jws::REMEMBERED;
use crate::domain::time::Timestamp;

/// Keys of one set that are looked at; issuers have a handful.
const MOST_KEYS: usize = 100;

/// The keys of one fetch. Tokens verified by them are remembered with them, so a key that leaves takes them along.
pub(super) struct KeySet {
    keys: Vec<ForeignKey>,
    pub(super) fetched_at: Timestamp,
    pub(super) verified: Cache<[u8; 32], Arc<ForeignClaims>>,
}

struct ForeignKey {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// The keys of a JWK set that verify signatures by one of `algorithms`; others are passed over (RFC 7517 5).
    pub(super) fn parse(set: &Value, algorithms: &[String], now: Timestamp) -> Self {
        let listed = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let keys = listed.iter().take(MOST_KEYS).filter_map(|value| ForeignKey::parse(value, algorithms)).collect();
        Self { keys, fetched_at: now, verified: Cache::new(REMEMBERED) }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key of this id for this algorithm. A token without a key id is taken when only one key can be meant.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        let first = fitting.next()?;
        (kid.is_some() || fitting.next().is_none()).then_some(&first.key)
    }
}

impl ForeignKey {
    fn parse(value: &Value, allowed: &[String]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        if common.key_operations.as_ref().is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
            return None;
        }
        let mut algorithms = algorithms_of(&jwk.algorithm);
        algorithms.retain(|algorithm| allowed.iter().any(|name| name.parse() == Ok(*algorithm)));
        if let Some(own) = common.key_algorithm {
            algorithms.retain(|algorithm| own == (*algorithm).into());
        }
        if algorithms.is_empty() {
            return None;
        }
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, kid: jwk.common.key_id, algorithms })
    }
}

/// What a key of this kind can verify. A symmetric key can nothing here.
fn algorithms_of(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms().to_vec(),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::signing::{SigningAlgorithm, SigningKey};

    fn parsed(keys: &[Value]) -> KeySet {
        let allowed: Vec<_> = ["RS256", "ES256", "EdDSA"].map(str::to_owned).into();
        KeySet::parse(&json!({ "keys": keys }), &allowed, Timestamp(0))
    }

    fn jwk(algorithm: SigningAlgorithm, change: &Value) -> Value {
        let mut jwk = SigningKey::generate(algorithm, Timestamp(0)).unwrap().jwk().clone();
        jwk.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    }

    #[test]
    fn only_keys_for_signatures_of_an_allowed_kind_are_kept() {
        let rsa = SigningAlgorithm::Rs256;
        for (change, kept) in [
            (json!({}), 1),
            (json!({ "use": null, "alg": null }), 1),
            (json!({ "use": "enc" }), 0),
            (json!({ "key_ops": ["verify"] }), 1),
            (json!({ "key_ops": ["encrypt"] }), 0),
            (json!({ "alg": "RS512" }), 0),
            (json!({ "alg": "RSA-OAEP" }), 0),
            (json!({ "kty": "oct", "k": "AAAA" }), 0),
            (json!({ "n": "!" }), 0),
        ] {
            assert_eq!(parsed(&[jwk(rsa, &change)]).len(), kept, "{change}");
        }
        assert_eq!(parsed(&[json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256" })]).len(), 0);
        assert_eq!(parsed(&[json!(1), json!({ "kty": "new" }), jwk(rsa, &json!({}))]).len(), 1);
        assert_eq!(parsed(&vec![jwk(SigningAlgorithm::Es256, &json!({})); 200]).len(), MOST_KEYS);
    }

    #[test]
    fn a_key_serves_its_own_kind_of_algorithm() {
        let set = parsed(&[jwk(SigningAlgorithm::Es256, &json!({ "kid": "a" }))]);
        assert!(set.find(Some("a"), Algorithm::ES256).is_some());
        assert!(set.find(Some("a"), Algorithm::RS256).is_none());
        assert!(set.find(Some("a"), Algorithm::HS256).is_none());
        assert!(set.find(Some("b"), Algorithm::ES256).is_none());
    }

    #[test]
    fn a_token_without_a_key_id_needs_a_single_key() {
        let (one, two) =
            (jwk(SigningAlgorithm::Es256, &json!({ "kid": null })), jwk(SigningAlgorithm::Es256, &json!({})));
        assert!(parsed(std::slice::from_ref(&one)).find(None, Algorithm::ES256).is_some());
        assert!(parsed(&[one, two]).find(None, Algorithm::ES256).is_none());
    }
}
