//! Reading and checking password digests, our own and imported ones.
//!
//! A digest is read before it is worked with, and reading refuses what would cost too much: an imported digest chooses
//! memory and rounds, so it could otherwise choose to stop the service.

use argon2::{Algorithm, Params, PasswordHash, Version};
use aws_lc_rs::{digest as sha, pbkdf2};
use md5::Digest as _;
use serde_json::{Value, json};
use std::{num::NonZeroU32, str::FromStr};
use subtle::ConstantTimeEq;

use crate::domain::{
    method::Refusable,
    password::{PasswordAlgorithm, StoredPassword},
    refusal::Code,
};

/// The most memory of an Argon2 digest, in KiB.
pub const MAX_MEMORY_KIB: u32 = 128 * 1024;
/// The most passes of an Argon2 digest.
pub const MAX_PASSES: u32 = 32;
/// The most lanes of an Argon2 digest.
pub const MAX_LANES: u32 = 16;
/// The most memory times passes of an Argon2 digest, in KiB: about a second.
pub const MAX_WORK_KIB: u64 = 1024 * 1024;
/// The highest cost of a Bcrypt digest: about a second.
pub const MAX_BCRYPT_COST: u32 = 14;
/// The most rounds of PBKDF2, over all blocks of output: about a second.
pub const MAX_ROUNDS: u64 = 2_000_000;

const MAX_TEXT: usize = 4096;
/// A shorter digest would match other passwords by chance.
const MIN_DIGEST_BYTES: usize = 10;
/// Where the password goes among the arguments of a legacy digest.
const PLACEHOLDER: &str = "@";

/// Whether `digest` can be read as `algorithm` and checked at a bearable cost.
///
/// # Errors
/// [`Code::InvalidPasswordDigest`], whose `data.reason` says what is wrong.
pub fn validate_digest(algorithm: PasswordAlgorithm, digest: &str) -> Refusable<()> {
    let refuse = |reason: String| Code::InvalidPasswordDigest.with(json!({ "reason": reason }));
    match Digest::read(algorithm, digest).map_err(refuse)? {
        Digest::Argon2(digest) if !digest.params.keyid().is_empty() => {
            Err(refuse("a digest made with a secret key cannot be checked here".to_owned()))
        }
        _ => Ok(()),
    }
}

/// A digest taken apart.
pub(super) enum Digest {
    Argon2(ArgonDigest),
    Bcrypt(String),
    Hash { hash: Hash, arguments: Vec<Argument>, expected: Vec<u8> },
    Pbkdf2 { algorithm: pbkdf2::Algorithm, rounds: NonZeroU32, salt: String, expected: Vec<u8> },
}

/// An Argon2 digest in the PHC string format.
pub(super) struct ArgonDigest {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) params: Params,
    pub(super) salt: Vec<u8>,
    pub(super) expected: Vec<u8>,
}

/// One piece of what a plain hash is taken over.
pub(super) enum Argument {
    Password,
    Text(String),
}

/// A hash function without cost.
#[derive(Clone, Copy)]
pub(super) enum Hash {
    Md5,
    Sha(&'static sha::Algorithm),
}

impl Hash {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "md5" => Self::Md5,
            "sha1" => Self::Sha(&sha::SHA1_FOR_LEGACY_USE_ONLY),
            "sha224" => Self::Sha(&sha::SHA224),
            "sha256" => Self::Sha(&sha::SHA256),
            "sha384" => Self::Sha(&sha::SHA384),
            "sha512" => Self::Sha(&sha::SHA512),
            "sha512-256" => Self::Sha(&sha::SHA512_256),
            "sha3-256" => Self::Sha(&sha::SHA3_256),
            "sha3-384" => Self::Sha(&sha::SHA3_384),
            "sha3-512" => Self::Sha(&sha::SHA3_512),
            _ => return Err(format!("the algorithm {:?} is not supported", name.chars().take(32).collect::<String>())),
        })
    }

    fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha(algorithm) => algorithm.output_len(),
        }
    }

    fn of<'a>(self, parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        match self {
            Self::Md5 => parts.fold(md5::Md5::new(), md5::Digest::chain_update).finalize().to_vec(),
            Self::Sha(algorithm) => {
                let mut context = sha::Context::new(algorithm);
                parts.for_each(|part| context.update(part));
                context.finish().as_ref().to_vec()
            }
        }
    }
}

impl Digest {
    /// Takes a stored password's digest apart; the error says what is wrong with it.
    pub(super) fn of(stored: &StoredPassword) -> Result<Self, String> {
        Self::read(stored.algorithm, &stored.digest)
    }

    fn read(algorithm: PasswordAlgorithm, text: &str) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("a digest has at most {MAX_TEXT} characters"));
        }
        match algorithm {
            PasswordAlgorithm::Argon2i => argon2(Algorithm::Argon2i, text),
            PasswordAlgorithm::Argon2id => argon2(Algorithm::Argon2id, text),
            PasswordAlgorithm::Argon2d => argon2(Algorithm::Argon2d, text),
            PasswordAlgorithm::Bcrypt => bcrypt(text),
            PasswordAlgorithm::MD5 => plain(Hash::Md5, vec![Argument::Password], text),
            PasswordAlgorithm::SHA1 => plain(Hash::named("sha1")?, vec![Argument::Password], text),
            PasswordAlgorithm::SHA256 => plain(Hash::named("sha256")?, vec![Argument::Password], text),
            PasswordAlgorithm::Legacy => legacy(text),
        }
    }

    /// Whether `password` gives this digest; compared in constant time. Argon2 is [`super::worker`]'s, which has the memory.
    pub(super) fn matches(&self, password: &str, argon2: impl FnOnce(&ArgonDigest) -> bool) -> bool {
        match self {
            Self::Argon2(digest) => argon2(digest),
            Self::Bcrypt(digest) => bcrypt::verify(password, digest).unwrap_or(false),
            Self::Hash { hash, arguments, expected } => {
                let parts = arguments.iter().map(|argument| match argument {
                    Argument::Password => password.as_bytes(),
                    Argument::Text(text) => text.as_bytes(),
                });
                hash.of(parts).ct_eq(expected).into()
            }
            Self::Pbkdf2 { algorithm, rounds, salt, expected } => {
                let mut derived = vec![0; expected.len()];
                pbkdf2::derive(*algorithm, *rounds, salt.as_bytes(), password.as_bytes(), &mut derived);
                derived.ct_eq(expected).into()
            }
        }
    }
}

fn argon2(algorithm: Algorithm, text: &str) -> Result<Digest, String> {
    let unreadable = |why: &dyn std::fmt::Display| format!("not a PHC string of {algorithm}: {why}");
    let parsed = PasswordHash::new(text).map_err(|error| unreadable(&error))?;
    if parsed.algorithm != algorithm.ident() {
        return Err(unreadable(&format!("it says {}", parsed.algorithm)));
    }
    let version = parsed.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|error| unreadable(&error))?;
    let params = Params::try_from(&parsed).map_err(|error| unreadable(&error))?;
    let salt = parsed.salt.as_ref().ok_or_else(|| unreadable(&"the salt is missing"))?.to_vec();
    let expected = parsed.hash.as_ref().ok_or_else(|| unreadable(&"the digest is missing"))?.as_bytes().to_vec();
    if salt.len() < argon2::MIN_SALT_LEN {
        return Err(unreadable(&"the salt is too short"));
    }
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    let is_cheap = params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES;
    if !is_cheap || work > MAX_WORK_KIB {
        return Err(format!(
            "too costly: at most m={MAX_MEMORY_KIB}, t={MAX_PASSES}, p={MAX_LANES} and m times t at most {MAX_WORK_KIB}"
        ));
    }
    Ok(Digest::Argon2(ArgonDigest { algorithm, version, params, salt, expected }))
}

fn bcrypt(text: &str) -> Result<Digest, String> {
    let parts = bcrypt::HashParts::from_str(text).map_err(|error| format!("not a Bcrypt digest: {error}"))?;
    if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
        return Err("only the Bcrypt versions 2a, 2b and 2y are supported".to_owned());
    }
    if !(4..=MAX_BCRYPT_COST).contains(&parts.get_cost()) {
        return Err(format!("the cost of a Bcrypt digest lies between 4 and {MAX_BCRYPT_COST}"));
    }
    Ok(Digest::Bcrypt(text.to_owned()))
}

fn plain(hash: Hash, arguments: Vec<Argument>, hex: &str) -> Result<Digest, String> {
    let expected = unhex(hex)?;
    if expected.len() != hash.length() {
        return Err(format!("the digest has {} bytes instead of {}", expected.len(), hash.length()));
    }
    Ok(Digest::Hash { hash, arguments, expected })
}

fn legacy(text: &str) -> Result<Digest, String> {
    let (name, arguments, digest) = serde_json::from_str::<(String, Vec<Value>, String)>(text)
        .map_err(|_| "not a JSON array of algorithm, arguments and digest".to_owned())?;
    let arguments = arguments.into_iter().map(argument).collect::<Result<Vec<_>, _>>()?;
    if !arguments.iter().any(|argument| argument == PLACEHOLDER) {
        return Err(format!("no argument is {PLACEHOLDER:?}, so the password would not matter"));
    }
    match name.as_str() {
        "pbkdf2" => pbkdf2(&arguments, &digest),
        "firebase-scrypt" | "scrypt" => Err("scrypt is not supported; let these users set a new password".to_owned()),
        _ => {
            let arguments = arguments
                .into_iter()
                .map(|argument| if argument == PLACEHOLDER { Argument::Password } else { Argument::Text(argument) })
                .collect();
            plain(Hash::named(&name)?, arguments, &digest)
        }
    }
}

fn argument(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("the arguments are not all texts".to_owned()),
    }
}

fn pbkdf2(arguments: &[String], digest: &str) -> Result<Digest, String> {
    let [salt, rounds, length, hash, PLACEHOLDER] = &*arguments.iter().map(String::as_str).collect::<Vec<_>>() else {
        return Err("the arguments of pbkdf2 are salt, rounds, length, hash and \"@\"".to_owned());
    };
    let (algorithm, block) = match hash.to_ascii_lowercase().as_str() {
        "sha1" => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
        "sha256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        "sha384" => (pbkdf2::PBKDF2_HMAC_SHA384, 48),
        "sha512" => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        _ => return Err("pbkdf2 is supported with sha1, sha256, sha384 and sha512".to_owned()),
    };
    let rounds: NonZeroU32 = rounds.parse().map_err(|_| "the rounds of pbkdf2 are not a number".to_owned())?;
    let expected = unhex(digest)?;
    if length.parse() != Ok(expected.len()) || expected.len() < MIN_DIGEST_BYTES {
        return Err(format!(
            "the digest has {} bytes: not what the arguments say, or fewer than {MIN_DIGEST_BYTES}",
            expected.len()
        ));
    }
    let blocks = u64::try_from(expected.len().div_ceil(block)).unwrap_or(u64::MAX);
    if blocks.saturating_mul(u64::from(rounds.get())) > MAX_ROUNDS {
        return Err(format!("too costly: at most {MAX_ROUNDS} rounds over all blocks"));
    }
    Ok(Digest::Pbkdf2 { algorithm, rounds, salt: (*salt).to_owned(), expected })
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let nibbles: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let nibbles = nibbles.filter(|nibbles| nibbles.len() % 2 == 0);
    let bytes = nibbles.ok_or_else(|| "the digest is not hexadecimal".to_owned())?;
    let byte = |pair: &[u32]| pair.iter().fold(0, |byte, nibble| byte << 4 | nibble);
    Ok(bytes.chunks(2).filter_map(|pair| u8::try_from(byte(pair)).ok()).collect())
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
