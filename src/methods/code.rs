//! A code sent to an e-mail address or a phone (contract 1.2, 1.3).

use actix_web::{HttpResponse, post, web::Data};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    domain::{
        identifier::{EmailAddress, PhoneNumber},
        method::{Method, Purpose},
        refusal::Code,
    },
    error::Result,
    refusals,
    stepup::{
        challenges::{self, For, Target},
        opened::Whole,
        records::{RecordCreated, RecordVerified},
    },
    web::{caller::Caller, client::Languages, fields, json::Json},
};

/// An e-mail address or a phone number.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Identifier {
    /// An e-mail address.
    #[schema(title = "EmailIdentifier")]
    Email(EmailAddress),
    /// A phone number: digits with country code, without a plus sign.
    #[schema(title = "PhoneIdentifier")]
    Phone(PhoneNumber),
}

impl Identifier {
    /// The address in canonical form.
    fn target(&self) -> Result<Target> {
        match self {
            Self::Email(address) if address.exceeds_column() => Err(Code::EntityValueTooLong.into()),
            Self::Phone(number) if number.exceeds_column() => Err(Code::EntityValueTooLong.into()),
            Self::Email(address) => Ok(Target {
                method: Method::EmailCode,
                key: address.key(),
                to: address.as_str().to_owned(),
                masked: address.masked(),
            }),
            Self::Phone(number) => {
                let number = number.normalized().ok_or(Code::InvalidPhone)?;
                Ok(Target {
                    method: Method::PhoneCode,
                    key: number.as_str().to_owned(),
                    to: number.plus(),
                    masked: number.masked(),
                })
            }
        }
    }
}

/// What a code may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
pub enum TemplateType {
    /// To add a factor; opens no operation.
    BindMfa,
    /// To permit an operation. The default.
    UserPermissionValidation,
}

/// Where to send a code.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendBody {
    identifier: Identifier,
    /// For one's own address; a code for a new address is always for binding it.
    template_type: Option<TemplateType>,
    /// A record that was opened by `POST /api/verifications`, to prove one's own address to: none is created.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    verification_record_id: Option<SecretString>,
}

refusals!(SendRefused: [USER, BODY], MessageRateLimited, MessageCountryNotServed, ThirdPartyForbidden, EntityValueTooLong, InvalidPhone,
    BlocklistInvalidEmail, BlocklistSubaddressing, BlocklistEmail, ConnectorNotFound, ConnectorGeneral, ConnectorInvalidConfig,
    ConnectorInvalidRequest, ConnectorInvalidResponse, ConnectorTemplateNotFound, ConnectorAuthorizationFailed, ConnectorRateLimited,
    RecordNotFound, AddressNotOwn);

/// Sends a code
///
/// To one's own primary address: the record, once verified, permits account operations. To any other address: it proves that address, so
/// that it can be made the primary one.
#[utoipa::path(
    operation_id = "CreateVerificationByVerificationCode", tag = "Verifications", security(("bearer" = [])),
    request_body = SendBody,
    responses((status = 201, description = "A code is on its way.", body = RecordCreated), SendRefused),
)]
#[post("/verification-code")]
pub async fn send(
    app: Data<App>,
    caller: Caller,
    languages: Languages,
    Json(body): Json<SendBody>,
) -> Result<HttpResponse> {
    caller.require_first_party()?;
    let target = body.identifier.target()?;
    let whole = Whole::named(&app, &caller, body.verification_record_id.as_ref()).await?;
    let purpose = if whole.is_some() {
        let is_own = is_own(&caller, &target);
        is_own.then_some(Purpose::UserPermissionValidation).ok_or(Code::AddressNotOwn)?
    } else if is_own(&caller, &target) {
        match body.template_type {
            Some(TemplateType::BindMfa) => Purpose::BindMfa,
            Some(TemplateType::UserPermissionValidation) | None => Purpose::UserPermissionValidation,
        }
    } else {
        if let Identifier::Email(address) = &body.identifier {
            caller.settings.sign_in_experience.email_blocklist_policy.check(address)?;
        }
        Purpose::BindNewIdentifier
    };
    let record = challenges::send(&app, &caller, &target, For { purpose, whole: whole.as_ref() }, &languages).await?;
    Ok(HttpResponse::Created().json(record.created()))
}

/// Whether the address is the caller's primary one, in whatever spelling (contract D13).
fn is_own(caller: &Caller, target: &Target) -> bool {
    match target.method {
        Method::EmailCode => caller.user.email_key().is_some_and(|own| own == target.key),
        _ => caller.user.primary_phone.as_deref() == Some(&target.key),
    }
}

/// A code that was received.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyBody {
    identifier: Identifier,
    /// The `verificationRecordId` of the answer to sending, or of the record that was opened.
    #[schema(value_type = String, example = "5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    verification_id: SecretString,
    /// The code.
    #[schema(value_type = String, example = "042193")]
    code: SecretString,
}

refusals!(VerifyRefused: [USER, BODY], RecordNotFound, CodeNotFound, CodeEmailMismatch, CodePhoneMismatch, CodeExpired, CodeExceedMaxTry,
    CodeMismatch, TooManyAttempts, ThirdPartyForbidden, EntityValueTooLong, InvalidPhone);

/// Verifies a code
///
/// A code takes five guesses, and only the user who asked for it may use it.
#[utoipa::path(
    operation_id = "VerifyVerificationByVerificationCode", tag = "Verifications", security(("bearer" = [])),
    request_body = VerifyBody,
    responses((status = 200, description = "The code is right.", body = RecordVerified), VerifyRefused),
)]
#[post("/verification-code/verify")]
pub async fn verify(app: Data<App>, caller: Caller, Json(body): Json<VerifyBody>) -> Result<HttpResponse> {
    caller.require_first_party()?;
    let target = body.identifier.target()?;
    let id = body.verification_id.expose_secret();
    challenges::verify(&app, &caller, id, &target, body.code.expose_secret()).await?;
    Ok(HttpResponse::Ok().json(RecordVerified { verification_record_id: id.to_owned() }))
}
