//! An application acts for itself: the management API (RFC 6749 4.4).

use serde_json::json;

use super::{Granting, TokenAnswer, TokenRequest};
use crate::{
    audit::{self, Actor},
    signin::issue::{self, LIFE, MANAGEMENT_SCOPE},
    web::oauth::OauthError,
};

/// Issues the application's own token.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, issuer, client, jkt, .. } = granting;
    let audiences = &app.urls.management_audiences;
    let target = asked
        .target()
        .filter(|target| audiences.iter().any(|audience| audience == target))
        .ok_or_else(|| OauthError::new("invalid_target", format!("`resource` must be {}", audiences.join(" or "))))?;
    if !application.is_management || application.is_third_party {
        return Err(OauthError::new("unauthorized_client", "this application may not use the management API"));
    }
    let is_asked = asked.scope.as_deref().is_none_or(|scope| {
        scope.trim().is_empty() || scope.split_ascii_whitespace().any(|scope| scope == MANAGEMENT_SCOPE)
    });
    if !is_asked {
        return Err(OauthError::new("invalid_scope", "the scope of the management API is `all`"));
    }
    let access_token = issue::management_token(app, &application.id, target, issuer, *jkt)?;
    let actor = Actor { user: None, application: Some(&application.id), client: Some(client) };
    let mut session = app.db.write().await?;
    audit::write(app, &mut session, "token.issued", actor, json!({ "scope": MANAGEMENT_SCOPE })).await?;
    session.commit().await?;
    Ok(TokenAnswer {
        access_token,
        expires_in: LIFE.as_secs(),
        scope: MANAGEMENT_SCOPE.to_owned(),
        ..TokenAnswer::default()
    })
}
