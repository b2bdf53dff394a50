//! Introspection (RFC 7662) of records and assertions. Consumes nothing.

use actix_web::{HttpResponse, http::header, post, web::Data};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::party::{Party, Service};
use crate::{
    app::App,
    crypto::{
        digest::{base64url, record_key},
        jws::TokenProblem,
        stepup,
    },
    domain::{
        id::{RecordId, UserId},
        policy::{self, Acr},
    },
    error::Result,
    refusals,
    storage::{Session, openings, users},
    web::json::Json,
};

/// What to look at.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct IntrospectBody {
    /// A record's id, or an assertion.
    #[schema(value_type = String, example = "5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    token: SecretString,
}

/// What it is good for (RFC 7662 2.2). Times are seconds since 1970.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct Introspection {
    /// Whether it is good for this service now. When false, there is nothing else.
    active: bool,
    /// `verification_record` or `assertion`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "verification_record")]
    token_type: Option<&'static str>,
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub: Option<String>,
    /// Whom an assertion is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    aud: Option<String>,
    /// Who issued an assertion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iss: Option<String>,
    /// The redemption an assertion is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
    /// When it dies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exp: Option<i64>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iat: Option<i64>,
    /// How much was proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "urn:countersign:acr:1fa")]
    acr: Option<String>,
    /// By what (RFC 8176).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = json!(["pwd"]))]
    amr: Option<Vec<String>>,
    /// When the oldest method was proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_time: Option<i64>,
    /// `area.action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "payments.transfer")]
    operation: Option<String>,
    /// Base64url of the SHA-256 of the payload's canonical form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payload_digest: Option<String>,
}

refusals!(Refused: [SERVICE, BODY]);

/// Says what a record or an assertion is good for
///
/// For the service alone: a record opened for an operation it redeems, or an assertion that was made for it.
#[utoipa::path(
    operation_id = "IntrospectVerification", tag = "Operations", security(("client" = []), ("bearer" = [])),
    request_body(content((IntrospectBody = "application/x-www-form-urlencoded"), (IntrospectBody = "application/json"))),
    responses((status = 200, description = "What it is good for.", body = Introspection), Refused),
)]
#[post("/introspect")]
pub async fn introspect(app: Data<App>, service: Service, Json(body): Json<IntrospectBody>) -> Result<HttpResponse> {
    let token = body.token.expose_secret();
    let mut session = app.db.read().await?;
    let found = match RecordId::parse(token) {
        Some(id) => record(&app, &mut session, &service, &id).await?,
        None => assertion(&app, &service, token).await?,
    };
    let found = match found {
        Some(found) if is_welcome(&mut session, found.sub.as_deref()).await? => found,
        _ => Introspection::default(),
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(found))
}

/// What was proved by somebody who is suspended is worth nothing.
async fn is_welcome(session: &mut Session, user: Option<&str>) -> Result<bool> {
    let user = UserId(user.unwrap_or_default().to_owned());
    Ok(users::find(session, &user).await?.is_some_and(|user| !user.is_suspended))
}

async fn assertion(app: &App, service: &Service, token: &str) -> Result<Option<Introspection>> {
    let [issuer, _] = &app.urls.issuers;
    let verify = || stepup::verify(&app.keys, token, issuer, service.application.as_str(), app.now());
    let mut verdict = verify();
    // Signed on another node, whose key is newer than what this one has read.
    if verdict == Err(TokenProblem::Key) {
        app.refresh_keys().await?;
        verdict = verify();
    }
    let Ok(assertion) = verdict else { return Ok(None) };
    Ok(Some(Introspection {
        active: true,
        token_type: Some("assertion"),
        sub: Some(assertion.sub),
        aud: Some(assertion.aud),
        iss: Some(assertion.iss),
        jti: Some(assertion.jti),
        exp: Some(assertion.exp),
        iat: Some(assertion.iat),
        acr: Some(assertion.acr),
        amr: Some(assertion.amr),
        auth_time: Some(assertion.auth_time),
        operation: Some(assertion.operation),
        payload_digest: assertion.payload_digest,
    }))
}

async fn record(app: &App, session: &mut Session, service: &Service, id: &RecordId) -> Result<Option<Introspection>> {
    let (key, now) = (record_key(id), app.now());
    let party = Party::Service(service.clone());
    let Some(standing) = openings::find(session, &key).await? else { return Ok(None) };
    let Some(policy) = standing.operation.as_deref().and_then(|operation| party.policy(app, operation).ok()) else {
        return Ok(None);
    };
    let proofs = standing.proofs(session, &key, now).await?;
    let Some(met) = policy.judge(&proofs, now).ok().filter(|_| standing.is_alive(now)) else { return Ok(None) };
    Ok(Some(Introspection {
        active: true,
        token_type: Some("verification_record"),
        sub: Some(standing.user_id.0),
        exp: Some(standing.expires_at.seconds()),
        iat: Some(standing.created_at.seconds()),
        acr: Some(Acr::of(&met.methods).urn().to_owned()),
        amr: Some(policy::amr(&met.methods)),
        auth_time: Some(met.auth_time.seconds()),
        operation: standing.operation,
        payload_digest: standing.payload_digest.as_deref().map(base64url),
        ..Introspection::default()
    }))
}
