//! A user's password, for operators: set it, check it, ask whether there is one.

use actix_web::{HttpResponse, get, patch, post, web::Data};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::UserView;
use crate::{
    app::App,
    audit,
    domain::{id::UserId, message::Template, method::Method, password::PasswordAlgorithm, refusal::Code},
    error::Result,
    management::auth::Manager,
    post as messages, refusals,
    stepup::records::fact_changed,
    storage::{settings, users},
    web::{fields, json::Json, query::PathId},
};

/// A user's password.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct UserPassword {
    #[serde(deserialize_with = "fields::filled")]
    #[schema(value_type = String, min_length = 1, example = "correct horse battery staple")]
    password: SecretString,
}

refusals!(UpdateRefused: [MANAGEMENT, BODY], EntityNotFound);

/// Sets a user's password
///
/// The password policy does not bind operators. Verification records that rest on the old password are revoked, the
/// user's sessions end unless `sessionPolicy` keeps them, and the user is told.
#[utoipa::path(
    operation_id = "UpdateUserPassword", tag = "Users", security(("bearer" = [])),
    params(("userId" = String, Path, description = "The user's id.")),
    request_body = UserPassword,
    responses((status = 200, description = "The user as they are now.", body = UserView), UpdateRefused),
)]
#[patch("/users/{userId}/password")]
pub async fn update(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(body): Json<UserPassword>,
) -> Result<HttpResponse> {
    let id = UserId(id);
    users::find(&mut app.db.read().await?, &id).await?.ok_or(Code::EntityNotFound)?;
    let digest = app.hasher.hash(body.password).await?;
    let now = app.now();
    let mut session = app.db.write().await?;
    if users::set_password(&mut session, &id, &digest, PasswordAlgorithm::Argon2id.name(), now).await? == 0 {
        return Err(Code::EntityNotFound.into());
    }
    let user = users::find(&mut session, &id).await?.ok_or(Code::EntityNotFound)?;
    let policy = settings::find(&mut session).await?.sign_in_experience.session_policy;
    fact_changed(&app, &mut session, manager.about(&id), Method::Password, policy, None).await?;
    messages::notify(&app, &mut session, &user, Template::PasswordChanged, None).await?;
    audit::write(&app, &mut session, "user.password.updated", manager.about(&id), Value::Null).await?;
    session.commit().await?;
    Ok(HttpResponse::Ok().json(user.to_json()))
}

refusals!(VerifyRefused: [MANAGEMENT, BODY], EntityNotFound, InvalidCredentials);

/// Checks a user's password
///
/// Makes no verification record. Nothing is counted: an application that may manage could set the password as well.
#[utoipa::path(
    operation_id = "VerifyUserPassword", tag = "Users", security(("bearer" = [])),
    params(("userId" = String, Path, description = "The user's id.")),
    request_body = UserPassword,
    responses((status = 204, description = "The password is right."), VerifyRefused),
)]
#[post("/users/{userId}/password/verify")]
pub async fn verify(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(body): Json<UserPassword>,
) -> Result<HttpResponse> {
    let user = users::find(&mut app.db.read().await?, &UserId(id)).await?.ok_or(Code::EntityNotFound)?;
    let verdict = app.hasher.verify(body.password, user.stored_password()).await?;
    let mut session = app.db.write().await?;
    if let (Some(old), Some(digest)) = (&user.password_digest, &verdict.rehash) {
        users::upgrade_password(&mut session, &user.id, old, digest, PasswordAlgorithm::Argon2id.name()).await?;
    }
    let data = json!({ "matches": verdict.matches });
    audit::write(&app, &mut session, "user.password.verified", manager.about(&user.id), data).await?;
    session.commit().await?;
    if verdict.matches { Ok(HttpResponse::NoContent().finish()) } else { Err(Code::InvalidCredentials.into()) }
}

/// Whether there is a password.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HasPassword {
    has_password: bool,
}

refusals!(HasRefused: [MANAGEMENT], EntityNotFound);

/// Tells whether a user has a password
#[utoipa::path(
    operation_id = "GetUserHasPassword", tag = "Users", security(("bearer" = [])),
    params(("userId" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "Whether there is one.", body = HasPassword), HasRefused),
)]
#[get("/users/{userId}/has-password")]
pub async fn has(app: Data<App>, _manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let user = users::find(&mut app.db.read().await?, &UserId(id)).await?.ok_or(Code::EntityNotFound)?;
    Ok(HttpResponse::Ok().json(HasPassword { has_password: user.password_digest.is_some() }))
}
