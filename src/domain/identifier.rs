//! What people are known by: e-mail address, phone number, username. Made once at the edge (contract 5.1), then trusted.
//!
//! `Debug` and [`EmailAddress::masked`] show enough to recognise one's own, never the whole: identifiers do not go into logs.

use std::{borrow::Cow, fmt};

use email_address::Options;
use serde::{Deserialize, Serialize};
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

use super::calling_codes;

/// The most characters an e-mail address or phone number may have on the wire (contract 1.2).
pub const MAX_WIRE: usize = 256;
/// The most characters of a stored identifier; past it callers answer `422 entity.value_too_long` (contract 0.4).
pub const MAX_STORED: usize = 128;

/// White space as JavaScript's `\s` sees it: Unicode's, without U+0085, with U+FEFF.
#[must_use]
pub fn is_js_whitespace(letter: char) -> bool {
    letter == '\u{FEFF}' || (letter.is_whitespace() && letter != '\u{85}')
}

/// One character that is neither white space nor control.
macro_rules! letter {
    () => {
        r"[^\s\u0000-\u001F\u007F-\u009F\uFEFF]"
    };
}

macro_rules! wire_text {
    ($name:ident, $pattern:expr, $max:expr, $example:literal, $about:literal) => {
        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.masked())
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some($pattern))
                    .max_length(Some($max))
                    .description(Some($about))
                    .examples([serde_json::json!($example)])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

/// An e-mail address in the spelling its owner gave, except that the domain is in lower case (contract D13).
///
/// Equality is that of the spelling; compare [`EmailAddress::key`] to ask whether two are the same mailbox.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// `^\S+@\S+\.\S+$` without control characters, in words that every dialect of regular expressions reads alike: their `\s` and `\d`
/// differ.
pub const EMAIL_PATTERN: &str = concat!("^", letter!(), "+@", letter!(), "+\\.", letter!(), "+$");

wire_text!(EmailAddress, EMAIL_PATTERN, MAX_WIRE, "ada@example.com", "An e-mail address.");

impl EmailAddress {
    /// Takes text from outside: `^\S+@\S+\.\S+$` of JavaScript, at most [`MAX_WIRE`] characters, no control characters
    /// (a line break in an address would forge mail headers).
    ///
    /// # Errors
    /// The sentence for the caller.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().count() > MAX_WIRE {
            return Err("an e-mail address has at most 256 characters");
        }
        let is_clean = !text.chars().any(|letter| is_js_whitespace(letter) || letter.is_control());
        if !(is_clean && has_mail_shape(text)) {
            return Err("not an e-mail address");
        }
        let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
        Ok(Self(format!("{local}@{}", lower(domain))))
    }

    /// The spelling to store, show and send to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// What stands after the last `@`, in lower case; may be empty.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The canonical form: equal for addresses that differ in letter case only.
    #[must_use]
    pub fn key(&self) -> String {
        let local: String = self.local().chars().map(lower_apart).collect();
        format!("{local}@{}", self.domain())
    }

    /// Whether mail could be sent there: a mailbox by RFC 5321/6531 with a domain of two labels or more, no literal, no display name.
    #[must_use]
    pub fn is_deliverable(&self) -> bool {
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        email_address::EmailAddress::parse_with_options(&self.0, options).is_ok()
    }

    /// Whether it is too long to store ([`MAX_STORED`]).
    #[must_use]
    pub fn exceeds_column(&self) -> bool {
        self.0.chars().count() > MAX_STORED
    }

    /// Like `a***@example.com`.
    #[must_use]
    pub fn masked(&self) -> String {
        let first = self.local().chars().next().map(String::from).unwrap_or_default();
        format!("{first}***@{}", self.domain())
    }
}

/// `^\S+@\S+\.\S+$` for text already known to be without white space: an `@` that is not first, then a dot with something on both sides.
fn has_mail_shape(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next();
    let Some((_, rest)) = letters.as_str().split_once('@') else { return false };
    let mut inner = rest.chars();
    inner.next();
    inner.next_back();
    inner.as_str().contains('.')
}

/// Unicode lower case letter by letter, so that the result does not depend on neighbours (final sigma).
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A letter in lower case, but none from outside ASCII becomes one inside: the Kelvin sign's lower case is `k`, and whoever reads the
/// mail of the one name does not read that of the other.
fn lower_apart(letter: char) -> String {
    let lower: String = letter.to_lowercase().collect();
    if lower.is_ascii() && !letter.is_ascii() { letter.into() } else { lower }
}

/// A username: `^[A-Z_a-z]\w*$` of ASCII letters. The policy is [`super::username::UsernamePolicy`].
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

wire_text!(
    Username,
    r"^[A-Z_a-z][0-9A-Z_a-z]*$",
    MAX_STORED,
    "ada",
    "Letters, numbers and underscores, not starting with a number."
);

impl Username {
    /// Takes text from outside.
    ///
    /// # Errors
    /// The sentence for the caller.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let goes_on_well = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if starts_well && goes_on_well {
            Ok(Self(text.to_owned()))
        } else {
            Err("a username takes letters, numbers and underscores, and does not start with a number")
        }
    }

    /// The spelling to store and show.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form to compare when letter case does not matter.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether it is too long to store ([`MAX_STORED`]).
    #[must_use]
    pub fn exceeds_column(&self) -> bool {
        self.0.len() > MAX_STORED
    }

    /// Like `a***`.
    #[must_use]
    pub fn masked(&self) -> String {
        let first = self.0.chars().next().map(String::from).unwrap_or_default();
        format!("{first}***")
    }
}

/// A phone number as it was sent: digits alone, without `+` (contract 5.1). Not yet known to be one that can be called.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

wire_text!(
    PhoneNumber,
    r"^[0-9]+$",
    MAX_WIRE,
    "14155552671",
    "A phone number: country code and number, digits alone, without the plus sign."
);

impl PhoneNumber {
    /// Takes text from outside: ASCII digits, at most [`MAX_WIRE`].
    ///
    /// # Errors
    /// The sentence for the caller.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_WIRE {
            return Err("a phone number has at most 256 digits");
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("a phone number is written in digits alone, country code first");
        }
        Ok(Self(text.to_owned()))
    }

    /// The digits as they were sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical number; `None` when it is none that could be called (callers answer `422 user.invalid_phone`).
    #[must_use]
    pub fn normalized(&self) -> Option<E164> {
        E164::of(&self.0)
    }

    /// Whether it is too long to store ([`MAX_STORED`]).
    #[must_use]
    pub fn exceeds_column(&self) -> bool {
        self.0.len() > MAX_STORED
    }

    /// The last two digits alone, like `***71`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask_digits(&self.0)
    }
}

/// A phone number in the canonical form of ITU E.164: country code and national number, 7 to 15 digits, no trunk zero.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct E164(String);

impl E164 {
    /// The canonical number behind `digits`: the country code must exist, and a zero dialled only inside the country
    /// (`+44 (0)20 …`) is taken out.
    #[must_use]
    pub fn of(digits: &str) -> Option<Self> {
        let is_number = (7..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return None;
        }
        let (code, national) = calling_codes::split(digits)?;
        let number = format!("{code}{national}");
        (7..=15).contains(&number.len()).then_some(Self(number))
    }

    /// Digits alone: the form to store and compare.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// With the plus sign: the form to send to.
    #[must_use]
    pub fn plus(&self) -> String {
        format!("+{}", self.0)
    }

    /// The last two digits alone, like `***71`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask_digits(&self.0)
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E164({})", self.masked())
    }
}

fn mask_digits(digits: &str) -> String {
    let shown = digits.len().checked_sub(2).filter(|hidden| *hidden >= 4).and_then(|at| digits.get(at..));
    format!("***{}", shown.unwrap_or(""))
}

#[cfg(test)]
#[path = "identifier_tests.rs"]
mod tests;
