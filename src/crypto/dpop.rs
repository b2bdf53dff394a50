//! DPoP proofs (RFC 9449): what can be judged without the request they came with, and the nonces that show they are fresh.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::crypto::digest::{digest, hmac_keys, same};
use crate::crypto::jwks;
use crate::crypto::jws::{self, NumericDate, TokenProblem};
use crate::crypto::master_key::MasterKey;
use crate::domain::time::Timestamp;
use crate::error::Result;

/// Algorithms of proofs: asymmetric ones only.
pub const ALGORITHMS: &[&str] = &["ES256", "RS256", "EdDSA"];

/// The `typ` of a proof (RFC 9449 4.2).
const TYPE: &str = "dpop+jwt";

/// The longest `jti` that is remembered.
const LONGEST_ID: usize = 512;

/// Why a proof was not believed: told to the client's developer, as none of it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofProblem {
    /// Not three parts of Base64 around JSON, or too long.
    #[error("the DPoP proof is not a JWT that can be read")]
    Malformed,
    /// A JWT made for another use.
    #[error("the `typ` of the DPoP proof is not dpop+jwt")]
    Type,
    /// `none`, symmetric, or unknown here.
    #[error("the `alg` of the DPoP proof is not one of those the discovery document lists")]
    Algorithm,
    /// No key, a private one, or one of another kind.
    #[error("the `jwk` of the DPoP proof is not a public key that fits its `alg`")]
    Key,
    /// Signed by another key.
    #[error("the signature of the DPoP proof does not fit its key")]
    Signature,
    /// Claims are missing or of the wrong shape.
    #[error("the DPoP proof must have `jti`, `htm`, `htu` and `iat`")]
    Claims,
    /// Not one `DPoP` header.
    #[error("there must be exactly one DPoP header")]
    Header,
    /// Made for another method.
    #[error("the `htm` of the DPoP proof is not the method of this request")]
    Method,
    /// Made for another address.
    #[error("the `htu` of the DPoP proof is not the address of this request")]
    Address,
    /// Too old, or of the future.
    #[error("the DPoP proof was not made just now")]
    Time,
    /// Shown before.
    #[error("the DPoP proof was used before")]
    Replayed,
    /// For another token.
    #[error("the `ath` of the DPoP proof is not the digest of the access token")]
    Token,
    /// By another key than the one the token is bound to.
    #[error("the DPoP proof was made with another key")]
    OtherKey,
}

/// A proof whose signature fits the key it names. Whether it fits the request is for others to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of its key (RFC 7638).
    pub jkt: String,
    /// What it says.
    pub claims: ProofClaims,
}

/// What a proof says (RFC 9449 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProofClaims {
    /// Its own id.
    pub jti: String,
    /// The method of the request.
    pub htm: String,
    /// The address of the request, without query and fragment.
    pub htu: String,
    /// When it was made.
    pub iat: NumericDate,
    /// The nonce it was given.
    #[serde(default)]
    pub nonce: Option<String>,
    /// Digest of the access token.
    #[serde(default)]
    pub ath: Option<String>,
}

impl Proof {
    /// Reads a proof: form, type, algorithm, key, signature, claims (contract `auth0.md` 5, checks 1 to 4).
    pub fn read(text: &str) -> Result<Self, ProofProblem> {
        let header = header(text).ok_or(ProofProblem::Malformed)?;
        // RFC 7515 4.1.11: what is critical and not understood makes it invalid.
        if header.get("crit").is_some() {
            return Err(ProofProblem::Malformed);
        }
        if !header.get("typ").and_then(Value::as_str).is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) {
            return Err(ProofProblem::Type);
        }
        let named = header.get("alg").and_then(Value::as_str).filter(|name| ALGORITHMS.contains(name));
        let algorithm: Algorithm = named.and_then(|name| name.parse().ok()).ok_or(ProofProblem::Algorithm)?;
        let jwk = header.get("jwk").and_then(jwks::public).ok_or(ProofProblem::Key)?;
        if !jwks::algorithms_of(&jwk.algorithm).contains(&algorithm) {
            return Err(ProofProblem::Key);
        }
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| ProofProblem::Key)?;
        let claims: ProofClaims = jws::verify(text, &key, algorithm).map_err(|problem| match problem {
            TokenProblem::Signature => ProofProblem::Signature,
            TokenProblem::Claims => ProofProblem::Claims,
            TokenProblem::Algorithm => ProofProblem::Algorithm,
            _ => ProofProblem::Malformed,
        })?;
        if claims.jti.is_empty() || claims.jti.len() > LONGEST_ID {
            return Err(ProofProblem::Claims);
        }
        Ok(Self { jkt: thumbprint(&jwk).ok_or(ProofProblem::Key)?, claims })
    }

    /// What stands for this proof where used ones are remembered: key and id.
    #[must_use]
    pub fn id_hash(&self) -> [u8; 32] {
        // The thumbprint has a fixed length, so no two pairs give the same bytes.
        digest(&["dpop ".as_bytes(), self.jkt.as_bytes(), self.claims.jti.as_bytes()].concat())
    }

    /// Whether it was made for this access token.
    #[must_use]
    pub fn is_for(&self, token: &str) -> bool {
        self.claims.ath.as_ref().is_some_and(|ath| same(ath.as_bytes(), token_hash(token).as_bytes()))
    }
}

/// The header, from exactly three parts; nobody has vouched for it yet.
fn header(text: &str) -> Option<Value> {
    if text.len() > jws::MAX_LENGTH {
        return None;
    }
    let (head, rest) = text.split_once('.')?;
    let (_, signature) = rest.split_once('.')?;
    if signature.contains('.') {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok().filter(Value::is_object)
}

/// `ath`: SHA-256 of the access token (RFC 9449 4.2).
#[must_use]
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(token.as_bytes()))
}

/// The thumbprint of a public key (RFC 7638), by SHA-256.
#[must_use]
pub fn thumbprint(jwk: &Jwk) -> Option<String> {
    jwk.thumbprint(ThumbprintHash::SHA256).ok()
}

/// Nonces that all nodes agree on without a word: each stands for a slot of time (RFC 9449 8).
pub struct Nonces {
    keys: Vec<hmac::Key>,
}

impl Nonces {
    /// How long one is given out. It is taken for as long again, so that no client gets one that is stale on arrival.
    pub const SLOT: Duration = Duration::from_secs(120);

    /// Made from the master keys, the current one first.
    pub fn new(current: &MasterKey, older: &[MasterKey]) -> Result<Self> {
        Ok(Self { keys: hmac_keys("countersign dpop nonce v1", current, older)? })
    }

    /// The one for the next proof.
    #[must_use]
    pub fn current(&self, now: Timestamp) -> String {
        self.keys.first().map(|key| nonce(key, slot(now))).unwrap_or_default()
    }

    /// Whether it was given out lately; also by a node whose clock is a little ahead, or before a change of master keys.
    #[must_use]
    pub fn is_fresh(&self, text: &str, now: Timestamp) -> bool {
        let slot = slot(now);
        let is_of = |key| (slot - 1..=slot + 1).any(|slot| same(nonce(key, slot).as_bytes(), text.as_bytes()));
        self.keys.iter().any(is_of)
    }
}

fn slot(now: Timestamp) -> i64 {
    let length = i64::try_from(Nonces::SLOT.as_secs()).unwrap_or(i64::MAX);
    now.seconds().div_euclid(length)
}

fn nonce(key: &hmac::Key, slot: i64) -> String {
    let tag = hmac::sign(key, &slot.to_be_bytes());
    URL_SAFE_NO_PAD.encode(tag.as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
#[path = "dpop_tests.rs"]
mod tests;
