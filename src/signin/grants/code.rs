//! An authorization code is redeemed (RFC 6749 4.1.3, RFC 7636 4.5).
//!
//! Everything the code is bound to is judged before its use: a request that is refused leaves it as it was. A verifier has 256 bits
//! and the code lives a minute, so nobody guesses one; were a wrong try to burn the code, or a wrong replay to end the session,
//! whoever sees a code in a log or a history could undo its owner's sign-in, which is just whom PKCE is there to make harmless
//! (RFC 9700 4.5.3 asks for no more than the refusal). Shown again with all that it takes, a code has been stolen, and its session ends.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;

use super::{Granting, TokenAnswer, TokenRequest, standing};
use crate::{
    crypto::digest::{digest, same},
    domain::application::GrantType,
    signin::issue::{self, Granted},
    storage::authorization_codes::{self, AuthorizationCode},
    web::oauth::OauthError,
};

/// Issues the tokens of the session the code opens.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, .. } = granting;
    let Some(code) = &asked.code else { return Err(OauthError::new("invalid_request", "`code` is missing")) };
    let hash = digest(code.expose_secret().as_bytes());
    // Read beside the transaction: what it says never changes, and strangers' guesses take no writer's turn.
    let found = authorization_codes::find(&mut app.db.read().await?, &hash).await?;
    let code = found.filter(|code| code.application_id == application.id).ok_or_else(unknown)?;
    check(asked, granting, &code)?;

    let mut session = app.db.write().await?;
    let held = standing::hold(granting, &mut session, &code.user_id, &code.session_id).await?;
    let (user, stored) = held.ok_or_else(unknown)?;
    let grant = GrantType::AuthorizationCode.name();
    if !authorization_codes::spend(&mut session, &hash, app.now()).await? {
        if authorization_codes::is_used(&mut session, &hash).await? {
            standing::end_reused(granting, session, &user.id, &stored.id, grant).await?;
        }
        return Err(unknown());
    }
    let proof = stored.proof();
    let granted = Granted {
        application,
        user: &user,
        session: &stored.id,
        proof: proof.as_ref(),
        scope: &code.scope,
        audience: code.audience.as_deref(),
        issuer: granting.issuer,
        nonce: code.nonce.as_deref(),
        jkt: granting.jkt,
        record: code.record_hash,
    };
    let refresh_token = issue::refresh_token(app, &mut session, &granted).await?;
    standing::note(granting, &mut session, &granted, grant).await?;
    session.commit().await?;
    standing::answer(granting, &granted, refresh_token.as_ref())
}

/// One refusal for a code that is unknown, another application's, used, too old, or whose session or user is gone.
fn unknown() -> OauthError {
    OauthError::new("invalid_grant", "Invalid authorization code.")
}

/// What the code is bound to.
fn check(asked: &TokenRequest, granting: &Granting<'_>, code: &AuthorizationCode) -> Result<(), OauthError> {
    let is_way_back = match (&code.redirect_uri, &asked.redirect_uri) {
        (Some(bound), Some(named)) => bound == named,
        (Some(_), None) => false,
        (None, Some(named)) => granting.application.has_redirect_uri(named),
        (None, None) => true,
    };
    if !is_way_back {
        return Err(OauthError::new("invalid_grant", "`redirect_uri` is not that of the authorization request"));
    }
    if !is_verified(asked, granting, code) {
        return Err(OauthError::new("invalid_grant", "Failed to verify code verifier."));
    }
    match &code.dpop_jkt {
        Some(bound) if granting.jkt != Some(bound) => Err(standing::wrong_key()),
        _ => Ok(()),
    }
}

/// A verifier fits its challenge. Where there was no challenge there must be no verifier: somebody took the challenge out of the
/// request (RFC 9700 4.8.2). Without either, the client shows a secret, or the code came by a link, where nobody could make one.
fn is_verified(asked: &TokenRequest, granting: &Granting<'_>, code: &AuthorizationCode) -> bool {
    match (&code.code_challenge, &asked.code_verifier) {
        (Some(challenge), Some(verifier)) => {
            let made = BASE64_URL_SAFE_NO_PAD.encode(digest(verifier.expose_secret().as_bytes()));
            same(made.as_bytes(), challenge.as_bytes())
        }
        (None, None) => code.is_from_link || granting.application.is_confidential(),
        (Some(_), None) | (None, Some(_)) => false,
    }
}
