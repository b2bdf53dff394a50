//! What happened on one's own account: the audit log, as its subject may see it.

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    app::App,
    audit::kinds::{self, By},
    domain::id::ApplicationId,
    error::Result,
    refusals,
    storage::audit::{self, Filter, Stored},
    web::{caller::Caller, query::Page},
};

/// Something that happened.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    #[schema(example = "019a1b2c-3d4e-7f50-8a6b-7c8d9e0f1a2b")]
    id: String,
    /// When: ISO 8601, in UTC.
    #[schema(example = "2026-11-20T12:00:00.000Z")]
    at: String,
    /// What, such as `verification.failed` or `account.password.update`.
    #[serde(rename = "type")]
    #[schema(example = "verification.failed")]
    kind: String,
    /// Through which application.
    #[schema(required, value_type = Option<String>)]
    application_id: Option<ApplicationId>,
    /// From where; null for what was not done with the account's own token.
    #[schema(required)]
    ip: Option<String>,
    /// What else is worth knowing. Addresses are masked.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

impl From<Stored> for Activity {
    fn from(event: Stored) -> Self {
        // Where an operator or a back end sits is not the owner's business.
        let is_own = kinds::find(&event.kind).is_some_and(|kind| kind.by == By::Owner);
        Self {
            id: event.id,
            at: event.at.to_iso(),
            kind: event.kind,
            application_id: event.application_id,
            ip: event.ip.filter(|_| is_own),
            data: event.data.0,
        }
    }
}

refusals!(Refused: [USER], ScopeMissing, InvalidPagination);

/// Lists what happened on one's account
///
/// Newest first, without a verification. `Total-Number` says how much there is, `Link` leads to the other pages.
#[utoipa::path(
    operation_id = "ListActivity", tag = "My account", security(("bearer" = [])), params(Page),
    responses(
        (status = 200, description = "A page of what happened.", body = Vec<Activity>, headers(
            ("Total-Number" = i64, description = "How much there is."),
            ("Link" = String, description = "The pages first, last, prev and next (RFC 8288)."),
        )),
        Refused,
    ),
)]
#[get("/activity")]
pub async fn list(app: Data<App>, caller: Caller, page: Page, request: HttpRequest) -> Result<HttpResponse> {
    caller.require_scope("profile")?;
    let filter = Filter { user: Some(caller.user.id.0.clone()), ..Filter::default() };
    let mut session = app.db.read().await?;
    let total = audit::count(&mut session, &filter).await?;
    let events = audit::list(&mut session, &filter, page.limit(), page.offset()).await?;
    let events: Vec<Activity> = events.into_iter().map(Activity::from).collect();
    Ok(page.answer(&app, &request, total, &events))
}
