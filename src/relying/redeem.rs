//! Redeeming a record: the one consumption of a user's consent by a relying service.

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    idempotency::{self, Answer, Key},
    party::Service,
};
use crate::{
    app::App,
    crypto::{
        digest::{base64url, payload_digest, record_key},
        stepup::{self, Assertion, LIFE},
    },
    domain::{
        id::{RecordId, UserId, random_text},
        payload::Payload,
        policy::{self, Acr},
        refusal::Code,
    },
    error::Result,
    refusals,
    stepup::{
        gate::names,
        redemption::{Action, Admitted, Redeemer, Refused},
    },
    storage::Session,
    web::{fields, json::Json, query::PathId},
};

/// What the service is about to do.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct RedeemBody {
    /// `area.action`.
    #[schema(max_length = 64, example = "payments.transfer")]
    operation: String,
    /// The payload, as the service is about to act on it.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    payload: Option<Payload>,
    /// The user's id.
    #[schema(max_length = 64, example = "3f0wq8sn0b6c")]
    subject: String,
}

/// A redemption.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Redemption {
    /// Names it in the audit log and in the assertion (`jti`).
    #[schema(example = "v4s0b6c2x7k1r9tz3ydhm4vgpa")]
    redemption_id: String,
    /// The user's id.
    #[schema(value_type = String, example = "3f0wq8sn0b6c")]
    pub(super) subject: UserId,
    /// `area.action`.
    #[schema(example = "payments.transfer")]
    pub(super) operation: String,
    /// Base64url of the SHA-256 of the payload's canonical form (RFC 8785); null when nothing was bound.
    #[schema(example = "LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564")]
    payload_digest: Option<String>,
    /// What was proved.
    #[schema(example = json!(["password", "phone_code"]))]
    methods: Vec<&'static str>,
    /// How much that is.
    #[schema(example = "urn:countersign:acr:2fa")]
    acr: &'static str,
    /// The same (RFC 8176).
    #[schema(example = json!(["mfa", "pwd", "sms"]))]
    pub(super) amr: Vec<String>,
    /// When the oldest method was proved: ISO 8601, UTC.
    #[schema(example = "2026-11-20T12:00:00.000Z", format = DateTime)]
    auth_time: String,
    /// Now: ISO 8601, UTC.
    #[schema(example = "2026-11-20T12:01:00.000Z", format = DateTime)]
    redeemed_at: String,
    /// The same as a JWT, `typ` `stepup+jwt`, for whoever is to check it offline; good for two minutes.
    pub(super) assertion: String,
}

refusals!(pub(super) RedeemRefused: [SERVICE, BODY], UnknownRecord, RecordExpired, RecordRevoked, NotSatisfied, PayloadMismatch, AlreadyRedeemed,
    RecordReserved, IdempotencyKeyReused, EntityNotFound);

/// Redeems a record
///
/// Once, whatever the concurrency. A payload other than the one the owner consented to kills the record. Send an `Idempotency-Key`:
/// the same request with the same key gets the first answer again, for a day, should that be lost.
#[utoipa::path(
    operation_id = "RedeemVerification", tag = "Operations", security(("client" = []), ("bearer" = [])),
    params(
        ("id" = String, Path, description = "The record's id.", min_length = 32, max_length = 32, pattern = "^[0-9a-z]+$"),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the service's own making, such as a UUID.", min_length = 1, max_length = 255),
    ),
    request_body = RedeemBody,
    responses((status = 200, description = "The user consented to this, and nobody has used it before.", body = Redemption), RedeemRefused),
)]
#[post("/{id}/redeem")]
pub async fn redeem(
    app: Data<App>,
    request: HttpRequest,
    service: Service,
    id: PathId,
    Json(body): Json<RedeemBody>,
) -> Result<HttpResponse> {
    let redeemer = redeemer(&service, &id)?;
    let subject = UserId::parse(&body.subject).ok_or(Code::UnknownRecord)?;
    let payload_digest = body.payload.as_ref().map(payload_digest);
    let asked = json!(["redeem", body.operation, subject, payload_digest.as_ref().map(|digest| base64url(digest))]);
    let key = Key::of(&request, &service.application, &redeemer.key, &asked)?;

    let mut session = app.db.write().await?;
    if let Some(answer) = idempotency::given(&app, &mut session, key.as_ref()).await? {
        return Ok(answer);
    }
    let action = Action { subject: &subject, operation: &body.operation, payload_digest };
    match redeemer.admit(&app, &mut session, action).await? {
        Ok(admitted) => {
            let redemption = consume(&app, &mut session, &redeemer, &admitted).await?;
            idempotency::commit(&app, session, key.as_ref(), Answer::ok(&redemption)?).await
        }
        Err(refused) => refuse(&app, session, key.as_ref(), refused).await,
    }
}

/// A refusal that is in the log by now.
pub(super) async fn refuse(
    app: &App,
    mut session: Session,
    key: Option<&Key>,
    refused: Refused,
) -> Result<HttpResponse> {
    // A twin of this request may have gone through while we waited for the record.
    if let Some(answer) = idempotency::given(app, &mut session, key).await? {
        return Ok(answer);
    }
    if refused.is_final {
        return idempotency::commit(app, session, key, Answer::refused(refused.refusal)?).await;
    }
    session.commit().await?;
    Err(refused.refusal.into())
}

/// The record a path names, and who asks.
pub(super) fn redeemer<'a>(service: &'a Service, id: &PathId) -> Result<Redeemer<'a>> {
    let id = RecordId::parse(&id.0).ok_or(Code::UnknownRecord)?;
    Ok(Redeemer { service: &service.application, client: &service.client, key: record_key(&id) })
}

/// Spends an admitted record and says so, signed.
pub(super) async fn consume(
    app: &App,
    session: &mut Session,
    redeemer: &Redeemer<'_>,
    admitted: &Admitted<'_>,
) -> Result<Redemption> {
    let Admitted { policy, met, standing } = admitted;
    let now = app.now();
    let redemption_id = random_text(&*app.random, 26);
    redeemer.spend(app, session, admitted, &redemption_id).await?;
    metrics::counter!("countersign_operations_redeemed_total", "operation" => policy.operation.clone()).increment(1);
    let [issuer, _] = &app.urls.issuers;
    let acr = Acr::of(&met.methods).urn();
    let assertion = Assertion {
        iss: issuer.clone(),
        sub: standing.user_id.0.clone(),
        aud: redeemer.service.0.clone(),
        iat: now.seconds(),
        exp: now.seconds() + LIFE,
        jti: redemption_id.clone(),
        auth_time: met.auth_time.seconds(),
        acr: acr.to_owned(),
        amr: policy::amr(&met.methods),
        operation: policy.operation.clone(),
        payload_digest: standing.payload_digest.as_deref().map(base64url),
    };
    Ok(Redemption {
        redemption_id,
        subject: standing.user_id.clone(),
        operation: policy.operation.clone(),
        payload_digest: assertion.payload_digest.clone(),
        methods: names(&met.methods),
        acr,
        amr: assertion.amr.clone(),
        auth_time: met.auth_time.to_iso(),
        redeemed_at: now.to_iso(),
        assertion: stepup::sign(&app.keys, &assertion)?,
    })
}
