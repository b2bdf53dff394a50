//! Alive, ready, measured.

use actix_web::{HttpResponse, get, web::Data};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;

use crate::{app::App, error::Result, refusals};

/// All is well.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

/// Says that the process is alive
#[utoipa::path(operation_id = "GetHealth", tag = "Operation", responses((status = 200, description = "It is.", body = Health)))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(OK)
}

refusals!(ReadyRefused: []);

/// Says whether requests can be served: the database takes changes, and its schema is up to date
#[utoipa::path(operation_id = "GetReadiness", tag = "Operation", responses((status = 200, description = "They can.", body = Health), ReadyRefused))]
#[get("/readyz")]
pub async fn readyz(app: Data<App>) -> Result<HttpResponse> {
    app.require_readiness().await?;
    Ok(HttpResponse::Ok().json(OK))
}

/// Counts and times, in the text format of Prometheus
#[utoipa::path(operation_id = "GetMetrics", tag = "Operation", responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")))]
#[get("/metrics")]
pub async fn metrics(handle: Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(handle.render())
}
