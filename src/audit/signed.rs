//! What is signed about the chain: the start of an export, checkpoints, the end of an export. Compact JWS with ES256.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, JwkSet},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::crypto::jws::{self, TokenProblem};

/// The `typ` of each, so that one is never taken for another, nor for a token.
pub const START: &str = "audit-start+jwt";
pub const CHECKPOINT: &str = "audit-checkpoint+jwt";
pub const END: &str = "audit-end+jwt";

/// The format of exports that this program writes and reads.
pub const FORMAT: u32 = 1;

/// The first line of an export.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    pub format: u32,
    pub iss: String,
    pub iat: i64,
    /// The place before the first event of the file, and the hash there.
    pub seq: i64,
    pub hash: String,
    /// Public keys for those who have none from elsewhere.
    pub keys: JwkSet,
}

/// The chain went up to `seq` with `hash` when this was signed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    pub iss: String,
    pub iat: i64,
    pub seq: i64,
    pub hash: String,
    /// The checkpoint before; 0 for none.
    pub previous: i64,
}

/// The last line of an export.
#[derive(Debug, Serialize, Deserialize)]
pub struct End {
    pub iss: String,
    pub iat: i64,
    pub seq: i64,
    pub hash: String,
    /// The last checkpoint in the file; that of the start when there is none.
    pub checkpoint: i64,
    /// SHA-256 of the first line, so that ends fit one start only.
    pub start: String,
}

/// The claims of what one of `keys` signed, of that type.
pub fn verify<T: DeserializeOwned>(text: &str, typ: &str, keys: &JwkSet) -> Result<(T, String), TokenProblem> {
    let header = jws::header(text)?;
    if header.typ.as_deref() != Some(typ) {
        return Err(TokenProblem::Type);
    }
    if header.alg != Algorithm::ES256 {
        return Err(TokenProblem::Algorithm);
    }
    let kid = header.kid.ok_or(TokenProblem::Key)?;
    let key = keys.find(&kid).and_then(|jwk: &Jwk| DecodingKey::from_jwk(jwk).ok()).ok_or(TokenProblem::Key)?;
    Ok((jws::verify(text, &key, Algorithm::ES256)?, kid))
}

/// The keys that a start names of itself, which nobody has vouched for.
pub fn claimed_keys(text: &str) -> Result<JwkSet, TokenProblem> {
    #[derive(Deserialize)]
    struct Keys {
        keys: JwkSet,
    }
    let claims: Keys = jsonwebtoken::dangerous::insecure_decode_claims(text).map_err(|_| TokenProblem::Malformed)?;
    Ok(claims.keys)
}
