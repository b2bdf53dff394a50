//! Verification methods: one file each, one line here.

pub mod code;
pub mod password;

use utoipa_actix_web::service_config::ServiceConfig;

/// Routes below `/api/verifications`.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service.service(password::verify).service(password::create).service(code::send).service(code::verify);
}
