//! Issuing access tokens (RFC 9068, `security.md`).

use crate::{
    app::App,
    crypto::tokens::{self, Claims, OneOrMany},
    domain::{
        id::{ApplicationId, SessionId, UserId, random_text},
        time::Timestamp,
    },
    error::Result,
    storage::{Session, sessions},
};

pub use crate::crypto::tokens::LIFE;

/// Scopes a user's token may have.
pub const USER_SCOPES: &[&str] = &[
    "openid",
    "offline_access",
    "profile",
    "email",
    "phone",
    "address",
    "custom_data",
    "identities",
    "urn:logto:scope:sessions",
    "urn:logto:scope:trusted_devices",
];

/// The scope of management tokens.
pub const MANAGEMENT_SCOPE: &str = "all";

/// Opens a session for the user and issues its access token for the account API. `issuer` is one of `app.urls.issuers`.
pub async fn user_token(
    app: &App,
    session: &mut Session,
    user: &UserId,
    application: &ApplicationId,
    scope: &str,
    issuer: &str,
) -> Result<String> {
    let sid = SessionId::random(&*app.random);
    let now = app.now();
    sessions::add(session, &sid, user, Some(application), now, now.plus(LIFE)).await?;
    let claims = Claims { sid: Some(sid.0), ..claims(app, user.as_str(), application, scope, issuer, now) };
    tokens::sign(&app.keys, &Claims { aud: OneOrMany::One(app.urls.account_audience.clone()), ..claims })
}

/// Issues an application's own token for the management API.
pub fn management_token(app: &App, application: &ApplicationId, audience: &str, issuer: &str) -> Result<String> {
    let claims = claims(app, application.as_str(), application, MANAGEMENT_SCOPE, issuer, app.now());
    tokens::sign(&app.keys, &Claims { aud: OneOrMany::One(audience.to_owned()), ..claims })
}

fn claims(app: &App, sub: &str, application: &ApplicationId, scope: &str, issuer: &str, now: Timestamp) -> Claims {
    Claims {
        iss: issuer.to_owned(),
        sub: sub.to_owned(),
        aud: OneOrMany::Many(Vec::new()),
        client_id: application.0.clone(),
        scope: scope.to_owned(),
        iat: now.seconds(),
        nbf: now.seconds(),
        exp: now.plus(LIFE).seconds(),
        jti: random_text(&*app.random, 26),
        sid: None,
        auth_time: None,
        acr: None,
        amr: None,
    }
}
