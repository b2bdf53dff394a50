//! The keys we sign with: ES256 for access tokens and assertions, RS256 for ID tokens (contract P6).

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::crypto::jws::REMEMBERED;
use crate::crypto::tokens::Claims;
use crate::domain::time::Timestamp;
use crate::error::Result;

/// What a signing key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256, keys of 2048 bits.
    #[serde(rename = "RS256")]
    Rs256,
}

impl SigningAlgorithm {
    /// Both: access tokens and assertions are ES256, ID tokens RS256 (contract P6).
    pub const ALL: &[Self] = &[Self::Es256, Self::Rs256];

    /// The name of RFC 7518: `ES256` or `RS256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    const fn jws(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// A private key and its public half. `Debug` shows the key id only.
pub struct SigningKey {
    kid: String,
    algorithm: SigningAlgorithm,
    created_at: Timestamp,
    pair: Pair,
    public: DecodingKey,
    jwk: Value,
}

/// Parsed once: parsing costs more than an ES256 signature.
enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// A new key. RS256 takes a tenth of a second and more: not on a thread that answers requests.
    pub fn generate(algorithm: SigningAlgorithm, now: Timestamp) -> Result<Self> {
        let pair = match algorithm {
            SigningAlgorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ecdsa),
            SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
        };
        Self::new(algorithm, now, pair.map_err(|_| anyhow!("cannot make a signing key for {}", algorithm.name()))?)
    }

    /// The key that [`Self::to_pkcs8`] wrote.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, created_at: Timestamp, pkcs8: &[u8]) -> Result<Self> {
        let pair = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ecdsa)
            }
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
        };
        Self::new(algorithm, created_at, pair.with_context(|| format!("not a PKCS#8 key for {}", algorithm.name()))?)
    }

    fn new(algorithm: SigningAlgorithm, created_at: Timestamp, pair: Pair) -> Result<Self> {
        let public = match &pair {
            Pair::Ecdsa(pair) => DecodingKey::from_ec_der(pair.public_key().as_ref()),
            Pair::Rsa(pair) => DecodingKey::from_rsa_der(pair.public_key().as_ref()),
        };
        let mut jwk = Jwk::from_decoding_key(&public, Some(algorithm.jws())).context("the public half of a key")?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).context("the thumbprint of a key")?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let jwk = serde_json::to_value(&jwk).context("a key as JSON")?;
        Ok(Self { kid, algorithm, created_at, pair, public, jwk })
    }

    /// The private key as PKCS#8, to be sealed before it is stored.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        let bytes = match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|document| document.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|document: Pkcs8V1Der<'_>| document.as_ref().to_vec())
            }
        };
        Ok(bytes.map(Zeroizing::new).map_err(|_| anyhow!("cannot write the signing key {}", self.kid))?)
    }

    /// The key id: the thumbprint of RFC 7638 with SHA-256.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// When it was made.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The public half as a JWK with `kid`, `use` and `alg`.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// A compact JWS over `claims`; `typ` goes into the header, such as `at+jwt` or `JWT`.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String> {
        self.sign_under(&json!({ "typ": typ, "alg": self.algorithm.name(), "kid": self.kid }), claims)
    }

    /// The same under a header of the caller's.
    pub fn sign_under(&self, header: &Value, claims: &impl Serialize) -> Result<String> {
        let claims = serde_json::to_vec(claims).context("claims as JSON")?;
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        };
        Ok(signature.map_err(|_| anyhow!("cannot sign with the key {}", self.kid))?)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm.name(), self.kid)
    }
}

/// A key and the moment from which it signs. It is published and verifies before that, and after another took over.
#[derive(Clone, Debug)]
pub struct RingKey {
    /// The key.
    pub key: Arc<SigningKey>,
    /// Of several keys of one algorithm, the one signs whose moment has come last.
    pub signs_from: Timestamp,
}

impl RingKey {
    /// A key that has signed since it was made.
    #[must_use]
    pub fn now(key: SigningKey) -> Self {
        Self { signs_from: key.created_at, key: Arc::new(key) }
    }
}

/// The keys in use, which may be replaced while the process runs. Share it in an `Arc`.
pub struct KeyRing {
    clock: Arc<dyn Clock>,
    keys: RwLock<Arc<Keys>>,
}

/// One state of the ring. Tokens verified under it are remembered in it, so a key that leaves takes them along.
pub(crate) struct Keys {
    list: Vec<RingKey>,
    jwks: Value,
    pub(crate) verified: Arc<Cache<[u8; 32], Arc<Claims>>>,
}

impl KeyRing {
    /// A ring of these keys: all are published and verify, and for each algorithm one signs.
    ///
    /// # Errors
    /// Failed when none is ES256: access tokens could not be signed.
    pub fn new(keys: Vec<RingKey>, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self { clock, keys: RwLock::new(Arc::new(Keys::new(keys, Arc::new(Cache::new(REMEMBERED)))?)) })
    }

    /// Puts these keys in place for every later call. One that is not among them is no longer honoured.
    pub fn replace(&self, keys: Vec<RingKey>) -> Result<()> {
        let before = self.keys();
        let has_all = before.list.iter().all(|old| keys.iter().any(|new| new.key.kid == old.key.kid));
        // What was verified stays so as long as no key goes.
        let verified = if has_all { Arc::clone(&before.verified) } else { Arc::new(Cache::new(REMEMBERED)) };
        let keys = Arc::new(Keys::new(keys, verified)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Every key, the one that signs first (or will) at the front.
    #[must_use]
    pub fn list(&self) -> Vec<RingKey> {
        self.keys().list.clone()
    }

    /// The public keys as a JWK set (RFC 7517 5), for `jwks_uri`.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.keys().jwks.clone()
    }

    /// The key that signs with this algorithm at the moment.
    pub fn active(&self, algorithm: SigningAlgorithm) -> Result<Arc<SigningKey>> {
        let (keys, now) = (self.keys(), self.clock.now());
        let mut fitting = keys.list.iter().filter(|entry| entry.key.algorithm == algorithm);
        // A clock that lags behind must not leave us without a key.
        let earliest = fitting.clone().next();
        let found = fitting.rfind(|entry| entry.signs_from <= now).or(earliest);
        let key = found.map(|entry| Arc::clone(&entry.key));
        Ok(key.with_context(|| format!("no active signing key for {}", algorithm.name()))?)
    }

    /// Signs with the active key of this algorithm; see [`SigningKey::sign`].
    pub fn sign(&self, algorithm: SigningAlgorithm, typ: &str, claims: &impl Serialize) -> Result<String> {
        self.active(algorithm)?.sign(typ, claims)
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keys {
    fn new(mut list: Vec<RingKey>, verified: Arc<Cache<[u8; 32], Arc<Claims>>>) -> Result<Self> {
        list.sort_by(|one, other| (one.signs_from, &one.key.kid).cmp(&(other.signs_from, &other.key.kid)));
        if !list.iter().any(|entry| entry.key.algorithm == SigningAlgorithm::Es256) {
            return Err(anyhow!("there is no ES256 signing key").into());
        }
        let jwks: Vec<_> = list.iter().map(|entry| entry.key.jwk.clone()).collect();
        Ok(Self { list, jwks: json!({ "keys": jwks }), verified })
    }

    pub(crate) fn public(&self, kid: &str, algorithm: SigningAlgorithm) -> Option<&DecodingKey> {
        let entry = self.list.iter().find(|entry| entry.key.kid == kid && entry.key.algorithm == algorithm);
        entry.map(|entry| &entry.key.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::crypto::jws;

    const NOW: Timestamp = Timestamp(1_763_640_000_000);

    #[test]
    fn both_kinds_of_key_survive_storage_and_sign() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
            let key = SigningKey::generate(algorithm, NOW).unwrap();
            let stored = key.to_pkcs8().unwrap();
            let again = SigningKey::from_pkcs8(algorithm, NOW, &stored).unwrap();
            assert_eq!(key.kid(), again.kid());
            assert_eq!(key.jwk(), again.jwk());
            let token = again.sign("JWT", &json!({ "sub": "u1" })).unwrap();
            let published: Jwk = serde_json::from_value(key.jwk().clone()).unwrap();
            let public = DecodingKey::from_jwk(&published).unwrap();
            let claims: Value = jws::verify(&token, &public, algorithm.jws()).unwrap();
            assert_eq!(claims, json!({ "sub": "u1" }));
            let other =
                if algorithm == SigningAlgorithm::Es256 { SigningAlgorithm::Rs256 } else { SigningAlgorithm::Es256 };
            assert!(SigningKey::from_pkcs8(other, NOW, &stored).is_err());
            assert_eq!(SigningAlgorithm::parse(algorithm.name()), Some(algorithm));
        }
        assert_eq!(SigningAlgorithm::parse("HS256"), None);
    }

    #[test]
    fn a_jwk_shows_the_public_half_alone() {
        let key = SigningKey::generate(SigningAlgorithm::Es256, NOW).unwrap();
        let mut members: Vec<_> = key.jwk().as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        let key = SigningKey::generate(SigningAlgorithm::Rs256, NOW).unwrap();
        let mut members: Vec<_> = key.jwk().as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!(key.jwk()["use"], "sig");
        assert_eq!(key.jwk()["e"], "AQAB");
        assert!(!format!("{key:?}").contains(key.jwk()["n"].as_str().unwrap()));
    }

    #[test]
    fn a_kid_is_the_thumbprint_of_rfc_7638() {
        let key = SigningKey::generate(SigningAlgorithm::Es256, NOW).unwrap();
        let (x, y) = (key.jwk()["x"].as_str().unwrap(), key.jwk()["y"].as_str().unwrap());
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        assert_eq!(key.kid(), URL_SAFE_NO_PAD.encode(crate::crypto::digest::digest(canonical.as_bytes())));
    }

    #[test]
    fn a_ring_signs_with_the_key_whose_moment_came_last_and_publishes_all() {
        let es = || SigningKey::generate(SigningAlgorithm::Es256, Timestamp(0)).unwrap();
        let entry = |at| RingKey { key: Arc::new(es()), signs_from: Timestamp(at) };
        let (first, second, third) = (entry(10), entry(20), entry(30));
        let kid = |entry: &RingKey| entry.key.kid().to_owned();
        let clock = Arc::new(ManualClock::new(Timestamp(25)));
        let ring = KeyRing::new(vec![third.clone(), first.clone(), second.clone()], clock.clone()).unwrap();
        let signs = || ring.active(SigningAlgorithm::Es256).unwrap().kid().to_owned();
        assert_eq!(signs(), kid(&second));
        clock.set(Timestamp(30));
        assert_eq!(signs(), kid(&third));
        clock.set(Timestamp(5));
        assert_eq!(signs(), kid(&first), "a clock that lags behind leaves a key");
        let published: Vec<_> =
            ring.jwks()["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        assert_eq!(published, [kid(&first), kid(&second), kid(&third)]);
        assert!(ring.active(SigningAlgorithm::Rs256).is_err());
        assert!(ring.replace(vec![]).is_err(), "nothing could sign");
        assert_eq!(signs(), kid(&first), "a refused change changes nothing");
    }
}
