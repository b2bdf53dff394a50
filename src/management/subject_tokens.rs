//! Subject tokens: tickets with which a trusted back end gets a user's access token (contract 4).

use std::time::Duration;

use actix_web::{HttpResponse, post, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::error::DatabaseError;

use super::auth::Manager;
use crate::{
    app::App,
    audit,
    crypto::digest::digest,
    domain::{
        id::{UserId, random_text},
        refusal::Code,
    },
    error::Result,
    refusals,
    storage::tokens,
    web::{fields::Text, json::Json},
};

/// How long a subject token waits for its exchange.
const LIFE: Duration = Duration::from_secs(600);

/// Whom the token is to speak for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSubjectToken {
    /// The user's id.
    #[schema(value_type = String, max_length = 256, example = "x1y2z3a4b5c6")]
    user_id: Text<0, 256>,
    /// Accepted for clients that send it; nothing is done with it.
    #[expect(dead_code, reason = "part of the contract's body")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    context: Option<Map<String, Value>>,
}

/// A subject token.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubjectToken {
    /// For one exchange at the token endpoint. A secret.
    #[schema(example = "sub_5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    subject_token: String,
    /// Seconds.
    expires_in: u64,
}

refusals!(CreateRefused: [MANAGEMENT, BODY], EntityRelationNotFound);

/// Creates a subject token
///
/// Exchange it once, within ten minutes, at `POST /oidc/token` for an access token of the user.
#[utoipa::path(
    operation_id = "CreateSubjectToken", tag = "Subject tokens", security(("bearer" = [])),
    request_body = NewSubjectToken,
    responses((status = 201, description = "The token.", body = SubjectToken), CreateRefused),
)]
#[post("/subject-tokens")]
pub async fn create(app: Data<App>, manager: Manager, Json(body): Json<NewSubjectToken>) -> Result<HttpResponse> {
    let user = UserId(body.user_id.into());
    let token = format!("sub_{}", random_text(&*app.random, 32));
    let now = app.now();
    let mut session = app.db.write().await?;
    match tokens::add(&mut session, &digest(token.as_bytes()), &user, now, now.plus(LIFE)).await {
        Err(error) if error.as_database_error().is_some_and(DatabaseError::is_foreign_key_violation) => {
            return Err(Code::EntityRelationNotFound.into());
        }
        outcome => outcome?,
    }
    audit::write(&app, &mut session, "subject_token.created", manager.about(&user), Value::Null).await?;
    session.commit().await?;
    let answer = SubjectToken { subject_token: token, expires_in: LIFE.as_secs() };
    Ok(HttpResponse::Created().insert_header(("cache-control", "no-store")).json(answer))
}
