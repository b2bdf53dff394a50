//! Cookies of our own pages (RFC 6265bis): host-only, out of reach of scripts, not sent with requests that other sites make.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderValue},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{app::App, domain::id::Random};

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// Who is signed in.
    Session,
    /// Which browser began a sign-in.
    Flow,
    /// Which browser asked for a link.
    Link,
    /// Which browser was given a login ticket.
    Ticket,
}

/// Whether browsers reach us by TLS. Plain http is for development: there is no `__Host-` then, which demands `Secure`.
fn is_secure(app: &App) -> bool {
    app.urls.root.starts_with("https://")
}

impl Cookie {
    fn name(self, app: &App) -> &'static str {
        match (self, is_secure(app)) {
            (Self::Session, true) => "__Host-countersign",
            (Self::Session, false) => "countersign",
            (Self::Flow, true) => "__Host-countersign-flow",
            (Self::Flow, false) => "countersign-flow",
            (Self::Link, true) => "__Host-countersign-link",
            (Self::Link, false) => "countersign-link",
            (Self::Ticket, true) => "__Host-countersign-ticket",
            (Self::Ticket, false) => "countersign-ticket",
        }
    }

    /// The secret a request brings; `None` when it cannot be one of ours.
    #[must_use]
    pub fn read(self, app: &App, request: &HttpRequest) -> Option<String> {
        let name = self.name(app);
        let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let value = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()?;
        is_secret(value).then(|| value.to_owned())
    }

    /// The header that sets it.
    #[must_use]
    pub fn set(self, app: &App, secret: &str, life: Duration) -> Option<HeaderValue> {
        // A ticket is given to a page of another origin, by a request that is not a navigation.
        let site = if self == Self::Ticket && is_secure(app) { "None" } else { "Lax" };
        let secure = if is_secure(app) { "; Secure" } else { "" };
        let (name, age) = (self.name(app), life.as_secs());
        let text = format!("{name}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite={site}{secure}");
        HeaderValue::from_str(&text).ok()
    }

    /// The header that takes it away.
    #[must_use]
    pub fn clear(self, app: &App) -> Option<HeaderValue> {
        self.set(app, "", Duration::ZERO)
    }
}

/// A new secret: 256 bits in 43 letters.
#[must_use]
pub fn new_secret(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a text has the shape of [`new_secret`].
#[must_use]
pub fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
