//! Access tokens of our own: JWTs as RFC 9068 describes them, signed with ES256.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};

use crate::crypto::digest::digest;
use crate::crypto::jws;
use crate::crypto::signing::{KeyRing, SigningAlgorithm};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::error::Result;

pub use crate::crypto::jws::{OneOrMany, TokenProblem, claimed_audience, claimed_issuer};

/// The `typ` of an access token (RFC 9068 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// How long an access token lives.
pub const LIFE: Duration = Duration::from_secs(3600);

/// What an access token says (RFC 9068 2.2). Times are whole seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it speaks for: a user, or an application by its own right.
    pub sub: String,
    /// Whom it is for.
    pub aud: OneOrMany,
    /// The application it was issued to.
    pub client_id: String,
    /// Scopes, separated by spaces.
    #[serde(default)]
    pub scope: String,
    /// When it was issued.
    pub iat: i64,
    /// Not valid before.
    pub nbf: i64,
    /// Not valid from this second on.
    pub exp: i64,
    /// Its own id.
    pub jti: String,
    /// The sign-in session behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// When the user last proved who they are. Never renewed by a refresh (contract P13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How strong that proof was (RFC 9470).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// The key whose holder alone may use it (RFC 9449 6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// What confirms the holder of a token (RFC 7800 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The thumbprint of a public key (RFC 7638).
    pub jkt: String,
}

impl Claims {
    /// The user `sub` names, without the connection that may stand in front (contract P5).
    #[must_use]
    pub fn user(&self) -> UserId {
        user_of(&self.sub)
    }

    /// The key it is bound to.
    #[must_use]
    pub fn jkt(&self) -> Option<&str> {
        self.cnf.as_ref().map(|cnf| cnf.jkt.as_str())
    }

    /// The scopes, one by one.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split_ascii_whitespace()
    }

    /// Whether `scope` was granted.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }
}

fn user_of(sub: &str) -> UserId {
    UserId(sub.rsplit_once('|').map_or(sub, |(_, id)| id).to_owned())
}

/// What a token must say to be believed.
#[derive(Clone, Copy, Debug)]
pub struct Expectations<'a> {
    /// The spellings of our own issuer, such as with and without the trailing slash.
    pub issuers: &'a [String],
    /// Audiences of which the token must name one.
    pub audiences: &'a [String],
    /// This moment.
    pub now: Timestamp,
    /// How far clocks of nodes may differ.
    pub leeway: Duration,
}

/// Signs an access token with the active ES256 key.
pub fn sign(ring: &KeyRing, claims: &Claims) -> Result<String> {
    ring.sign(SigningAlgorithm::Es256, ACCESS_TOKEN_TYPE, claims)
}

/// Judges an access token of our own.
///
/// The signature is checked once and remembered until the keys change or others take its place; the claims are judged
/// on each use. Whether user and session still stand is for the caller to ask the database.
pub fn verify(ring: &KeyRing, token: &str, expected: &Expectations<'_>) -> Result<Arc<Claims>, TokenProblem> {
    check(ring, token, expected, || Ok(true))?.ok_or(TokenProblem::Issuer)
}

/// The same, for a token that may be another issuer's: `None` when it names none of `expected.issuers`.
pub fn verify_own(
    ring: &KeyRing,
    token: &str,
    expected: &Expectations<'_>,
) -> Result<Option<Arc<Claims>>, TokenProblem> {
    check(ring, token, expected, || Ok(expected.issuers.contains(&claimed_issuer(token)?)))
}

/// `is_own` is asked only about tokens that are not remembered.
fn check(
    ring: &KeyRing,
    token: &str,
    expected: &Expectations<'_>,
    is_own: impl FnOnce() -> Result<bool, TokenProblem>,
) -> Result<Option<Arc<Claims>>, TokenProblem> {
    if token.len() > jws::MAX_LENGTH {
        return Err(TokenProblem::Malformed);
    }
    let keys = ring.keys();
    let seen = digest(token.as_bytes());
    if let Some(claims) = keys.verified.get(&seen) {
        judge(&claims, expected)?;
        return Ok(Some(claims));
    }
    if !is_own()? {
        return Ok(None);
    }
    let claims = Arc::new(verify_signature(token, |kid| keys.public(kid, SigningAlgorithm::Es256))?);
    judge(&claims, expected)?;
    keys.verified.insert(seen, Arc::clone(&claims));
    Ok(Some(claims))
}

/// What an ID token of ours says to us, when somebody shows it to tell whose sign-out is meant (OpenID Connect RP-Initiated Logout 2).
#[derive(Clone, Debug, Deserialize)]
pub struct Hint {
    iss: String,
    /// Of whom it tells.
    sub: String,
    /// To which application.
    pub aud: String,
    /// In which session.
    pub sid: String,
}

impl Hint {
    /// The user `sub` names.
    #[must_use]
    pub fn user(&self) -> UserId {
        user_of(&self.sub)
    }
}

/// Judges an ID token of ours. One that has expired still tells of whom it was.
pub fn verify_hint(ring: &KeyRing, token: &str, issuers: &[String]) -> Result<Hint, TokenProblem> {
    let header = jws::header(token)?;
    if header.alg != Algorithm::RS256 {
        return Err(TokenProblem::Algorithm);
    }
    let keys = ring.keys();
    let key =
        header.kid.as_deref().and_then(|kid| keys.public(kid, SigningAlgorithm::Rs256)).ok_or(TokenProblem::Key)?;
    let hint: Hint = jws::verify(token, key, Algorithm::RS256)?;
    if issuers.contains(&hint.iss) { Ok(hint) } else { Err(TokenProblem::Issuer) }
}

fn verify_signature<'k>(
    token: &str,
    key: impl FnOnce(&str) -> Option<&'k jsonwebtoken::DecodingKey>,
) -> Result<Claims, TokenProblem> {
    let header = jws::header(token)?;
    if header.alg != Algorithm::ES256 {
        return Err(TokenProblem::Algorithm);
    }
    if !header.typ.as_deref().is_some_and(is_access_token_type) {
        return Err(TokenProblem::Type);
    }
    let key = header.kid.as_deref().and_then(key).ok_or(TokenProblem::Key)?;
    jws::verify(token, key, Algorithm::ES256)
}

/// `at+jwt`, also spelled as a whole media type; letter case does not matter (RFC 7515 4.1.9).
pub(crate) fn is_access_token_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
}

fn judge(claims: &Claims, expected: &Expectations<'_>) -> Result<(), TokenProblem> {
    if !expected.issuers.contains(&claims.iss) {
        return Err(TokenProblem::Issuer);
    }
    if !claims.aud.meets(expected.audiences) {
        return Err(TokenProblem::Audience);
    }
    if claims.sub.is_empty() {
        return Err(TokenProblem::Claims);
    }
    let leeway = i64::try_from(expected.leeway.as_secs()).unwrap_or(i64::MAX);
    jws::judge_times(claims.exp, Some(claims.nbf), expected.now.seconds(), leeway)
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
