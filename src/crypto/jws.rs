//! What every JWT has in common here: a bounded length, an algorithm fixed beforehand, and time claims judged by the
//! caller's clock.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::domain::refusal::Code;
use crate::error::Error;

/// The longest token looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// Verified tokens remembered for each set of keys.
pub const REMEMBERED: usize = 10_000;

/// Why a token was not believed. Callers outside learn only `401 auth.unauthorized`; the log may say which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// Longer than 8 KiB, not a JWT, or a header that asks for something we do not do.
    #[error("not a token that can be read")]
    Malformed,
    /// An algorithm that is not on the list, `none` and `HS*` always among them.
    #[error("an algorithm that is not allowed")]
    Algorithm,
    /// A JWT made for another use (RFC 8725 3.11).
    #[error("a token of another type")]
    Type,
    /// No key id, or one that is not known.
    #[error("an unknown key")]
    Key,
    /// The signature does not fit.
    #[error("a signature that does not fit")]
    Signature,
    /// Claims are missing or of the wrong shape.
    #[error("claims that are missing or odd")]
    Claims,
    /// From an issuer that is not trusted here.
    #[error("an issuer that is not trusted")]
    Issuer,
    /// For somebody else.
    #[error("another audience")]
    Audience,
    /// `exp` has passed.
    #[error("an expired token")]
    Expired,
    /// `nbf` is still to come.
    #[error("a token that is not valid yet")]
    NotYet,
    /// The issuer is trusted, but none of its keys could be fetched so far: `503`.
    #[error("the issuer's keys cannot be fetched")]
    KeysUnavailable,
}

impl From<TokenProblem> for Error {
    fn from(problem: TokenProblem) -> Self {
        match problem {
            TokenProblem::KeysUnavailable => {
                Code::Unavailable.refuse().retry_after(std::time::Duration::from_secs(5)).into()
            }
            _ => Code::Unauthorized.into(),
        }
    }
}

/// A claim that is one text or a list of them, such as `aud`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// Whether one of them is in `wanted`.
    #[must_use]
    pub fn meets(&self, wanted: &[String]) -> bool {
        self.as_slice().iter().any(|one| wanted.contains(one))
    }
}

/// Seconds since 1970. RFC 7519 2 allows fractions; they are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub struct NumericDate(pub i64);

impl TryFrom<serde_json::Number> for NumericDate {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Self, Self::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and no date is that far away")]
        let whole = || number.as_f64().filter(|seconds| seconds.is_finite()).map(|seconds| seconds.floor() as i64);
        number.as_i64().or_else(whole).map(Self).ok_or("not a number of seconds")
    }
}

/// The header, which nobody has vouched for yet.
pub fn header(token: &str) -> Result<Header, TokenProblem> {
    if token.len() > MAX_LENGTH {
        return Err(TokenProblem::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenProblem::Malformed)?;
    // RFC 7515 4.1.11: what is critical and not understood makes the token invalid. We understand none.
    if header.crit.is_some() { Err(TokenProblem::Malformed) } else { Ok(header) }
}

/// The issuer a token names, which nobody has vouched for: it may choose who judges the token, and nothing else.
pub fn claimed_issuer(token: &str) -> Result<String, TokenProblem> {
    #[derive(Deserialize)]
    struct Issued {
        iss: String,
    }
    claimed::<Issued>(token).map(|issued| issued.iss)
}

/// The audience a token names, which nobody has vouched for either.
pub fn claimed_audience(token: &str) -> Result<OneOrMany, TokenProblem> {
    #[derive(Deserialize)]
    struct Meant {
        aud: OneOrMany,
    }
    claimed::<Meant>(token).map(|meant| meant.aud)
}

fn claimed<T: DeserializeOwned>(token: &str) -> Result<T, TokenProblem> {
    if token.len() > MAX_LENGTH {
        return Err(TokenProblem::Malformed);
    }
    jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| TokenProblem::Malformed)
}

/// The claims of a token whose signature by `key` with exactly this algorithm holds. Judges no claim.
pub fn verify<T: DeserializeOwned>(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<T, TokenProblem> {
    use jsonwebtoken::errors::ErrorKind;

    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    // All three are judged by our callers, against the clock they were given.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, key, &validation).map(|data| data.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => TokenProblem::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => TokenProblem::Algorithm,
        ErrorKind::Json(_) => TokenProblem::Claims,
        _ => TokenProblem::Malformed,
    })
}

/// Judges `exp` and `nbf`, all in whole seconds since 1970.
pub fn judge_times(exp: i64, nbf: Option<i64>, now: i64, leeway: i64) -> Result<(), TokenProblem> {
    if exp.saturating_add(leeway) <= now {
        return Err(TokenProblem::Expired);
    }
    if nbf.is_some_and(|nbf| nbf > now.saturating_add(leeway)) {
        return Err(TokenProblem::NotYet);
    }
    Ok(())
}
