//! The audit log, for operators.

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, get, web::Data};
use serde::Serialize;
use serde_json::{Map, Value};

use super::auth::Manager;
use crate::{
    app::App,
    audit::canonical::hex,
    domain::{
        id::{ApplicationId, UserId},
        time::Timestamp,
    },
    error::{Error, Result},
    refusals,
    storage::audit::{self, Filter, Stored},
    web::{
        explain,
        query::{self, Page},
    },
};

/// An event.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    #[schema(example = "019a1b2c-3d4e-7f50-8a6b-7c8d9e0f1a2b")]
    id: String,
    /// When: ISO 8601, in UTC.
    #[schema(example = "2026-11-20T12:00:00.000Z")]
    at: String,
    /// One of those in `docs/audit.md`.
    #[serde(rename = "type")]
    #[schema(example = "verification.succeeded")]
    kind: String,
    /// Whose account it is about.
    #[schema(required, value_type = Option<String>)]
    user_id: Option<UserId>,
    /// Through which application it was done.
    #[schema(required, value_type = Option<String>)]
    application_id: Option<ApplicationId>,
    /// From where.
    #[schema(required)]
    ip: Option<String>,
    /// The `logto-core-request-id` of the answer.
    #[schema(required)]
    request_id: Option<String>,
    /// What else is worth knowing. No secrets; addresses are masked.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
    /// The place in the chain; null for a moment, until it is chained.
    #[schema(required)]
    seq: Option<i64>,
    /// SHA-256 over the hash before and this event, in hexadecimal.
    #[schema(required)]
    hash: Option<String>,
}

impl From<Stored> for AuditEvent {
    fn from(event: Stored) -> Self {
        let Stored { id, at, kind, user_id, application_id, ip, request_id, data, seq, hash } = event;
        let hash = hash.as_deref().map(hex);
        Self { id, at: at.to_iso(), kind, user_id, application_id, ip, request_id, data: data.0, seq, hash }
    }
}

/// Which events to list; all filters given must fit.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters for the OpenAPI document")]
pub struct Wanted {
    /// The type, such as `verification.locked`.
    #[param(required = false, rename = "type", max_length = 64)]
    kind: Option<String>,
    /// Whose account.
    #[param(required = false, rename = "userId", max_length = 64)]
    user: Option<String>,
    /// Through which application.
    #[param(required = false, rename = "applicationId", max_length = 64)]
    application: Option<String>,
    /// From this moment on (RFC 3339).
    #[param(required = false, format = DateTime, max_length = 40, example = "2026-11-20T00:00:00Z")]
    from: Option<String>,
    /// Before this moment.
    #[param(required = false, format = DateTime, max_length = 40, example = "2026-11-21T00:00:00Z")]
    to: Option<String>,
}

/// The filter of a request.
pub struct Asked(Filter);

impl FromRequest for Asked {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let moment = |name: &str| -> Result<Option<Timestamp>> {
            let Some(text) = query::parameter(request, name, 40)? else { return Ok(None) };
            let moment = Timestamp::parse(&text);
            let problem =
                || explain::one("query", name, "Give a moment as RFC 3339 writes it, such as 2026-11-20T12:00:00Z.");
            Ok(Some(moment.ok_or_else(problem)?))
        };
        let read = || {
            Ok(Self(Filter {
                kind: query::parameter(request, "type", 64)?,
                user: query::parameter(request, "userId", 64)?,
                application: query::parameter(request, "applicationId", 64)?,
                from: moment("from")?,
                to: moment("to")?,
            }))
        };
        std::future::ready(read())
    }
}

refusals!(ListRefused: [MANAGEMENT], InvalidInput, InvalidPagination);

/// Lists audit events
///
/// Newest first. `Total-Number` says how many there are, `Link` leads to the other pages.
#[utoipa::path(
    operation_id = "ListAuditEvents", tag = "Audit log", security(("bearer" = [])), params(Page, Wanted),
    responses(
        (status = 200, description = "A page of events.", body = Vec<AuditEvent>, headers(
            ("Total-Number" = i64, description = "How many events fit."),
            ("Link" = String, description = "The pages first, last, prev and next (RFC 8288)."),
        )),
        ListRefused,
    ),
)]
#[get("/audit-events")]
pub async fn list(
    app: Data<App>,
    _manager: Manager,
    page: Page,
    Asked(filter): Asked,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let mut session = app.db.read().await?;
    let total = audit::count(&mut session, &filter).await?;
    let events = audit::list(&mut session, &filter, page.limit(), page.offset()).await?;
    let events: Vec<AuditEvent> = events.into_iter().map(AuditEvent::from).collect();
    Ok(page.answer(&app, &request, total, &events))
}
