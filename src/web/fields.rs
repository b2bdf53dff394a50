//! Members of bodies that several routes share.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::domain::identifier::is_js_whitespace;

/// Present, be it null: `None` when the member is absent, `Some(None)` when it is null.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Absent, or a value, but not null: for members that are published as not nullable.
pub fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Like [`given`], where an empty text clears as null does (contract 0.4).
pub fn clearable<'de, T: TryFrom<String>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T::Error: std::fmt::Display,
{
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(T::try_from).transpose().map(Some).map_err(D::Error::custom)
}

/// A secret of at least one character.
pub fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("at least one character")) } else { Ok(text.into()) }
}

/// The same, where there may be none.
pub fn filled_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if text.is_empty() => Err(D::Error::custom("at least one character")),
        text => Ok(text.map(Into::into)),
    }
}

/// A text of `LEAST` to `MOST` characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Text<const LEAST: usize, const MOST: usize>(String);

impl<const LEAST: usize, const MOST: usize> Text<LEAST, MOST> {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const LEAST: usize, const MOST: usize> TryFrom<String> for Text<LEAST, MOST> {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if (LEAST..=MOST).contains(&text.chars().count()) { Ok(Self(text)) } else { Err("too short or too long") }
    }
}

impl<const LEAST: usize, const MOST: usize> From<Text<LEAST, MOST>> for String {
    fn from(text: Text<LEAST, MOST>) -> Self {
        text.0
    }
}

/// An http or https URL without white space and control characters (contract D19). Publish it with the pattern
/// `^https?://[^\s\u0000-\u001F\u007F-\u009F\uFEFF]+$`, which says the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct HttpUrl(String);

impl TryFrom<String> for HttpUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let is_stray = |letter: char| is_js_whitespace(letter) || letter.is_control();
        let fits = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(is_stray));
        if fits { Ok(Self(text)) } else { Err("an http or https URL") }
    }
}

impl HttpUrl {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<HttpUrl> for String {
    fn from(url: HttpUrl) -> Self {
        url.0
    }
}
