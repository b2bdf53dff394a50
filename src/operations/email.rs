//! Binding and removing the primary e-mail address (contract 3, rows 9 and 10).

use actix_web::{HttpResponse, delete, post, web::Data};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::VerificationHeaders;
use crate::{
    app::App,
    crypto::digest::record_key,
    domain::{
        id::RecordId, identifier::EmailAddress, message::Template, method::Method, refusal::Code,
        requirement::Requirement, settings::Field,
    },
    error::Result,
    post::{self, Address},
    refusals,
    stepup::gate::{Gate, Opened, Operation},
    storage::{records, users},
    web::{caller::Caller, json::Json},
};

/// Binding an address.
pub struct UpdateEmail;

impl Operation for UpdateEmail {
    const NAME: &'static str = "account.email.update";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// Removing the address.
pub struct DeleteEmail;

impl Operation for DeleteEmail {
    const NAME: &'static str = "account.email.delete";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// The new address and the proof of it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewEmailBody {
    email: EmailAddress,
    /// A verified record of a code that was sent to `email`.
    #[schema(value_type = String, example = "5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    new_identifier_verification_record_id: SecretString,
}

refusals!(UpdateRefused: [USER, BODY], VerificationRequired, FieldNotEditable, ScopeMissing, ThirdPartyForbidden, BlocklistInvalidEmail,
    BlocklistSubaddressing, BlocklistEmail, RecordNotFound, EmailInUse, EntityValueTooLong);

/// Sets the primary e-mail address
///
/// Needs two records: one that permits the operation, and one that proves the new address; the latter is spent. The previous address is
/// told.
#[utoipa::path(
    operation_id = "UpdatePrimaryEmail", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    request_body = NewEmailBody,
    responses((status = 204, description = "The address is set."), UpdateRefused),
)]
#[post("/primary-email")]
pub async fn update(app: Data<App>, gate: Gate<UpdateEmail>, Json(body): Json<NewEmailBody>) -> Result<HttpResponse> {
    gate.check(&app).await?;
    let caller = gate.caller();
    require(caller)?;
    caller.settings.sign_in_experience.email_blocklist_policy.check(&body.email)?;
    if body.email.exceeds_column() {
        return Err(Code::EntityValueTooLong.into());
    }
    let proof = body.new_identifier_verification_record_id.expose_secret();
    let proof = RecordId::parse(proof).map(|id| record_key(&id)).ok_or(Code::RecordNotFound)?;

    let mut opened = gate.open(&app).await?;
    let (user, now, key) = (opened.user().id.clone(), opened.now(), body.email.key());
    if !records::spend_for_binding(&mut opened, &proof, &user, Method::EmailCode.name(), &key, now).await? {
        return Err(Code::RecordNotFound.into());
    }
    let stored = users::set_email(&mut opened, &user, Some(body.email.as_str()), Some(&key), now).await;
    users::unless_taken(stored, Code::EmailInUse)?;
    finish(&app, opened, json!({ "to": body.email.masked() })).await
}

refusals!(DeleteRefused: [USER], VerificationRequired, FieldNotEditable, ScopeMissing, ThirdPartyForbidden, LastSignInMethod);

/// Removes the primary e-mail address
#[utoipa::path(
    operation_id = "DeletePrimaryEmail", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    responses((status = 204, description = "The account has no e-mail address any more."), DeleteRefused),
)]
#[delete("/primary-email")]
pub async fn remove(app: Data<App>, gate: Gate<DeleteEmail>) -> Result<HttpResponse> {
    gate.check(&app).await?;
    require(gate.caller())?;
    let mut opened = gate.open(&app).await?;
    let (user, now) = (opened.user().clone(), opened.now());
    if user.primary_email.is_some() && user.sign_in_identifiers() <= 1 {
        return Err(Code::LastSignInMethod.into());
    }
    users::set_email(&mut opened, &user.id, None, None, now).await?;
    finish(&app, opened, Value::Null).await
}

fn require(caller: &Caller) -> Result<()> {
    caller.settings.account_center.require_edit(Field::Email)?;
    caller.require_scope("email")?;
    caller.require_first_party()
}

/// Old facts die, the previous address is told (contract D12, D15).
async fn finish<O: Operation>(app: &App, mut opened: Opened<O>, data: Value) -> Result<HttpResponse> {
    let (user, now) = (opened.user().clone(), opened.now());
    records::revoke_resting_on(&mut opened, &user.id, Method::EmailCode.name(), now).await?;
    if let Some(previous) = &user.primary_email {
        post::notify(app, &mut opened, &user, Template::EmailChanged, Address::Email(previous)).await?;
    }
    opened.commit(app, data).await?;
    app.outbox.notify_waiters();
    Ok(HttpResponse::NoContent().finish())
}
