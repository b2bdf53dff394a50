//! A password as it is kept: by which algorithm, and the digest.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a digest was made (contract 1.1 and 4). New ones are always Argon2id; the others come from imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum PasswordAlgorithm {
    /// Argon2i in the PHC string format.
    Argon2i,
    /// Argon2id in the PHC string format.
    Argon2id,
    /// Argon2d in the PHC string format.
    Argon2d,
    /// Bcrypt in its `$2b$…` form.
    Bcrypt,
    /// MD5 in hexadecimal digits.
    MD5,
    /// SHA-1 in hexadecimal digits.
    SHA1,
    /// SHA-256 in hexadecimal digits.
    SHA256,
    /// A JSON array `[algorithm, arguments, digest]`, where the argument `"@"` stands for the password.
    Legacy,
}

impl PasswordAlgorithm {
    /// Every algorithm.
    pub const ALL: &[Self] = &[
        Self::Argon2i,
        Self::Argon2id,
        Self::Argon2d,
        Self::Bcrypt,
        Self::MD5,
        Self::SHA1,
        Self::SHA256,
        Self::Legacy,
    ];

    /// The name on the wire and in storage.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Argon2i => "Argon2i",
            Self::Argon2id => "Argon2id",
            Self::Argon2d => "Argon2d",
            Self::Bcrypt => "Bcrypt",
            Self::MD5 => "MD5",
            Self::SHA1 => "SHA1",
            Self::SHA256 => "SHA256",
            Self::Legacy => "Legacy",
        }
    }

    /// The algorithm of that name.
    ///
    /// # Errors
    /// The name itself, when it is none of [`PasswordAlgorithm::ALL`].
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name).ok_or_else(|| name.to_owned())
    }
}

/// What storage holds of a password. `Debug` shows nothing of the digest.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    /// How it was made.
    pub algorithm: PasswordAlgorithm,
    /// The digest, in the algorithm's own form.
    pub digest: String,
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredPassword({}, …)", self.algorithm.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for algorithm in PasswordAlgorithm::ALL {
            assert_eq!(PasswordAlgorithm::parse(algorithm.name()), Ok(*algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
        }
        assert_eq!(PasswordAlgorithm::parse("argon2id"), Err("argon2id".to_owned()));
    }
}
