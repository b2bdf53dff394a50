//! Opening a record for an operation, looking at it, withdrawing it.

use std::sync::Arc;

use actix_web::{HttpResponse, delete, get, http::header, post, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::party::Party;
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::{base64url, record_key},
    domain::{
        id::{RecordId, RecordKey, UserId},
        message::Locale,
        method::Method,
        payload::Payload,
        policy::Policy,
        refusal::Code,
        user::User,
    },
    error::Result,
    refusals,
    stepup::{
        gate::{names, sets},
        opened::{self, Opening},
    },
    storage::{
        Session,
        openings::{self, Standing},
        users,
    },
    web::{client::Languages, fields, json::Json, query::PathId},
};

/// What is to be consented to.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct OpenBody {
    /// `area.action`.
    #[schema(max_length = 64, example = "payments.transfer")]
    operation: String,
    /// What the operation works on. The owner is shown what the operation's message makes of it.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    payload: Option<Payload>,
    /// By a service: the user's id.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, max_length = 64, example = "3f0wq8sn0b6c")]
    subject: Option<String>,
}

/// A record that was opened for an operation.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenedRecord {
    /// A secret.
    #[schema(example = "5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    verification_record_id: String,
    /// `area.action`.
    #[schema(example = "payments.transfer")]
    operation: String,
    /// Base64url of the SHA-256 of the payload's canonical form (RFC 8785); null when there is none.
    #[schema(example = "LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564")]
    payload_digest: Option<String>,
    /// What the owner is asked to consent to, in the language of the request; null when there is nothing to show.
    #[schema(example = "Pay 120.50 EUR to ACME GmbH")]
    display: Option<String>,
    /// What the operation demands.
    requirement: RequirementBody,
    /// The methods that were proved and still count.
    #[schema(example = json!(["password"]))]
    satisfied: Vec<&'static str>,
    /// What has become of it.
    status: Status,
    /// When the record dies: ISO 8601, UTC.
    #[schema(example = "2026-11-20T12:05:00.000Z", format = DateTime)]
    expires_at: String,
}

/// What an operation demands.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequirementBody {
    /// Any of these sets, every method in the set.
    #[schema(example = json!([["password", "phone_code"], ["password", "email_code"]]))]
    methods: Vec<Vec<&'static str>>,
    /// Seconds between the oldest method of the set and the operation.
    #[schema(example = 300)]
    max_age: u64,
    /// What a challenge asks for (RFC 9470): whoever proves one of these, at `/authorize`, has proved one of the sets.
    #[schema(example = "urn:countersign:acr:2fa urn:countersign:acr:methods:password.email_code")]
    acr_values: String,
    /// Whether the record is good once.
    is_single_use: bool,
    /// Whether the record must be bound to a payload.
    binds_payload: bool,
}

impl From<&Policy> for RequirementBody {
    fn from(policy: &Policy) -> Self {
        Self {
            methods: sets(&policy.methods),
            max_age: policy.max_age.as_secs(),
            acr_values: policy.acr_values(),
            is_single_use: policy.is_single_use,
            binds_payload: policy.binds_payload,
        }
    }
}

/// The life of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Less was proved than the operation demands.
    Pending,
    /// Good for the operation.
    Verified,
    /// Good, and reserved by a service.
    Reserved,
    /// Used.
    Redeemed,
    /// Too old.
    Expired,
    /// Withdrawn, or what it rested on has changed.
    Revoked,
}

refusals!(OpenRefused: [USER, BODY], ClientUnknown, OperationNotFound, EnrolmentRequired, PayloadRequired, PayloadUnexpected, PayloadUnfit, ThirdPartyForbidden,
    EntityNotFound);

/// Opens a verification record for an operation
///
/// By the user, or by a service that redeems the operation, for a user. The record collects methods: name it as `verificationRecordId`
/// where they are verified. It lives ten minutes, five when it is bound to a payload.
#[utoipa::path(
    operation_id = "OpenVerification", tag = "Operations", security(("bearer" = []), ("client" = [])),
    request_body = OpenBody,
    responses((status = 201, description = "The record is open.", body = OpenedRecord,
        headers(("Location" = String, description = "The record."))), OpenRefused),
)]
#[post("")]
pub async fn open(
    app: Data<App>,
    party: Party,
    languages: Languages,
    Json(body): Json<OpenBody>,
) -> Result<HttpResponse> {
    let policy = party.policy(&app, &body.operation)?;
    let user = subject(&app, &party, body.subject).await?;
    let opening = Opening {
        policy,
        payload: body.payload.as_ref(),
        user: &user,
        jkt: if let Party::User(caller) = &party { caller.jkt.as_deref() } else { None },
        actor: actor(&party, &user.id),
        is_by_service: matches!(party, Party::Service(_)),
    };
    let id = opening.open(&app).await?;
    let body = describe(&app, &party, &languages, id.expose()).await?;
    let place = format!("{}/api/verifications/{}", app.urls.root, id.expose());
    Ok(HttpResponse::Created().insert_header((header::LOCATION, place)).json(body))
}

/// Whose consent is asked for.
async fn subject(app: &App, party: &Party, named: Option<String>) -> Result<User> {
    match party {
        Party::User(caller) => {
            caller.require_first_party()?;
            // Naming oneself is superfluous, naming another is a mistake.
            if named.is_some_and(|named| named != caller.user.id.0) {
                Err(Code::Forbidden.into())
            } else {
                Ok(caller.user.clone())
            }
        }
        Party::Service(_) => {
            let named = named.and_then(|named| UserId::parse(&named)).ok_or(Code::EntityNotFound)?;
            let user = users::find(&mut app.db.read().await?, &named).await?;
            Ok(user.filter(|user| !user.is_suspended).ok_or(Code::EntityNotFound)?)
        }
    }
}

fn actor<'a>(party: &'a Party, user: &'a UserId) -> Actor<'a> {
    match party {
        Party::User(caller) => caller.into(),
        Party::Service(service) => {
            Actor { user: Some(user), application: Some(&service.application), client: Some(&service.client) }
        }
    }
}

async fn locale(app: &App, party: &Party, languages: &Languages) -> Result<Locale> {
    let settings = match party {
        Party::User(caller) => Arc::clone(&caller.settings),
        Party::Service(_) => app.reload_settings().await?,
    };
    Ok(languages.negotiate(&settings.sign_in_experience.language_info))
}

/// The record as its owner and its redeemers see it.
async fn describe(app: &App, party: &Party, languages: &Languages, id: &str) -> Result<OpenedRecord> {
    let locale = locale(app, party, languages).await?;
    let mut session = app.db.read().await?;
    let Seen { key, standing, policy } = seen(app, &mut session, party, id).await?;
    let now = app.now();
    let proofs = standing.proofs(&mut session, &key, now).await?;
    let fresh = proofs.iter().filter(|proof| now.since(proof.at) <= policy.max_age).map(|proof| proof.method);
    let satisfied: Vec<Method> = fresh.collect();
    let status = match () {
        () if standing.spent_at.is_some() => Status::Redeemed,
        () if standing.revoked_at.is_some() => Status::Revoked,
        () if standing.is_expired(now) => Status::Expired,
        () if !standing.lease_left(now).is_zero() => Status::Reserved,
        () if policy.judge(&proofs, now).is_ok() => Status::Verified,
        () => Status::Pending,
    };
    Ok(OpenedRecord {
        verification_record_id: id.to_owned(),
        operation: policy.operation.clone(),
        payload_digest: standing.payload_digest.as_deref().map(base64url),
        display: opened::display(app, &standing, locale)?,
        requirement: policy.into(),
        satisfied: names(&satisfied),
        status,
        expires_at: standing.expires_at.to_iso(),
    })
}

/// A record that the party may see.
struct Seen<'a> {
    key: RecordKey,
    standing: Standing,
    policy: &'a Policy,
}

/// The record a path names, as far as the party may see it: its owner, and who redeems its operation.
async fn seen<'a>(app: &'a App, session: &mut Session, party: &Party, id: &str) -> Result<Seen<'a>> {
    let unknown = || Code::UnknownRecord.refuse();
    let key = record_key(&RecordId::parse(id).ok_or_else(unknown)?);
    let standing = openings::find(session, &key).await?.ok_or_else(unknown)?;
    let policy =
        standing.operation.as_deref().and_then(|operation| party.policy(app, operation).ok()).ok_or_else(unknown)?;
    if party.may_see(&standing) { Ok(Seen { key, standing, policy }) } else { Err(unknown().into()) }
}

refusals!(ShowRefused: [USER], ClientUnknown, UnknownRecord, EntityNotFound);

/// Shows a record that was opened
#[utoipa::path(
    operation_id = "GetVerification", tag = "Operations", security(("bearer" = []), ("client" = [])),
    params(("id" = String, Path, description = "The record's id.", min_length = 32, max_length = 32, pattern = "^[0-9a-z]+$")),
    responses((status = 200, description = "The record.", body = OpenedRecord), ShowRefused),
)]
#[get("/{id}")]
pub async fn show(app: Data<App>, party: Party, languages: Languages, id: PathId) -> Result<HttpResponse> {
    let body = describe(&app, &party, &languages, &id.0).await?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// Withdraws a record that was opened
///
/// Its owner may, and the service that opened it. Nobody can verify or redeem it any more.
#[utoipa::path(
    operation_id = "WithdrawVerification", tag = "Operations", security(("bearer" = []), ("client" = [])),
    params(("id" = String, Path, description = "The record's id.", min_length = 32, max_length = 32, pattern = "^[0-9a-z]+$")),
    responses((status = 204, description = "The record is dead."), ShowRefused),
)]
#[delete("/{id}")]
pub async fn withdraw(app: Data<App>, party: Party, id: PathId) -> Result<HttpResponse> {
    let mut session = app.db.write().await?;
    let Seen { key, standing, policy } = seen(&app, &mut session, &party, &id.0).await?;
    if let Party::Service(service) = &party
        && standing.opened_by.as_ref() != Some(&*service.application)
    {
        return Err(Code::UnknownRecord.into());
    }
    if openings::revoke(&mut session, &key, app.now()).await? {
        let data = json!({ "operation": policy.operation, "record": standing.handle });
        audit::write(&app, &mut session, "operation.withdrawn", actor(&party, &standing.user_id), data).await?;
        session.commit().await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
