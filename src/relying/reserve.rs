//! Long transactions: a record is reserved, and then committed or released. Nobody else redeems it meanwhile.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, post, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    idempotency::{self, Answer, Key},
    party::Service,
    redeem::{self, RedeemRefused, Redemption, redeemer},
};
use crate::{
    app::App,
    crypto::digest::payload_digest,
    domain::{
        id::{UserId, random_text},
        payload::Payload,
        refusal::Code,
    },
    error::Result,
    refusals,
    stepup::redemption::{Action, Reservation},
    storage::openings,
    web::{fields, json::Json, query::PathId},
};

/// What the service is about to do, and how long that may take.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReserveBody {
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
    /// Seconds until the reservation ends by itself.
    lease_seconds: Lease,
}

/// 1 to 600 seconds.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "u64")]
#[schema(value_type = u64, minimum = 1, maximum = 600, example = 60)]
pub struct Lease(Duration);

impl TryFrom<u64> for Lease {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        if (1..=600).contains(&seconds) { Ok(Self(Duration::from_secs(seconds))) } else { Err("1 to 600 seconds") }
    }
}

/// A reservation.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// Names it.
    #[schema(example = "q6c2x7k1r9tz3ydhm4vgp")]
    reservation_id: String,
    /// Rises with each reservation of a record.
    #[schema(example = 1)]
    fence: i64,
    /// When it ends by itself: ISO 8601, UTC. It may outlast the record.
    #[schema(example = "2026-11-20T12:01:00.000Z", format = DateTime)]
    expires_at: String,
}

/// Reserves a record
///
/// Judged as a redemption is, and not consumed yet.
#[utoipa::path(
    operation_id = "ReserveVerification", tag = "Operations", security(("client" = []), ("bearer" = [])),
    params(("id" = String, Path, description = "The record's id.", min_length = 32, max_length = 32, pattern = "^[0-9a-z]+$")),
    request_body = ReserveBody,
    responses((status = 200, description = "The record waits.", body = Reserved), RedeemRefused),
)]
#[post("/{id}/reserve")]
pub async fn reserve(
    app: Data<App>,
    service: Service,
    id: PathId,
    Json(body): Json<ReserveBody>,
) -> Result<HttpResponse> {
    let redeemer = redeemer(&service, &id)?;
    let Lease(lease) = body.lease_seconds;
    let subject = UserId::parse(&body.subject).ok_or(Code::UnknownRecord)?;
    let payload_digest = body.payload.as_ref().map(payload_digest);
    let mut session = app.db.write().await?;
    let action = Action { subject: &subject, operation: &body.operation, payload_digest };
    match redeemer.admit(&app, &mut session, action).await? {
        Ok(admitted) => {
            let reservation_id = random_text(&*app.random, 21);
            let until = app.now().plus(lease);
            let fence = redeemer.reserve(&app, &mut session, &admitted, &reservation_id, until).await?;
            session.commit().await?;
            Ok(Answer::ok(&Reserved { reservation_id, fence, expires_at: until.to_iso() })?.response())
        }
        Err(refused) => redeem::refuse(&app, session, None, refused).await,
    }
}

/// Which reservation.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationBody {
    /// As it was answered.
    #[schema(max_length = 64, example = "q6c2x7k1r9tz3ydhm4vgp")]
    reservation_id: String,
    /// As it was answered.
    #[schema(example = 1)]
    fence: i64,
}

impl ReservationBody {
    fn lease(&self) -> Reservation<'_> {
        Reservation { id: &self.reservation_id, fence: self.fence }
    }
}

refusals!(CommitRefused: [SERVICE, BODY], UnknownRecord, RecordRevoked, NotSatisfied, AlreadyRedeemed, ReservationLost, IdempotencyKeyReused,
    EntityNotFound);

/// Redeems a reserved record
///
/// As long as the reservation lasts and no later one took its place. What the record rests on must still stand.
#[utoipa::path(
    operation_id = "CommitVerification", tag = "Operations", security(("client" = []), ("bearer" = [])),
    params(
        ("id" = String, Path, description = "The record's id.", min_length = 32, max_length = 32, pattern = "^[0-9a-z]+$"),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the service's own making, such as a UUID.", min_length = 1, max_length = 255),
    ),
    request_body = ReservationBody,
    responses((status = 200, description = "The record is redeemed.", body = Redemption), CommitRefused),
)]
#[post("/{id}/commit")]
pub async fn commit(
    app: Data<App>,
    request: HttpRequest,
    service: Service,
    id: PathId,
    Json(body): Json<ReservationBody>,
) -> Result<HttpResponse> {
    let redeemer = redeemer(&service, &id)?;
    let key =
        Key::of(&request, &service.application, &redeemer.key, &json!(["commit", body.reservation_id, body.fence]))?;
    let mut session = app.db.write().await?;
    if let Some(answer) = idempotency::given(&app, &mut session, key.as_ref()).await? {
        return Ok(answer);
    }
    match redeemer.admit_reserved(&app, &mut session, body.lease()).await? {
        Ok(admitted) => {
            let redemption = redeem::consume(&app, &mut session, &redeemer, &admitted).await?;
            idempotency::commit(&app, session, key.as_ref(), Answer::ok(&redemption)?).await
        }
        Err(refused) => redeem::refuse(&app, session, key.as_ref(), refused).await,
    }
}

/// Gives a reservation back
///
/// The record is good again until it expires.
#[utoipa::path(
    operation_id = "ReleaseVerification", tag = "Operations", security(("client" = []), ("bearer" = [])),
    params(("id" = String, Path, description = "The record's id.", min_length = 32, max_length = 32, pattern = "^[0-9a-z]+$")),
    request_body = ReservationBody,
    responses((status = 204, description = "The record is free again."), CommitRefused),
)]
#[post("/{id}/release")]
pub async fn release(
    app: Data<App>,
    service: Service,
    id: PathId,
    Json(body): Json<ReservationBody>,
) -> Result<HttpResponse> {
    let redeemer = redeemer(&service, &id)?;
    let mut session = app.db.write().await?;
    let (standing, policy) = match redeemer.reserved(&app, &mut session, body.lease()).await? {
        Ok(reserved) => reserved,
        Err(refused) => return redeem::refuse(&app, session, None, refused).await,
    };
    openings::release(&mut session, &redeemer.key).await?;
    let data = json!({ "operation": policy.operation, "record": standing.handle, "reservation": body.reservation_id });
    redeemer.write(&app, &mut session, "operation.released", &standing.user_id, data).await?;
    session.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}
