//! Assertions of redemptions: short-lived signed statements that the owner of an account consented to one operation (contract
//! `operations.md`). ES256, checked offline against the JWKS.

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};

use super::{
    jws::{self, TokenProblem},
    signing::{KeyRing, SigningAlgorithm},
};
use crate::{domain::time::Timestamp, error::Result};

/// The `typ` of an assertion.
pub const TYPE: &str = "stepup+jwt";

/// How long an assertion is good, in seconds (`security.md`: 120 at most).
pub const LIFE: i64 = 120;

/// What an assertion says. Times are whole seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// Who issued it: `<public_url>/`.
    pub iss: String,
    /// The user.
    pub sub: String,
    /// The relying service.
    pub aud: String,
    /// When it was issued.
    pub iat: i64,
    /// Not valid from this second on.
    pub exp: i64,
    /// The redemption's id.
    pub jti: String,
    /// When the oldest of the methods was proved.
    pub auth_time: i64,
    /// How much was proved.
    pub acr: String,
    /// By what (RFC 8176).
    pub amr: Vec<String>,
    /// The operation.
    pub operation: String,
    /// Base64url of the SHA-256 of the canonical payload; absent where nothing was bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_digest: Option<String>,
}

/// Signs an assertion with the active key.
pub fn sign(ring: &KeyRing, assertion: &Assertion) -> Result<String> {
    ring.sign(SigningAlgorithm::Es256, TYPE, assertion)
}

/// Judges an assertion of `issuer` for `audience`.
pub fn verify(
    ring: &KeyRing,
    token: &str,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Assertion, TokenProblem> {
    let header = jws::header(token)?;
    if header.alg != Algorithm::ES256 {
        return Err(TokenProblem::Algorithm);
    }
    if header.typ.as_deref() != Some(TYPE) {
        return Err(TokenProblem::Type);
    }
    let keys = ring.keys();
    let key =
        header.kid.as_deref().and_then(|kid| keys.public(kid, SigningAlgorithm::Es256)).ok_or(TokenProblem::Key)?;
    let assertion: Assertion = jws::verify(token, key, Algorithm::ES256)?;
    if assertion.iss != issuer {
        return Err(TokenProblem::Issuer);
    }
    if assertion.aud != audience {
        return Err(TokenProblem::Audience);
    }
    jws::judge_times(assertion.exp, Some(assertion.iat), now.seconds(), 0)?;
    Ok(assertion)
}
