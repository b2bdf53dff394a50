//! Binding and removing the primary phone (contract 3, rows 11 and 12).

use actix_web::{HttpResponse, delete, post, web::Data};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{VerificationHeaders, address::PHONE};
use crate::{
    app::App,
    domain::{identifier::PhoneNumber, refusal::Code, requirement::Requirement},
    error::Result,
    refusals,
    stepup::gate::{Gate, Operation},
    storage::users,
    web::json::Json,
};

/// Binding a number.
pub struct UpdatePhone;

impl Operation for UpdatePhone {
    const NAME: &'static str = "account.phone.update";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// Removing the number.
pub struct DeletePhone;

impl Operation for DeletePhone {
    const NAME: &'static str = "account.phone.delete";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// The new number and the proof of it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewPhoneBody {
    phone: PhoneNumber,
    /// A verified record of a code that was sent to `phone`.
    #[schema(value_type = String, example = "5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    new_identifier_verification_record_id: SecretString,
}

refusals!(UpdateRefused: [USER, BODY], VerificationRequired, FieldNotEditable, ScopeMissing, ThirdPartyForbidden, RecordNotFound, PhoneInUse,
    InvalidPhone);

/// Sets the primary phone number
///
/// Needs two records: one that permits the operation, and one that proves the new number; the latter is spent. The previous number is
/// told; other sessions end where `sessionPolicy` says so.
#[utoipa::path(
    operation_id = "UpdatePrimaryPhone", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    request_body = NewPhoneBody,
    responses((status = 204, description = "The number is set."), UpdateRefused),
)]
#[post("/primary-phone")]
pub async fn update(app: Data<App>, gate: Gate<UpdatePhone>, Json(body): Json<NewPhoneBody>) -> Result<HttpResponse> {
    gate.check(&app).await?;
    PHONE.require(gate.caller())?;

    let mut opened = gate.open(&app).await?;
    let (user, now) = (opened.user().id.clone(), opened.now());
    let number = body.phone.normalized().ok_or(Code::InvalidPhone)?;
    PHONE.prove(&mut opened, &body.new_identifier_verification_record_id, number.as_str()).await?;
    let stored = users::set_phone(&mut opened, &user, Some(number.as_str()), now).await;
    users::unless_taken(stored, Code::PhoneInUse)?;
    PHONE.finish(&app, opened, json!({ "to": number.masked() })).await
}

refusals!(DeleteRefused: [USER], VerificationRequired, FieldNotEditable, ScopeMissing, ThirdPartyForbidden, LastSignInMethod);

/// Removes the primary phone number
#[utoipa::path(
    operation_id = "DeletePrimaryPhone", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    responses((status = 204, description = "The account has no phone number any more."), DeleteRefused),
)]
#[delete("/primary-phone")]
pub async fn remove(app: Data<App>, gate: Gate<DeletePhone>) -> Result<HttpResponse> {
    gate.check(&app).await?;
    PHONE.require(gate.caller())?;
    let mut opened = gate.open(&app).await?;
    let (user, now) = (opened.user().clone(), opened.now());
    PHONE.require_another_way_in(&user)?;
    users::set_phone(&mut opened, &user.id, None, now).await?;
    PHONE.finish(&app, opened, Value::Null).await
}
