//! Client applications, for operators (contract 4).

pub mod built_in;
mod new;
pub mod secrets;

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web::Data};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::types::Json as Column;

pub use self::new::{CustomClientMetadata, NewApplication, OidcClientMetadata, create};
use self::new::{Description, Name};
use super::auth::Manager;
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{
        application::{ACCOUNT_CENTER, ApplicationType},
        id::ApplicationId,
        refusal::Code,
    },
    error::Result,
    refusals,
    storage::{
        Session,
        applications::{self, Application},
    },
    web::{
        fields,
        json::Json,
        query::{Page, PathId},
    },
};

/// A client application.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationView {
    #[schema(example = "default")]
    tenant_id: &'static str,
    /// Its `client_id`.
    #[schema(value_type = String, example = "5f0wq8sn0b6c2x7k1r9tz")]
    id: ApplicationId,
    name: String,
    /// In the answer to its creation only, and only for types that can keep one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
    #[schema(required)]
    description: Option<String>,
    #[serde(rename = "type")]
    #[schema(value_type = ApplicationType)]
    kind: String,
    #[schema(value_type = OidcClientMetadata)]
    oidc_client_metadata: Map<String, Value>,
    custom_client_metadata: CustomClientMetadata,
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    custom_data: Map<String, Value>,
    is_third_party: bool,
    /// Whether it may use the management API.
    is_management: bool,
    /// Milliseconds since 1970.
    created_at: i64,
}

impl ApplicationView {
    /// The application as it is shown; with its secret only when it has just been made.
    #[must_use]
    pub fn new(application: Application, secret: Option<&secrecy::SecretString>) -> Self {
        let custom_client_metadata = CustomClientMetadata::shown(&application);
        Self {
            tenant_id: "default",
            id: application.id,
            name: application.name,
            secret: secret.map(|secret| secret.expose_secret().to_owned()),
            description: application.description,
            kind: application.kind,
            oidc_client_metadata: application.oidc_client_metadata.0,
            custom_client_metadata,
            custom_data: application.custom_data.0,
            is_third_party: application.is_third_party,
            is_management: application.is_management,
            created_at: application.created_at.0,
        }
    }
}

refusals!(CreateRefused: [MANAGEMENT, BODY], ThirdPartyTokenExchange);

/// Creates an application
///
/// The answer holds the secret of an application that can keep one. It is shown this once: only a digest of it is stored.
#[utoipa::path(
    operation_id = "CreateApplication", tag = "Applications", security(("bearer" = [])),
    request_body = NewApplication,
    responses((status = 200, description = "The application.", body = ApplicationView), CreateRefused),
)]
#[post("/applications")]
pub async fn create_application(
    app: Data<App>,
    manager: Manager,
    Json(new): Json<NewApplication>,
) -> Result<HttpResponse> {
    let mut session = app.db.write().await?;
    let (application, secret) = create(&app, &mut session, new, (&manager).into()).await?;
    session.commit().await?;
    let answer = ApplicationView::new(application, secret.as_ref());
    Ok(HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(answer))
}

refusals!(ListRefused: [MANAGEMENT], InvalidPagination);

/// Lists applications
///
/// Newest first. `Total-Number` says how many there are, `Link` leads to the other pages.
#[utoipa::path(
    operation_id = "ListApplications", tag = "Applications", security(("bearer" = [])), params(Page),
    responses(
        (status = 200, description = "A page of applications.", body = Vec<ApplicationView>, headers(
            ("Total-Number" = i64, description = "How many applications there are."),
            ("Link" = String, description = "The pages first, last, prev and next (RFC 8288)."),
        )),
        ListRefused,
    ),
)]
#[get("/applications")]
pub async fn list(app: Data<App>, _manager: Manager, page: Page, request: HttpRequest) -> Result<HttpResponse> {
    let mut session = app.db.read().await?;
    let total = applications::count(&mut session).await?;
    let found = applications::list(&mut session, page.limit(), page.offset()).await?;
    let found: Vec<ApplicationView> = found.into_iter().map(|one| ApplicationView::new(one, None)).collect();
    Ok(page.answer(&app, &request, total, &found))
}

refusals!(GetRefused: [MANAGEMENT], EntityNotFound);

/// Shows an application
#[utoipa::path(
    operation_id = "GetApplication", tag = "Applications", security(("bearer" = [])),
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 200, description = "The application.", body = ApplicationView), GetRefused),
)]
#[get("/applications/{id}")]
pub async fn get(app: Data<App>, _manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let found = applications::find(&mut app.db.read().await?, &ApplicationId(id)).await?;
    Ok(HttpResponse::Ok().json(ApplicationView::new(found.ok_or(Code::EntityNotFound)?, None)))
}

/// What to change; members that are absent stay as they are.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationChanges {
    /// For people.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256)]
    name: Option<Name>,
    /// For people; null or empty clears it.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 2048)]
    description: Option<Option<Description>>,
    /// Where users come back to; replaced as a whole.
    oidc_client_metadata: Option<OidcClientMetadata>,
    /// What this service lets it do.
    custom_client_metadata: Option<CustomClientMetadata>,
    /// Free for the operator; replaced as a whole.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    custom_data: Option<Map<String, Value>>,
    /// May use the management API; for first-party applications of type `MachineToMachine` only.
    is_management: Option<bool>,
}

refusals!(UpdateRefused: [MANAGEMENT, BODY], EntityNotFound, ThirdPartyTokenExchange);

/// Changes an application
#[utoipa::path(
    operation_id = "UpdateApplication", tag = "Applications", security(("bearer" = [])),
    params(("id" = String, Path, description = "The application's id.")),
    request_body = ApplicationChanges,
    responses((status = 200, description = "The application as it is now.", body = ApplicationView), UpdateRefused),
)]
#[patch("/applications/{id}")]
pub async fn update(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(changes): Json<ApplicationChanges>,
) -> Result<HttpResponse> {
    let mut session = app.db.write().await?;
    let after = change(&app, &mut session, &ApplicationId(id), changes, (&manager).into()).await?;
    session.commit().await?;
    Ok(HttpResponse::Ok().json(ApplicationView::new(after, None)))
}

/// Changes an application in the caller's transaction, with its audit event; gives it as it is now.
pub async fn change(
    app: &App,
    session: &mut Session,
    id: &ApplicationId,
    changes: ApplicationChanges,
    actor: Actor<'_>,
) -> Result<Application> {
    let before = applications::lock(session, id).await?.ok_or(Code::EntityNotFound)?;
    let after = changes.apply(before)?;
    applications::set(session, &after).await?;
    let data = json!({
        "id": after.id, "isManagement": after.is_management, "allowTokenExchange": after.allow_token_exchange,
    });
    audit::write(app, session, "application.updated", actor, data).await?;
    Ok(after)
}

impl ApplicationChanges {
    fn apply(self, mut application: Application) -> Result<Application> {
        if self.is_management == Some(true) {
            new::require_manageable(ApplicationType::parse(&application.kind), application.is_third_party)?;
        }
        let metadata = self.custom_client_metadata.unwrap_or_default();
        let exchange = metadata.allow_token_exchange;
        if exchange == Some(true) && application.is_third_party {
            return Err(Code::ThirdPartyTokenExchange.into());
        }
        application.allow_token_exchange = exchange.unwrap_or(application.allow_token_exchange);
        application.is_management = self.is_management.unwrap_or(application.is_management);
        metadata.apply(&mut application.client_settings);
        if let Some(name) = self.name {
            application.name = name.into();
        }
        if let Some(description) = self.description {
            application.description = description.map(Into::into);
        }
        if let Some(metadata) = &self.oidc_client_metadata {
            application.oidc_client_metadata = Column(new::members(metadata)?);
        }
        if let Some(data) = self.custom_data {
            application.custom_data = Column(data);
        }
        Ok(application)
    }
}

refusals!(DeleteRefused: [MANAGEMENT], EntityNotFound, BuiltInApplication);

/// Deletes an application
///
/// Its secrets are worthless from then on, and so are its management tokens. Tokens of users that it got stay valid for reading.
/// `account-center` stays: it is part of the service.
#[utoipa::path(
    operation_id = "DeleteApplication", tag = "Applications", security(("bearer" = [])),
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 204, description = "The application is gone."), DeleteRefused),
)]
#[delete("/applications/{id}")]
pub async fn delete(app: Data<App>, manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let id = ApplicationId(id);
    let mut session = app.db.write().await?;
    remove(&mut session, &id).await?;
    audit::write(&app, &mut session, "application.deleted", &manager, json!({ "id": id })).await?;
    session.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Deletes an application in the caller's transaction; refused where there is none, and for the one that is part of the service.
pub async fn remove(session: &mut Session, id: &ApplicationId) -> Result<()> {
    if id.as_str() == ACCOUNT_CENTER {
        return Err(Code::BuiltInApplication.into());
    }
    if applications::delete(session, id).await? { Ok(()) } else { Err(Code::EntityNotFound.into()) }
}
