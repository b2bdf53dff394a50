//! Every route. Each folder registers its own.

use actix_web::{Scope, dev::HttpServiceFactory, http::Method, middleware::from_fn, web::get};

use super::{account, documents, health};
use crate::{
    management::{self, auth::authorize},
    methods, operations,
    relying::{self, party},
    signin,
    web::{caller::authenticate, service::ServiceConfig},
};

/// All of them, with the wraps that guard them.
pub fn all(service: &mut ServiceConfig<'_>) {
    service
        .scope("/api/verifications", of_parties, |service| {
            service.configure(methods::routes).configure(relying::verification_routes);
        })
        .scope("/api/operations", of_parties, relying::operation_routes)
        .scope("/api/my-account", of_users, operations::routes)
        .configure(signin::routes)
        .configure(relying::forward_auth::routes)
        .configure(management::public_routes)
        .route("/account", get().to(account::show))
        .service(documents::openapi_json)
        .service(documents::reference)
        .service(health::healthz)
        .service(health::readyz)
        .service(health::metrics)
        .scope("/api", |scope| scope.wrap(from_fn(authorize)), management::routes);
}

/// Users, and services by themselves.
fn of_parties(scope: Scope) -> impl HttpServiceFactory {
    scope.wrap(from_fn(party::authenticate))
}

fn of_users(scope: Scope) -> impl HttpServiceFactory {
    scope.wrap(from_fn(authenticate))
}

/// Paths that are not in the OpenAPI document: they are for browsers, and answer with pages and redirects; or for proxies, which come
/// with any method.
pub const UNDOCUMENTED: &[(&str, &[Method])] = &[
    ("/mailbox", &[Method::GET]),
    ("/account", &[Method::GET]),
    ("/forward-auth", &[]),
    ("/forward-auth/{target:.*}", &[]),
    ("/authorize", &[Method::GET, Method::POST]),
    ("/oidc/auth", &[Method::GET, Method::POST]),
    ("/passwordless/verify_redirect", &[Method::GET, Method::POST]),
    ("/passwordless/verify-redirect", &[Method::GET, Method::POST]),
    ("/sign-in", &[Method::GET]),
    ("/sign-in/identifier", &[Method::POST]),
    ("/sign-in/code", &[Method::POST]),
    ("/sign-in/password", &[Method::POST]),
    ("/sign-in/again", &[Method::POST]),
    ("/sign-in/continue", &[Method::POST]),
    ("/sign-in/cancel", &[Method::POST]),
];
