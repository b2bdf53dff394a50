//! Identifiers of things, made of `[0-9a-z]` so that paths may be matched without regard to case (contract 0.2, 0.8).

use std::fmt;

/// Letters of every id.
pub const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The source of randomness, handed in so that tests can choose it.
pub trait Random: Send + Sync {
    /// Fills `bytes` from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]);
}

/// `length` characters of [`ALPHABET`], each equally likely (bytes past the last multiple of 36 are thrown away).
pub fn random_text(random: &dyn Random, length: usize) -> String {
    pick(random, ALPHABET, length)
}

/// `length` characters of `alphabet`, each equally likely.
pub fn pick(random: &dyn Random, alphabet: &[u8], length: usize) -> String {
    let fair = 256 - 256 % alphabet.len().clamp(1, 256);
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        random.fill(&mut bytes);
        for byte in bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair) {
            if text.len() == length {
                break;
            }
            if let Some(letter) = alphabet.get(byte % alphabet.len()) {
                text.push(char::from(*letter));
            }
        }
    }
    text
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent, no_pg_array)]
        pub struct $name(pub String);

        impl $name {
            /// A new one.
            pub fn random(random: &dyn Random) -> Self {
                Self(random_text(random, $length))
            }

            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A user: 12 characters (contract 0.8).
    UserId, 12
);
impl UserId {
    /// The longest that is looked for.
    const LONGEST: usize = 64;

    /// Takes text from outside; `None` when it cannot be an id. U+0000 is in none, and PostgreSQL would not even look for it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= Self::LONGEST && !text.contains('\0')).then(|| Self(text.to_owned()))
    }
}

text_id!(
    /// A client application: 21 characters.
    ApplicationId, 21
);
text_id!(
    /// A sign-in session: 21 characters; the `sid` claim.
    SessionId, 21
);

text_id!(
    /// A webhook: 21 characters.
    HookId, 21
);

/// A verification record's id as its owner holds it: a secret of 165 random bits (`security.md`: at least 128; contract D23).
///
/// Only its SHA-256 is stored. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordId(String);

impl RecordId {
    /// Characters of an id: 32 of 36 letters are 165 bits.
    pub const LENGTH: usize = 32;

    /// A new one.
    pub fn random(random: &dyn Random) -> Self {
        Self(random_text(random, Self::LENGTH))
    }

    /// Takes text from outside; `None` when it cannot be an id of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == Self::LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// The secret itself, for the one answer that hands it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordId(…)")
    }
}

/// Where a record is stored: the SHA-256 of its [`RecordId`]. A `bytea` on both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordKey(pub [u8; 32]);

impl<DB: sqlx::Database> sqlx::Type<DB> for RecordKey
where
    Vec<u8>: sqlx::Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        Vec::<u8>::type_info()
    }

    fn compatible(found: &DB::TypeInfo) -> bool {
        Vec::<u8>::compatible(found)
    }
}

impl<'q, DB: sqlx::Database> sqlx::Encode<'q, DB> for RecordKey
where
    Vec<u8>: sqlx::Encode<'q, DB>,
{
    fn encode_by_ref(
        &self,
        buffer: &mut <DB as sqlx::Database>::ArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        self.0.to_vec().encode(buffer)
    }
}

impl<'r, DB: sqlx::Database> sqlx::Decode<'r, DB> for RecordKey
where
    Vec<u8>: sqlx::Decode<'r, DB>,
{
    fn decode(value: <DB as sqlx::Database>::ValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let bytes = Vec::<u8>::decode(value)?;
        Ok(Self(bytes.as_slice().try_into()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte there is, over and over.
    struct Even;

    impl Random for Even {
        fn fill(&self, bytes: &mut [u8]) {
            static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
            for byte in bytes {
                *byte = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn no_letter_is_likelier_than_another() {
        for (alphabet, rounds) in [(b"0123456789".as_slice(), 25), (ALPHABET, 7)] {
            let text = pick(&Even, alphabet, alphabet.len() * rounds * 8);
            for letter in alphabet {
                let count = text.bytes().filter(|other| other == letter).count();
                assert_eq!(count, rounds * 8, "{}", char::from(*letter));
            }
        }
    }

    #[test]
    fn record_keys_go_to_both_engines_and_come_back() {
        fn fits<T, DB: sqlx::Database>()
        where
            T: sqlx::Type<DB> + for<'q> sqlx::Encode<'q, DB> + for<'r> sqlx::Decode<'r, DB>,
        {
        }
        fits::<RecordKey, sqlx::Sqlite>();
        fits::<RecordKey, sqlx::Postgres>();
    }
}
