//! A refresh token is followed by another (RFC 6749 6; RFC 9700 4.14; contract P8).
//!
//! Which one follows is settled by the token itself ([`crate::crypto::digest::Successors`]): a client whose answer was lost asks again
//! and gets the same one, and any number of requests at once make one family without a second branch. Past the grace, or once the
//! successor has been used, a token that is shown again is in two hands, and the session ends.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::{Granting, TokenAnswer, TokenRequest, standing};
use crate::{
    crypto::digest::digest,
    domain::application::GrantType,
    error::Result,
    signin::issue::{self, Granted},
    storage::{
        Session,
        refresh_tokens::{self, RefreshToken},
    },
    web::oauth::OauthError,
};

/// How long a token that was used is answered again, while its successor is unused: a lost answer, two tabs.
const GRACE: Duration = Duration::from_secs(30);

/// Issues tokens of the same session, with the next refresh token.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, .. } = granting;
    let Some(shown) = &asked.refresh_token else {
        return Err(OauthError::new("invalid_request", "`refresh_token` is missing"));
    };
    let hash = digest(shown.expose_secret().as_bytes());
    // Read beside the transaction: but for its use nothing of it changes, and strangers' guesses take no writer's turn.
    let found = refresh_tokens::find(&mut app.db.read().await?, &hash).await?;
    let token = found.filter(|token| token.application_id == application.id).ok_or_else(unknown)?;
    if token.dpop_jkt.is_some() && token.dpop_jkt.as_deref() != granting.jkt {
        return Err(standing::wrong_key());
    }
    let scope = narrowed(asked.scope.as_deref().unwrap_or_default(), &token.scope)?;
    let audience = audience(asked, granting, &token)?;

    let mut session = app.db.write().await?;
    let held = standing::hold(granting, &mut session, &token.user_id, &token.session_id).await?;
    let (user, stored) = held.ok_or_else(unknown)?;
    let grant = GrantType::RefreshToken.name();
    let next = match follow(granting, &mut session, shown, &token).await? {
        Followed::By(next) => next,
        Followed::Expired => return Err(unknown()),
        Followed::Reused => {
            standing::end_reused(granting, session, &user.id, &stored.id, grant).await?;
            return Err(unknown());
        }
    };
    // When and how the user signed in stays as it was (contract P13), and there is no nonce (OpenID Connect Core 12.2).
    let proof = stored.proof();
    let granted = Granted {
        application,
        user: &user,
        session: &stored.id,
        proof: proof.as_ref(),
        scope: &scope,
        audience,
        issuer: granting.issuer,
        nonce: None,
        jkt: granting.jkt,
        // A step-up is never renewed.
        record: None,
    };
    standing::note(granting, &mut session, &granted, grant).await?;
    session.commit().await?;
    standing::answer(granting, &granted, Some(&next))
}

/// One refusal for a token that is unknown, another application's, used, too old, or whose session or user is gone
/// (contract `auth0.md` 2.5: clients compare the sentence).
fn unknown() -> OauthError {
    OauthError::new("invalid_grant", "Unknown or invalid refresh token.").with_status(403)
}

/// What became of a token.
enum Followed {
    By(SecretString),
    Expired,
    Reused,
}

/// Uses the token and stores the one that follows it. The session's row is held: of several requests one comes here at a time.
async fn follow(
    granting: &Granting<'_>,
    session: &mut Session,
    shown: &SecretString,
    token: &RefreshToken,
) -> Result<Followed> {
    let app = granting.app;
    let (now, hash) = (app.now(), digest(shown.expose_secret().as_bytes()));
    let mut successors = app.successors.of(shown.expose_secret());
    if refresh_tokens::spend(session, &hash, now).await? {
        let next = successors.next().ok_or_else(|| anyhow::anyhow!("there is no key for refresh tokens"))?;
        let row = RefreshToken {
            // As in the request that is answered; a token that is bound stays so.
            dpop_jkt: issue::bound_to(granting.application, granting.jkt),
            expires_at: issue::refresh_expiry(app, now),
            used_at: None,
            // The scope is that of the token it follows, also when less was asked for this time (RFC 6749 6).
            ..token.clone()
        };
        refresh_tokens::add(session, &digest(next.as_bytes()), &row, now).await?;
        return Ok(Followed::By(next.into()));
    }
    // As it is now, not as it was before the transaction.
    let current = refresh_tokens::find(session, &hash).await?;
    let Some(used_at) = current.and_then(|current| current.used_at) else { return Ok(Followed::Expired) };
    if now <= used_at.plus(GRACE) {
        // Also the one that followed under an older master key.
        for next in successors {
            let stored = refresh_tokens::find(session, &digest(next.as_bytes())).await?;
            if stored.is_some_and(|stored| stored.used_at.is_none() && stored.expires_at > now) {
                return Ok(Followed::By(next.into()));
            }
        }
    }
    Ok(Followed::Reused)
}

/// The part of what was granted that is asked for. Scopes we do not know are left out, as they were when the user signed in; one that
/// was not granted then is refused.
fn narrowed(asked: &str, granted: &str) -> Result<String, OauthError> {
    if asked.trim().is_empty() {
        return Ok(granted.to_owned());
    }
    let known = issue::known_scopes(asked);
    let is_granted = |scope: &str| granted.split_ascii_whitespace().any(|granted| granted == scope);
    if known.split_ascii_whitespace().all(is_granted) {
        Ok(known)
    } else {
        Err(OauthError::new("invalid_scope", format!("only what was granted: {granted}")))
    }
}

/// The API the access token is for beside ours: the one that was granted, unless ours alone is asked for. An audience that the
/// configuration no longer lists is granted no more.
fn audience<'t>(
    asked: &TokenRequest,
    granting: &Granting<'_>,
    token: &'t RefreshToken,
) -> Result<Option<&'t str>, OauthError> {
    let app = granting.app;
    let granted = token.audience.as_deref();
    let granted = granted.filter(|one| app.config.sign_in.audiences.iter().any(|listed| listed == one));
    match asked.target() {
        None => Ok(granted),
        Some(target) if Some(target) == granted => Ok(granted),
        Some(target) if target == app.urls.account_audience => Ok(None),
        Some(_) => Err(OauthError::new("invalid_target", "the user did not sign in for that audience")),
    }
}
