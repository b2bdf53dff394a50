//! Operations of other back ends: records opened first, redemption, introspection (contract `operations.md`).

pub mod forward_auth;
mod idempotency;
mod introspect;
mod opening;
mod operations;
mod original;
pub mod party;
mod redeem;
mod reserve;

use crate::web::service::ServiceConfig;

/// Routes below `/api/verifications`, for users and services.
pub fn verification_routes(service: &mut ServiceConfig<'_>) {
    service
        .service(opening::open)
        .service(introspect::introspect)
        .service(opening::show)
        .service(opening::withdraw)
        .service(redeem::redeem)
        .service(reserve::reserve)
        .service(reserve::commit)
        .service(reserve::release);
}

/// Routes below `/api/operations`, for users and services.
pub fn operation_routes(service: &mut ServiceConfig<'_>) {
    service.service(operations::list).service(operations::get);
}
