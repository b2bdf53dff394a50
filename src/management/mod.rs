//! The management API (contract 4): users, applications, settings. Behind a token with scope `all`.

pub mod auth;

use utoipa_actix_web::service_config::ServiceConfig;

/// Routes below `/api`.
pub fn routes(_service: &mut ServiceConfig<'_>) {}
