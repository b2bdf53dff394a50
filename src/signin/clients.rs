//! Which client asks, and whether it is who it says (RFC 6749 2.3.1, RFC 7523 2.2).

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    app::App,
    crypto::{
        assertions::{Assertion, Expected},
        digest::digest,
    },
    domain::{id::ApplicationId, time::Timestamp},
    storage::{
        applications::{self, Application},
        seen_ids,
    },
    web::oauth::OauthError,
};

/// The one type of assertion there is (RFC 7523 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far the clocks of clients and nodes may differ.
const LEEWAY: Duration = Duration::from_secs(10);

/// What a body says of its client.
pub struct Shown {
    /// `client_id`.
    pub id: Option<String>,
    /// `client_secret`.
    pub secret: Option<SecretString>,
    /// `client_assertion`.
    pub assertion: Option<SecretString>,
    /// `client_assertion_type`.
    pub assertion_type: Option<String>,
}

/// Credentials as a request brought them.
pub struct Credentials {
    id: ApplicationId,
    proof: Proof,
    used_header: bool,
}

enum Proof {
    None,
    Secret(SecretString),
    Assertion(SecretString),
}

impl Credentials {
    /// From `Authorization: Basic`, or from the body.
    pub fn of(headers: &HeaderMap, shown: Shown) -> Result<Self, OauthError> {
        let header = headers.get(header::AUTHORIZATION);
        let ways = [header.is_some(), shown.secret.is_some(), shown.assertion.is_some()];
        if ways.into_iter().filter(|used| *used).count() > 1 {
            return Err(OauthError::new("invalid_request", "the client authenticates in more than one way"));
        }
        if let Some(value) = header {
            return Self::basic(value.to_str().unwrap_or_default());
        }
        if shown.assertion.is_some() || shown.assertion_type.is_some() {
            return Self::asserted(shown);
        }
        let id = shown.id.ok_or_else(|| OauthError::invalid_client(false))?;
        let proof = shown.secret.map_or(Proof::None, Proof::Secret);
        Ok(Self { id: ApplicationId(id), proof, used_header: false })
    }

    fn basic(value: &str) -> Result<Self, OauthError> {
        let wrong = || OauthError::invalid_client(true);
        let text = value.strip_prefix("Basic ").ok_or_else(wrong)?;
        let decoded = BASE64_STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(wrong)?;
        let (id, secret) = decoded.split_once(':').ok_or_else(wrong)?;
        let proof = Proof::Secret(form_decoded(secret).into());
        // U+0000 is in no id, and PostgreSQL would not even look for it.
        let id = Some(form_decoded(id)).filter(|id| !id.contains('\0')).ok_or_else(wrong)?;
        Ok(Self { id: ApplicationId(id), proof, used_header: true })
    }

    fn asserted(shown: Shown) -> Result<Self, OauthError> {
        let (Some(assertion), Some(ASSERTION_TYPE)) = (shown.assertion, shown.assertion_type.as_deref()) else {
            let description = format!("an assertion comes as `client_assertion`, its type {ASSERTION_TYPE}");
            return Err(OauthError::new("invalid_request", description));
        };
        let wrong = || OauthError::invalid_client(false);
        let claimed = Assertion::claimed_client(assertion.expose_secret()).map_err(|_| wrong())?;
        // RFC 7521 4.2: `client_id` may be left out, and must be the same where it is not.
        if shown.id.is_some_and(|id| id != claimed) {
            return Err(wrong());
        }
        Ok(Self { id: ApplicationId(claimed), proof: Proof::Assertion(assertion), used_header: false })
    }

    /// The application, authenticated if it is confidential.
    pub async fn authenticate(&self, app: &App) -> Result<Application, OauthError> {
        let wrong = || OauthError::invalid_client(self.used_header);
        let mut session = app.db.read().await?;
        // The application is read only once its client is proved: reading it takes time, which would tell which ids exist. Not so by
        // an assertion, whose keys stand in it.
        let is_proved = match &self.proof {
            Proof::Secret(secret) => {
                let hash = digest(secret.expose_secret().as_bytes());
                applications::has_secret(&mut session, &self.id, &hash, app.now()).await?
            }
            Proof::None => applications::is_public(&mut session, &self.id).await?,
            Proof::Assertion(assertion) => {
                let application = applications::find(&mut session, &self.id).await?.ok_or_else(wrong)?;
                drop(session);
                return if is_signed(app, &application, assertion).await? { Ok(application) } else { Err(wrong()) };
            }
        };
        if !is_proved {
            return Err(wrong());
        }
        applications::find(&mut session, &self.id).await?.ok_or_else(wrong)
    }
}

/// Whether the application has signed this assertion for us, and shows it for the first time.
async fn is_signed(app: &App, application: &Application, assertion: &SecretString) -> Result<bool, OauthError> {
    let Some(jwks) = application.client_settings.jwks.clone().map(Value::Object) else { return Ok(false) };
    let leeway = i64::try_from(LEEWAY.as_secs()).unwrap_or_default();
    let audiences = audiences(app);
    let expected =
        Expected { client: application.id.as_str(), audiences: &audiences, now: app.now().seconds(), leeway };
    let assertion = match Assertion::verify(assertion.expose_secret(), &jwks, &expected) {
        Ok(assertion) => assertion,
        Err(problem) => {
            tracing::info!(client = application.id.as_str(), %problem, "a client assertion is refused");
            return Ok(false);
        }
    };
    // Twice the leeway: clocks of nodes differ, too.
    let until = Timestamp(assertion.expires().saturating_mul(1000)).plus(LEEWAY * 2);
    let mut session = app.db.write().await?;
    let is_new = seen_ids::add(&mut session, &assertion.id_hash(), until).await?;
    session.commit().await?;
    Ok(is_new)
}

/// Whom an assertion may be for: us by either issuer, or one of the token endpoints (contract `auth0.md` 0.6; RFC 7523 3).
fn audiences(app: &App) -> [String; 4] {
    let [root, oidc] = app.urls.issuers.clone();
    [root, oidc, format!("{}/oauth/token", app.urls.root), format!("{}/oidc/token", app.urls.root)]
}

/// RFC 6749 2.3.1: id and secret are form-encoded inside Basic.
fn form_decoded(text: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    match (pairs.next(), pairs.next()) {
        (Some((name, value)), None) if value.is_empty() && !text.contains('=') => name.into_owned(),
        _ => text.to_owned(),
    }
}
