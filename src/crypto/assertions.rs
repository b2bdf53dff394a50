//! Client assertions: JWTs by which an application shows that it has a private key (RFC 7523 2.2, 3).

use serde::Deserialize;
use serde_json::Value;

use crate::crypto::digest::digest;
use crate::crypto::jwks::PublicKeys;
use crate::crypto::jws::{self, NumericDate, OneOrMany, TokenProblem};

/// Algorithms of assertions.
pub const ALGORITHMS: &[&str] = &["RS256", "ES256", "PS256"];

/// How far ahead `exp` may lie, in seconds: for so long the id of an assertion has to be remembered.
pub const LONGEST_LIFE: i64 = 600;

/// The longest `jti` that is remembered.
const LONGEST_ID: usize = 512;

/// What an assertion says.
#[derive(Clone, Debug, Deserialize)]
pub struct Assertion {
    iss: String,
    sub: String,
    aud: OneOrMany,
    exp: NumericDate,
    #[serde(default)]
    nbf: Option<NumericDate>,
    jti: String,
}

/// What the assertion must say to be believed.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The `client_id` it must name.
    pub client: &'a str,
    /// Of these it must name one: our issuers and token endpoints.
    pub audiences: &'a [String],
    /// This moment, in seconds since 1970.
    pub now: i64,
    /// How far clocks may differ, in seconds.
    pub leeway: i64,
}

impl Assertion {
    /// The client an assertion names, which nobody has vouched for: it says whose keys are to judge.
    pub fn claimed_client(text: &str) -> Result<String, TokenProblem> {
        #[derive(Deserialize)]
        struct About {
            sub: String,
        }
        if text.len() > jws::MAX_LENGTH {
            return Err(TokenProblem::Malformed);
        }
        let about: About =
            jsonwebtoken::dangerous::insecure_decode_claims(text).map_err(|_| TokenProblem::Malformed)?;
        Ok(about.sub)
    }

    /// The claims of an assertion that a key of `jwks`, a JWK set, has signed, and that says what it must. Whether it was shown before
    /// is for the caller to ask.
    pub fn verify(text: &str, jwks: &Value, expected: &Expected<'_>) -> Result<Self, TokenProblem> {
        let header = jws::header(text)?;
        let keys = PublicKeys::parse(jwks.get("keys"), ALGORITHMS);
        // Keys are kept for allowed algorithms only, so one that is found allows the algorithm.
        let key = keys.find(header.kid.as_deref(), header.alg).ok_or(TokenProblem::Key)?;
        let assertion: Self = jws::verify(text, key, header.alg)?;
        if assertion.iss != expected.client || assertion.sub != expected.client {
            return Err(TokenProblem::Issuer);
        }
        if !assertion.aud.meets(expected.audiences) {
            return Err(TokenProblem::Audience);
        }
        if assertion.jti.is_empty() || assertion.jti.len() > LONGEST_ID {
            return Err(TokenProblem::Claims);
        }
        if assertion.exp.0 > expected.now.saturating_add(LONGEST_LIFE + expected.leeway) {
            return Err(TokenProblem::NotYet);
        }
        jws::judge_times(assertion.exp.0, assertion.nbf.map(|date| date.0), expected.now, expected.leeway)?;
        Ok(assertion)
    }

    /// When it expires, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.exp.0
    }

    /// What stands for this assertion where used ones are remembered: client and id.
    #[must_use]
    pub fn id_hash(&self) -> [u8; 32] {
        let length = u64::try_from(self.sub.len()).unwrap_or(u64::MAX);
        digest(
            &["client assertion ".as_bytes(), &length.to_be_bytes(), self.sub.as_bytes(), self.jti.as_bytes()].concat(),
        )
    }
}
