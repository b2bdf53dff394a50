//! Setting or changing the password (contract 3, row 4; 5.2).

use actix_web::{HttpResponse, post, web::Data};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::VerificationHeaders;
use crate::{
    app::App,
    domain::{
        common_passwords,
        message::Template,
        method::Method,
        password::PasswordAlgorithm,
        password_policy::{self, UserInfo},
        refusal::Code,
        requirement::Requirement,
        settings::Field,
        user::User,
    },
    error::Result,
    post, refusals,
    stepup::{
        gate::{Gate, Operation},
        records::fact_changed,
    },
    storage::users,
    web::json::Json,
};

/// The operation. Users without any method need no step-up: there is nothing they could show.
pub struct UpdatePassword;

impl Operation for UpdatePassword {
    const NAME: &'static str = "account.password.update";
    const REQUIREMENT: Requirement = Requirement { exempts_users_without_methods: true, ..Requirement::ACCOUNT };
}

/// The new password.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct NewPasswordBody {
    /// At least 8 characters by default; see the password policy.
    #[schema(value_type = String, example = "a much better passphrase")]
    password: SecretString,
}

refusals!(Refused: [USER, BODY], ThirdPartyForbidden, VerificationRequired, FieldNotEditable, PasswordRejected, SamePassword);

/// Sets the password
///
/// Revokes verification records that rest on the old password, ends the user's other sessions unless `sessionPolicy` keeps them, and
/// tells the user by message.
#[utoipa::path(
    operation_id = "UpdatePassword", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    request_body = NewPasswordBody,
    responses((status = 204, description = "The password is set."), Refused),
)]
#[post("/password")]
pub async fn update(
    app: Data<App>,
    gate: Gate<UpdatePassword>,
    Json(body): Json<NewPasswordBody>,
) -> Result<HttpResponse> {
    let caller = gate.caller();
    caller.require_first_party()?;
    gate.check(&app).await?;
    caller.settings.account_center.require_edit(Field::Password)?;
    let policy = &caller.settings.sign_in_experience.password_policy;
    let issues = policy.check(body.password.expose_secret(), &about(&caller.user), &common_passwords::is_common);
    password_policy::refusal(&issues)?;
    if let Some(current) = caller.user.stored_password()
        && app.hasher.verify(body.password.clone(), Some(current)).await?.matches
    {
        return Err(Code::SamePassword.into());
    }
    let digest = app.hasher.hash(body.password).await?;

    let mut opened = gate.open(&app).await?;
    let (user, now, caller) = (opened.user().clone(), opened.now(), opened.caller().clone());
    users::set_password(&mut opened, &user.id, &digest, PasswordAlgorithm::Argon2id.name(), now).await?;
    let (policy, own) = (caller.settings.sign_in_experience.session_policy, caller.session.as_ref());
    fact_changed(&app, &mut opened, (&caller).into(), Method::Password, policy, own).await?;
    post::notify(&app, &mut opened, &user, Template::PasswordChanged, None).await?;
    opened.commit(&app, Value::Null).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What a password must not be made of.
fn about(user: &User) -> UserInfo<'_> {
    UserInfo {
        name: user.name.as_deref(),
        username: user.username.as_deref(),
        email: user.primary_email.as_deref(),
        phone: user.primary_phone.as_deref(),
    }
}
