//! Binding and removing the primary e-mail address (contract 3, rows 9 and 10).

use actix_web::{HttpResponse, delete, post, web::Data};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{VerificationHeaders, address::EMAIL};
use crate::{
    app::App,
    domain::{identifier::EmailAddress, refusal::Code, requirement::Requirement},
    error::Result,
    refusals,
    stepup::gate::{Gate, Operation},
    storage::users,
    web::json::Json,
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
/// told; other sessions end where `sessionPolicy` says so.
#[utoipa::path(
    operation_id = "UpdatePrimaryEmail", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    request_body = NewEmailBody,
    responses((status = 204, description = "The address is set."), UpdateRefused),
)]
#[post("/primary-email")]
pub async fn update(app: Data<App>, gate: Gate<UpdateEmail>, Json(body): Json<NewEmailBody>) -> Result<HttpResponse> {
    gate.check(&app).await?;
    let caller = gate.caller();
    EMAIL.require(caller)?;
    caller.settings.sign_in_experience.email_blocklist_policy.check(&body.email)?;
    if body.email.exceeds_column() {
        return Err(Code::EntityValueTooLong.into());
    }

    let mut opened = gate.open(&app).await?;
    let (user, now, key) = (opened.user().id.clone(), opened.now(), body.email.key());
    EMAIL.prove(&mut opened, &body.new_identifier_verification_record_id, &key).await?;
    let stored = users::set_email(&mut opened, &user, Some(body.email.as_str()), Some(&key), now).await;
    users::unless_taken(stored, Code::EmailInUse)?;
    EMAIL.finish(&app, opened, json!({ "to": body.email.masked() })).await
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
    EMAIL.require(gate.caller())?;
    let mut opened = gate.open(&app).await?;
    let (user, now) = (opened.user().clone(), opened.now());
    EMAIL.require_another_way_in(&user)?;
    users::set_email(&mut opened, &user.id, None, None, now).await?;
    EMAIL.finish(&app, opened, Value::Null).await
}
