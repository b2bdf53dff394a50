//! The way back to the application: authorization codes, and the URL that carries them (RFC 6749 4.1.2, RFC 9207).

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    crypto::digest::digest,
    error::Result,
    storage::{
        Session,
        authorization_codes::{self, AuthorizationCode},
    },
};

/// How long an authorization code works (RFC 9700: short; RFC 6749 4.1.2: ten minutes at most).
const LIFE: Duration = Duration::from_secs(60);

/// Stores a new authorization code and gives it.
pub async fn new_code(app: &App, session: &mut Session, granted: &AuthorizationCode) -> Result<SecretString> {
    let mut bytes = [0; 32];
    app.random.fill(&mut bytes);
    let code = SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let now = app.now();
    authorization_codes::add(session, &digest(code.expose_secret().as_bytes()), granted, now, now.plus(LIFE)).await?;
    Ok(code)
}

/// Where parameters stand in the redirect (OAuth 2.0 Multiple Response Types 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// Behind `?`.
    #[default]
    Query,
    /// Behind `#`.
    Fragment,
}

/// The redirect URI with these parameters, those that are `None` left out. What the URI itself has stays.
#[must_use]
pub fn url(redirect_uri: &str, mode: ResponseMode, parameters: &[(&str, Option<&str>)]) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            encoded.append_pair(name, value);
        }
    }
    let encoded = encoded.finish();
    let sign = match mode {
        ResponseMode::Fragment => '#',
        ResponseMode::Query if redirect_uri.contains('?') => '&',
        ResponseMode::Query => '?',
    };
    format!("{redirect_uri}{sign}{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_join_what_the_uri_has() {
        let parameters = [("code", Some("a b&c")), ("state", None), ("iss", Some("https://id.example.com/"))];
        let of = |uri, mode| url(uri, mode, &parameters);
        let encoded = "code=a+b%26c&iss=https%3A%2F%2Fid.example.com%2F";
        assert_eq!(of("https://a.example/cb", ResponseMode::Query), format!("https://a.example/cb?{encoded}"));
        assert_eq!(of("https://a.example/cb?x=1", ResponseMode::Query), format!("https://a.example/cb?x=1&{encoded}"));
        assert_eq!(of("com.example:/cb", ResponseMode::Fragment), format!("com.example:/cb#{encoded}"));
    }
}
