//! What redeeming a code and refreshing have in common: user and session must stand, the tokens are made once all is stored, and what
//! is shown twice ends its session.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{Granting, TokenAnswer};
use crate::{
    audit::{self, Actor},
    domain::{
        id::{SessionId, UserId},
        user::User,
    },
    error::Result,
    signin::issue::{self, Granted, LIFE},
    storage::{
        Session,
        sessions::{self, Stored},
        users,
    },
    web::oauth::OauthError,
};

/// The user and the session the tokens are for, both held until the transaction ends, so that a suspension, a sign-out or another
/// request with the same token comes before this or after it. `None` when either is not there any more. The session lives on.
pub async fn hold(
    granting: &Granting<'_>,
    session: &mut Session,
    user: &UserId,
    sid: &SessionId,
) -> Result<Option<(User, Stored)>> {
    let app = granting.app;
    let Some(user) = users::lock(session, user).await?.filter(|user| !user.is_suspended) else { return Ok(None) };
    let now = app.now();
    let longest = Duration::from_secs(u64::from(app.config.sign_in.refresh_longest_days) * 24 * 3600);
    let stored = sessions::prolong(session, sid, now, issue::refresh_expiry(app, now), longest).await?;
    Ok(stored.map(|stored| (user, stored)))
}

/// Writes down that tokens were issued.
pub async fn note(granting: &Granting<'_>, session: &mut Session, granted: &Granted<'_>, grant: &str) -> Result<()> {
    let data = json!({ "grant": grant, "scope": granted.scope });
    audit::write(granting.app, session, "tokens.issued", actor(granting, &granted.user.id), data).await
}

/// Ends the session of what was shown again, and commits: whoever showed it, one of two who know it should not
/// (RFC 6749 4.1.2, RFC 9700 4.14.2).
pub async fn end_reused(
    granting: &Granting<'_>,
    mut session: Session,
    user: &UserId,
    sid: &SessionId,
    grant: &str,
) -> Result<()> {
    if sessions::end(&mut session, sid, granting.app.now()).await? > 0 {
        let data = json!({ "grant": grant });
        audit::write(granting.app, &mut session, "tokens.reused", actor(granting, user), data).await?;
    }
    Ok(session.commit().await?)
}

fn actor<'a>(granting: &'a Granting<'_>, user: &'a UserId) -> Actor<'a> {
    Actor { user: Some(user), application: Some(&granting.application.id), client: Some(granting.client) }
}

/// The answer. To be made after the commit: signing takes longer than all statements, and nobody should wait for it.
pub fn answer(
    granting: &Granting<'_>,
    granted: &Granted<'_>,
    refresh_token: Option<&SecretString>,
) -> Result<TokenAnswer, OauthError> {
    Ok(TokenAnswer {
        access_token: issue::access_token(granting.app, granted)?,
        id_token: issue::id_token(granting.app, granted)?,
        refresh_token: refresh_token.map(|token| token.expose_secret().to_owned()),
        token_type: if granted.jkt.is_some() { "DPoP" } else { "Bearer" },
        expires_in: LIFE.as_secs(),
        scope: granted.scope.to_owned(),
        ..TokenAnswer::default()
    })
}

/// The refusal of a proof that is missing, or by another key than the one this is bound to (contract `auth0.md` 5).
pub fn wrong_key() -> OauthError {
    OauthError::new("invalid_dpop_proof", "this is bound to a key, and needs a proof by that one")
}
