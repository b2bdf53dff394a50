//! An application acts for itself: at the management API, or as a relying service (RFC 6749 4.4).

use serde_json::json;

use super::{Granting, TokenAnswer, TokenRequest};
use crate::{
    audit::{self, Actor},
    signin::issue::{self, LIFE, MANAGEMENT_SCOPE, REDEEM_SCOPE},
    web::oauth::OauthError,
};

/// Issues the application's own token.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, issuer, client, jkt, .. } = granting;
    let audience = asked.target().unwrap_or_default();
    let known = [app.urls.management_audiences.as_slice(), std::slice::from_ref(&app.urls.redeemer_audience)].concat();
    if !known.iter().any(|known| known == audience) {
        return Err(OauthError::new("invalid_target", format!("`resource` must be {}", known.join(" or "))));
    }
    let (scope, may) = if audience == app.urls.redeemer_audience {
        (REDEEM_SCOPE, app.policies.iter().any(|policy| policy.is_redeemed_by(&application.id)))
    } else {
        (MANAGEMENT_SCOPE, application.is_management && !application.is_third_party)
    };
    if !may {
        let description = if scope == REDEEM_SCOPE {
            "this application redeems no operation"
        } else {
            "this application may not use the management API"
        };
        return Err(OauthError::new("unauthorized_client", description));
    }
    let is_asked = asked
        .scope
        .as_deref()
        .is_none_or(|asked| asked.trim().is_empty() || asked.split_ascii_whitespace().any(|asked| asked == scope));
    if !is_asked {
        return Err(OauthError::new("invalid_scope", format!("the scope of {audience} is `{scope}`")));
    }
    let access_token = issue::application_token(app, &application.id, scope, audience, issuer, *jkt)?;
    let actor = Actor { user: None, application: Some(&application.id), client: Some(client) };
    let mut session = app.db.write().await?;
    audit::write(app, &mut session, "token.issued", actor, json!({ "scope": scope })).await?;
    session.commit().await?;
    Ok(TokenAnswer { access_token, expires_in: LIFE.as_secs(), scope: scope.to_owned(), ..TokenAnswer::default() })
}
