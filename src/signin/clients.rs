//! Which client asks, and whether it is who it says (RFC 6749 2.3.1).

use actix_web::http::header::{self, HeaderMap};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::App,
    crypto::digest::digest,
    domain::id::ApplicationId,
    storage::applications::{self, Application},
    web::oauth::OauthError,
};

/// Credentials as a request brought them.
pub struct Credentials {
    id: ApplicationId,
    secret: Option<SecretString>,
    used_header: bool,
}

impl Credentials {
    /// From `Authorization: Basic`, or from the body.
    pub fn read(
        headers: &HeaderMap,
        client_id: Option<String>,
        client_secret: Option<SecretString>,
    ) -> Result<Self, OauthError> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            let id = client_id.ok_or_else(|| OauthError::invalid_client(false))?;
            return Ok(Self { id: ApplicationId(id), secret: client_secret, used_header: false });
        };
        let wrong = || OauthError::invalid_client(true);
        let text = value.to_str().ok().and_then(|value| value.strip_prefix("Basic ")).ok_or_else(wrong)?;
        let decoded = BASE64_STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(wrong)?;
        let (id, secret) = decoded.split_once(':').ok_or_else(wrong)?;
        if client_secret.is_some() {
            return Err(OauthError::new("invalid_request", "the client authenticates in more than one way"));
        }
        Ok(Self { id: ApplicationId(form_decoded(id)), secret: Some(form_decoded(secret).into()), used_header: true })
    }

    /// The application, authenticated if it is confidential.
    pub async fn authenticate(&self, app: &App) -> Result<Application, OauthError> {
        let wrong = || OauthError::invalid_client(self.used_header);
        let mut session = app.db.read().await?;
        // The application is read only once its client is proved: reading it takes time, which would tell which ids exist.
        let is_proved = if let Some(secret) = &self.secret {
            let hash = digest(secret.expose_secret().as_bytes());
            applications::has_secret(&mut session, &self.id, &hash, app.now()).await?
        } else {
            applications::is_public(&mut session, &self.id).await?
        };
        if !is_proved {
            return Err(wrong());
        }
        applications::find(&mut session, &self.id).await?.ok_or_else(wrong)
    }
}

/// RFC 6749 2.3.1: id and secret are form-encoded inside Basic.
fn form_decoded(text: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((name, value)), None) if value.is_empty() && !text.contains('=') => name.into_owned(),
        _ => text.to_owned(),
    }
}
