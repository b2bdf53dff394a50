//! Public keys as JWK (RFC 7517): which of them verify signatures, and by which algorithms.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;

/// Keys of one set that are looked at; who signs has a handful.
const MOST_KEYS: usize = 100;

/// Members that only private or symmetric keys have (RFC 7518 6.2.2, 6.3.2, 6.4.1).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// RSA keys, in bytes of the modulus: what the cryptographic library takes.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of a JWK set that verify signatures.
pub struct PublicKeys(Vec<PublicKey>);

struct PublicKey {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl PublicKeys {
    /// From the `keys` member of a JWK set: those for one of `algorithms`; others are passed over (RFC 7517 5).
    #[must_use]
    pub fn parse(keys: Option<&Value>, algorithms: &[impl AsRef<str>]) -> Self {
        let listed = keys.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self(listed.iter().take(MOST_KEYS).filter_map(|value| PublicKey::parse(value, algorithms)).collect())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of this id for this algorithm. A token without a key id is taken when only one key can be meant.
    #[must_use]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        let first = fitting.next()?;
        (kid.is_some() || fitting.next().is_none()).then_some(&first.key)
    }
}

impl PublicKey {
    fn parse(value: &Value, allowed: &[impl AsRef<str>]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        if common.key_operations.as_ref().is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
            return None;
        }
        let mut algorithms = algorithms_of(&jwk.algorithm);
        algorithms.retain(|algorithm| allowed.iter().any(|name| name.as_ref().parse() == Ok(*algorithm)));
        if let Some(own) = common.key_algorithm {
            algorithms.retain(|algorithm| own == (*algorithm).into());
        }
        if algorithms.is_empty() {
            return None;
        }
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, kid: jwk.common.key_id, algorithms })
    }
}

/// Whether a key verifies signatures by one of `algorithms`.
#[must_use]
pub fn verifies(key: &Value, algorithms: &[impl AsRef<str>]) -> bool {
    PublicKey::parse(key, algorithms).is_some()
}

/// What a key of this kind can verify. A symmetric key can nothing here.
#[must_use]
pub fn algorithms_of(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms().to_vec(),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        _ => Vec::new(),
    }
}

/// The key, when it is a public one of a kind we verify by, and of a size that is neither weak nor costly.
#[must_use]
pub fn public(value: &Value) -> Option<Jwk> {
    let members = value.as_object()?;
    if PRIVATE_MEMBERS.iter().any(|member| members.contains_key(*member)) {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len());
    let fits = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            bytes(&key.n).is_some_and(|length| RSA_BYTES.contains(&length)) && bytes(&key.e).is_some()
        }
        AlgorithmParameters::EllipticCurve(key) => {
            let length = match key.curve {
                EllipticCurve::P256 => 32,
                EllipticCurve::P384 => 48,
                _ => return None,
            };
            [&key.x, &key.y].into_iter().all(|part| bytes(part) == Some(length))
        }
        AlgorithmParameters::OctetKeyPair(key) => key.curve == EllipticCurve::Ed25519 && bytes(&key.x) == Some(32),
        _ => false,
    };
    fits.then_some(jwk)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::signing::{SigningAlgorithm, SigningKey};
    use crate::domain::time::Timestamp;

    fn parsed(keys: &[Value]) -> PublicKeys {
        PublicKeys::parse(Some(&json!(keys)), &["RS256", "ES256", "EdDSA"])
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

    #[test]
    fn what_is_private_symmetric_or_weak_is_no_public_key() {
        let (ec, rsa) = (jwk(SigningAlgorithm::Es256, &json!({})), jwk(SigningAlgorithm::Rs256, &json!({})));
        for good in [&ec, &rsa] {
            assert!(public(good).is_some());
        }
        for member in PRIVATE_MEMBERS {
            for key in [&ec, &rsa] {
                let mut key = key.clone();
                key[*member] = json!("AAAA");
                assert!(public(&key).is_none(), "{member}");
            }
        }
        let short = URL_SAFE_NO_PAD.encode([0xFF; 128]);
        for bad in [
            json!({ "kty": "oct", "k": "c2VjcmV0" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }),
            json!({ "kty": "RSA", "n": short, "e": "AQAB" }),
            json!({ "kty": "new" }),
            json!("key"),
        ] {
            assert!(public(&bad).is_none(), "{bad}");
        }
    }
}
