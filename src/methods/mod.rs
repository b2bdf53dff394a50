//! Verification methods: one file each, one line here.

pub mod code;
pub mod password;

use crate::web::service::ServiceConfig;

/// Routes below `/api/verifications`.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service.service(password::verify).service(password::create).service(code::send).service(code::verify);
}
