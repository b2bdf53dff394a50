//! The session of a browser: known by a cookie, of which only the SHA-256 is stored.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName, HeaderValue},
};
use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    crypto::digest::digest,
    error::Result,
    storage::{
        Session,
        sessions::{self, Stored},
    },
    web::cookies::Cookie,
};

/// What the browser has in its cookie.
#[must_use]
pub fn secret(app: &App, request: &HttpRequest) -> Option<SecretString> {
    Cookie::Session.read(app, request).map(SecretString::from)
}

/// The living session of the browser that holds `secret`.
pub async fn find(app: &App, session: &mut Session, secret: Option<&SecretString>) -> Result<Option<Stored>> {
    let Some(secret) = secret else { return Ok(None) };
    let hash = digest(secret.expose_secret().as_bytes());
    Ok(sessions::find_browser(session, &hash, app.now()).await?)
}

/// The header that takes the cookie away.
pub fn forget(app: &App) -> Result<(HeaderName, HeaderValue)> {
    Ok((header::SET_COOKIE, Cookie::Session.clear(app).context("a cookie to be taken away")?))
}
