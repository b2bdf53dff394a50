//! A subject token is exchanged for a token of its user (RFC 8693).

use secrecy::ExposeSecret;
use serde_json::json;

use super::{Granting, TokenAnswer, TokenRequest};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::digest,
    domain::id::UserId,
    signin::issue::{self, LIFE},
    storage::{Session, tokens, users},
    web::oauth::OauthError,
};

const IMPERSONATION: &str = "urn:logto:token-type:impersonation_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Issues a token of the user whose subject token it is.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, issuer, client, jkt, .. } = granting;
    if application.is_third_party || !application.allow_token_exchange {
        return Err(OauthError::new("unauthorized_client", "this application may not exchange tokens"));
    }
    if asked.subject_token_type.as_deref() != Some(IMPERSONATION) {
        return Err(OauthError::new("invalid_request", format!("`subject_token_type` must be {IMPERSONATION}")));
    }
    if asked.target().is_some_and(|target| target != app.urls.account_audience) {
        let description = format!("leave `resource` out, or ask for {}", app.urls.account_audience);
        return Err(OauthError::new("invalid_target", description));
    }
    let Some(subject_token) = &asked.subject_token else {
        return Err(OauthError::new("invalid_request", "`subject_token` is missing"));
    };
    let scope = issue::known_scopes(asked.scope.as_deref().unwrap_or_default());
    let hash = digest(subject_token.expose_secret().as_bytes());

    let mut session = app.db.write().await?;
    let user = spend(app, &mut session, &hash).await?;
    let access_token = issue::bound_user_token(app, &mut session, &user, &application.id, &scope, issuer, *jkt).await?;
    let actor = Actor { user: Some(&user), application: Some(&application.id), client: Some(client) };
    audit::write(app, &mut session, "token.exchanged", actor, json!({ "scope": scope })).await?;
    session.commit().await?;
    Ok(TokenAnswer {
        access_token,
        issued_token_type: Some(ACCESS_TOKEN),
        expires_in: LIFE.as_secs(),
        scope,
        ..TokenAnswer::default()
    })
}

/// Uses the subject token, for a user who is still welcome. The user is locked first, as everywhere: so a suspension that runs beside
/// this comes before it, or ends the new session, and neither waits for the other.
async fn spend(app: &App, session: &mut Session, hash: &[u8]) -> Result<UserId, OauthError> {
    let wrong = || OauthError::new("invalid_grant", "the subject token is unknown, used or expired");
    let owner = tokens::find_owner(session, hash, app.now()).await?.ok_or_else(wrong)?;
    let user = users::lock(session, &owner).await?.filter(|user| !user.is_suspended).ok_or_else(wrong)?;
    if tokens::spend(session, hash, app.now()).await? { Ok(user.id) } else { Err(wrong()) }
}
