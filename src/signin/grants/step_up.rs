//! A user's access token is exchanged for one that says what the user has just proved (RFC 8693, RFC 9470): for any API that asks for
//! `acr` and `max_age`, and for our own in place of the `Verification-Id`.
//!
//! The record alone is not enough, nor is the token: whoever steps up holds both. The new token lives as long as the record, and nothing
//! renews it.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{Granting, TokenAnswer, TokenRequest};
use crate::{
    audit::{self, Actor},
    crypto::{digest::record_key, tokens::Claims},
    domain::{
        id::{RecordId, RecordKey},
        method::Purpose,
        policy::{Acr, Met, Policy},
        requirement::Requirement,
        time::Timestamp,
    },
    error::{Error, Result},
    signin::issue::{self, SteppedUp},
    stepup::{gate::names, records},
    storage::{Session, records as rows, users},
    web::{caller, oauth::OauthError},
};

/// The type of what is exchanged, and of what is issued (RFC 8693 3).
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Steps a token up.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, jkt, .. } = granting;
    let missing = |name| OauthError::new("invalid_request", format!("`{name}` is missing"));
    let token = asked.subject_token.as_ref().ok_or_else(|| missing("subject_token"))?;
    let id = asked.verification_id.as_ref().ok_or_else(|| missing("verification_id"))?;
    let claims = match caller::standing_claims(app, token.expose_secret()).await {
        Ok(claims) => claims,
        Err(Error::Refused(refusal)) if refusal.code.status() < 500 => return Err(wrong_token()),
        Err(error) => return Err(error.into()),
    };
    if application.is_third_party {
        return Err(OauthError::new("unauthorized_client", "third-party applications may not step up"));
    }
    if claims.client_id != application.id.0 || claims.sid.is_none() || claims.jkt() != *jkt {
        return Err(wrong_token());
    }
    let audience = issue::audience(app, asked.target()).ok_or_else(|| {
        OauthError::new("invalid_target", "`resource` is none of the audiences this service issues tokens for")
    })?;
    let scope = narrowed(asked.scope.as_deref().unwrap_or_default(), &claims)?;
    let id = RecordId::parse(id.expose_secret()).ok_or_else(wrong_record)?;

    let record = record_key(&id);
    let mut session = app.db.write().await?;
    let (met, expires_at) = hold(granting, &mut session, &claims, &record).await?;
    session.commit().await?;
    let stepped = SteppedUp { record, expires_at, met: &met, base: &claims, scope: &scope, audience };
    Ok(TokenAnswer {
        access_token: issue::step_up_token(app, &stepped)?,
        issued_token_type: Some(ACCESS_TOKEN),
        expires_in: expires_at.since(app.now()).min(issue::LIFE).as_secs(),
        scope,
        ..TokenAnswer::default()
    })
}

fn wrong_token() -> OauthError {
    OauthError::new("invalid_grant", "the subject token is not a valid access token of this client's")
}

fn wrong_record() -> OauthError {
    OauthError::new("invalid_grant", "the verification record is unknown, not verified, used or expired")
}

/// No more than the token has.
fn narrowed(asked: &str, claims: &Claims) -> Result<String, OauthError> {
    if asked.trim().is_empty() {
        return Ok(claims.scope.clone());
    }
    if asked.split_ascii_whitespace().all(|scope| claims.has_scope(scope)) {
        Ok(asked.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
    } else {
        Err(OauthError::new("invalid_scope", "the subject token was not granted that much"))
    }
}

/// What the record proves, and when it dies; held, and spent where its policy says once.
async fn hold(
    granting: &Granting<'_>,
    session: &mut Session,
    claims: &Claims,
    key: &RecordKey,
) -> Result<(Met, Timestamp), OauthError> {
    let (app, now, user) = (granting.app, granting.app.now(), claims.user());
    let user = users::lock(session, &user).await?.filter(|user| !user.is_suspended).ok_or_else(wrong_token)?;
    let holder = rows::Holder { user: &user.id, jkt: granting.jkt };
    let purpose = Purpose::UserPermissionValidation.name();
    let living = rows::hold_living(session, key, holder, purpose, now).await?.ok_or_else(wrong_record)?;
    let proofs = records::proofs(session, key, &living.method, living.verified_at, now).await?;
    let policy = match &living.operation {
        Some(operation) => app.policies.find(operation).cloned().ok_or_else(wrong_record)?,
        // Opened for nothing: it proves its method, whichever that is.
        None => Policy::built_in("", &Requirement::ACCOUNT),
    };
    let met = policy.judge(&proofs, now).map_err(|_| wrong_record())?;
    if policy.is_single_use && !rows::spend(session, key, now).await? {
        return Err(wrong_record());
    }
    let actor =
        Actor { user: Some(&user.id), application: Some(&granting.application.id), client: Some(granting.client) };
    let data = json!({
        "operation": living.operation, "record": living.handle, "methods": names(&met.methods), "acr": Acr::of(&met.methods).urn(),
    });
    audit::write(app, session, "token.stepped_up", actor, data).await?;
    Ok((met, living.expires_at))
}
