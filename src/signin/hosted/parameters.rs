//! The parameters of an authorization request, as they came.

use url::form_urlencoded;

/// The longest value of a parameter, in bytes.
const LONGEST: usize = 4096;

/// What may come once.
const ONCE: &[&str] = &[
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "connection",
    "login_hint",
    "ui_locales",
    "prompt",
    "max_age",
    "acr_values",
    "screen_hint",
    "send",
    "audience",
    "resource",
    "dpop_jkt",
    "request",
    "request_uri",
    "login_ticket",
    "realm",
];

/// Parameters as they came. One that comes twice is no parameter at all (RFC 6749 3.1).
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Of a query; `None` as [`Self::of`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::of(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// These; `None` when one is too long, or holds U+0000.
    #[must_use]
    pub fn of(pairs: Vec<(String, String)>) -> Option<Self> {
        let is_odd = |text: &str| text.len() > LONGEST || text.contains('\0');
        let is_any_odd = pairs.iter().any(|(name, value)| name.contains('\0') || is_odd(value));
        (!is_any_odd).then_some(Self(pairs))
    }

    /// The first of that name. An empty value is as good as none (RFC 6749 3.1).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The same, to keep.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// Whether it comes more than once.
    #[must_use]
    pub fn is_twice(&self, name: &str) -> bool {
        self.0.iter().filter(|(key, _)| key == name).count() > 1
    }

    /// Whether any of those that may come once comes twice.
    #[must_use]
    pub fn has_repeated(&self) -> bool {
        ONCE.iter().any(|name| self.is_twice(name))
    }
}
