//! Secrets of applications: two at a time, so that one can take the other's place without a pause (contract `logto.md`).

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::new::{Name, new_secret};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::digest,
    domain::{
        id::ApplicationId,
        refusal::{Code, Refusal},
        time::Timestamp,
    },
    error::Result,
    management::auth::Manager,
    refusals,
    storage::{
        Session,
        applications::{self, Secret},
    },
    web::{explain, fields, json::Json, query::PathId},
};

/// The old one and the new one.
const MOST: usize = 2;
/// The last moment a calendar knows, in milliseconds since 1970.
const LAST_MOMENT: i64 = 253_402_300_799_999;

/// A secret of an application. What it is stands in the answer to its creation only.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretView {
    #[schema(example = "default")]
    tenant_id: &'static str,
    #[schema(value_type = String, example = "5f0wq8sn0b6c2x7k1r9tz")]
    application_id: ApplicationId,
    #[schema(example = "After March")]
    name: String,
    /// In the answer to its creation only: a digest of it is all that is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value: Option<String>,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970; null for one that does not expire.
    #[schema(required)]
    expires_at: Option<i64>,
}

impl SecretView {
    fn new(application: ApplicationId, secret: Secret, value: Option<&SecretString>) -> Self {
        Self {
            tenant_id: "default",
            application_id: application,
            name: secret.name,
            value: value.map(|value| value.expose_secret().to_owned()),
            created_at: secret.created_at.0,
            expires_at: secret.expires_at.map(|moment| moment.0),
        }
    }
}

/// A secret to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSecret {
    /// For people; no two of an application are the same.
    #[schema(value_type = String, min_length = 1, max_length = 256, example = "After March")]
    pub name: Name,
    /// Milliseconds since 1970, of a moment to come; without it, or null, the secret does not expire.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 253_402_300_799_999_i64)]
    pub expires_at: Option<Option<i64>>,
}

/// Makes a secret in the caller's transaction, with its audit event; gives it, this once.
pub async fn add(
    app: &App,
    session: &mut Session,
    id: &ApplicationId,
    new: NewSecret,
    actor: Actor<'_>,
) -> Result<(Secret, SecretString)> {
    // Under its lock, so that two requests do not make three.
    let application = applications::lock(session, id).await?.ok_or(Code::EntityNotFound)?;
    if !application.is_confidential() {
        return Err(Code::PublicApplicationSecret.into());
    }
    let now = app.now();
    let expires_at = new.expires_at.flatten().map(|moment| to_come(moment, now)).transpose()?;
    applications::delete_expired_secrets(session, id, now).await?;
    let others = applications::list_secrets(session, id).await?;
    if others.len() >= MOST {
        return Err(Code::TooManySecrets.into());
    }
    let name = String::from(new.name);
    if others.iter().any(|other| other.name == name) {
        return Err(Code::SecretNameInUse.into());
    }
    let value = new_secret(app);
    let hash = digest(value.expose_secret().as_bytes());
    applications::add_secret_until(session, id, &hash, &name, now, expires_at).await?;
    audit::write(app, session, "application.secret_created", actor, json!({ "id": id, "name": name })).await?;
    Ok((Secret { name, created_at: now, expires_at }, value))
}

fn to_come(moment: i64, now: Timestamp) -> Result<Timestamp, Refusal> {
    if moment > now.0 && moment <= LAST_MOMENT {
        return Ok(Timestamp(moment));
    }
    Err(explain::one("body", "expiresAt", "A moment to come, in milliseconds since 1970."))
}

/// Deletes a secret in the caller's transaction, with its audit event.
pub async fn remove(app: &App, session: &mut Session, id: &ApplicationId, name: &str, actor: Actor<'_>) -> Result<()> {
    if !applications::delete_secret(session, id, name).await? {
        return Err(Code::EntityNotFound.into());
    }
    audit::write(app, session, "application.secret_deleted", actor, json!({ "id": id, "name": name })).await
}

refusals!(
    CreateRefused: [MANAGEMENT, BODY], EntityNotFound, PublicApplicationSecret, TooManySecrets, SecretNameInUse
);

/// Makes another secret of an application
///
/// It is shown this once. An application has two at most: make one, let its servers use it, delete the other. Expired ones make room.
#[utoipa::path(
    operation_id = "CreateApplicationSecret", tag = "Applications", security(("bearer" = [])),
    params(("id" = String, Path, description = "The application's id.")),
    request_body = NewSecret,
    responses((status = 201, description = "The secret.", body = SecretView), CreateRefused),
)]
#[post("/applications/{id}/secrets")]
pub async fn create(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(new): Json<NewSecret>,
) -> Result<HttpResponse> {
    let id = ApplicationId(id);
    let mut session = app.db.write().await?;
    let (secret, value) = add(&app, &mut session, &id, new, (&manager).into()).await?;
    session.commit().await?;
    let answer = SecretView::new(id, secret, Some(&value));
    Ok(HttpResponse::Created().insert_header(("cache-control", "no-store")).json(answer))
}

refusals!(ListRefused: [MANAGEMENT], EntityNotFound);

/// Lists the secrets of an application
///
/// Oldest first; not what they are.
#[utoipa::path(
    operation_id = "ListApplicationSecrets", tag = "Applications", security(("bearer" = [])),
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 200, description = "The secrets.", body = Vec<SecretView>), ListRefused),
)]
#[get("/applications/{id}/secrets")]
pub async fn list(app: Data<App>, _manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let id = ApplicationId(id);
    let mut session = app.db.read().await?;
    applications::find(&mut session, &id).await?.ok_or(Code::EntityNotFound)?;
    let secrets = applications::list_secrets(&mut session, &id).await?;
    let views: Vec<_> = secrets.into_iter().map(|secret| SecretView::new(id.clone(), secret, None)).collect();
    Ok(HttpResponse::Ok().json(views))
}

/// Deletes a secret of an application
///
/// It is worthless from then on; tokens it got stay valid.
#[utoipa::path(
    operation_id = "DeleteApplicationSecret", tag = "Applications", security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The application's id."),
        ("name" = String, Path, description = "The secret's name."),
    ),
    responses((status = 204, description = "The secret is gone."), ListRefused),
)]
#[delete("/applications/{id}/secrets/{name}")]
pub async fn delete(app: Data<App>, manager: Manager, path: Path<(String, String)>) -> Result<HttpResponse> {
    let (id, name) = path.into_inner();
    // No text of ours holds it, and PostgreSQL knows no such text.
    if id.contains('\0') || name.contains('\0') {
        return Err(Code::EntityNotFound.into());
    }
    let mut session = app.db.write().await?;
    remove(&app, &mut session, &ApplicationId(id), &name, (&manager).into()).await?;
    session.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}
