//! The session of a browser: known by a cookie, of which only the SHA-256 is stored.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    crypto::digest::digest,
    error::Result,
    storage::{
        Session,
        sessions::{self, Stored},
    },
};

/// The cookie's name. Over TLS its prefix keeps subdomains and plain HTTP from setting it (RFC 6265bis 4.1.3.2).
fn name(app: &App) -> &'static str {
    if app.urls.root.starts_with("https:") { "__Host-countersign" } else { "countersign" }
}

/// What the browser has in its cookie.
#[must_use]
pub fn secret(app: &App, request: &HttpRequest) -> Option<SecretString> {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name(app))?;
    Some(value.to_owned().into())
}

/// The living session of the browser that holds `secret`.
pub async fn find(app: &App, session: &mut Session, secret: Option<&SecretString>) -> Result<Option<Stored>> {
    let Some(secret) = secret else { return Ok(None) };
    let hash = digest(secret.expose_secret().as_bytes());
    Ok(sessions::find_browser(session, &hash, app.now()).await?)
}

/// The header that takes the cookie away.
pub fn forget(app: &App) -> Result<(HeaderName, HeaderValue)> {
    let secure = if app.urls.root.starts_with("https:") { "; Secure" } else { "" };
    let text = format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}", name(app));
    Ok((header::SET_COOKIE, HeaderValue::from_str(&text).map_err(anyhow::Error::from)?))
}
