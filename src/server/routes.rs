//! Every route. Each folder registers its own.

use actix_web::{http::Method, middleware::from_fn, web::get};
use utoipa_actix_web::{scope, service_config::ServiceConfig};

use super::{account, documents, health};
use crate::{
    management::{self, auth::authorize},
    methods, operations,
    relying::{self, party},
    signin,
    web::caller::authenticate,
};

/// All of them, with the wraps that guard them.
pub fn all(service: &mut ServiceConfig<'_>) {
    service
        .service(
            scope::scope("/api/verifications")
                .wrap(from_fn(party::authenticate))
                .configure(methods::routes)
                .configure(relying::verification_routes),
        )
        .service(
            scope::scope("/api/operations").wrap(from_fn(party::authenticate)).configure(relying::operation_routes),
        )
        .service(scope::scope("/api/my-account").wrap(from_fn(authenticate)).configure(operations::routes))
        .configure(signin::routes)
        .map(|service| service.configure(relying::forward_auth::routes))
        .configure(management::public_routes)
        .route("/account", get().to(account::show))
        .service(documents::openapi_json)
        .service(documents::reference)
        .service(health::healthz)
        .service(health::readyz)
        .service(health::metrics)
        .service(scope::scope("/api").wrap(from_fn(authorize)).configure(management::routes));
}

/// Paths that are not in the OpenAPI document: they are for browsers, and answer with pages and redirects; or for proxies, with any method.
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
    ("/sign-in/again", &[Method::POST]),
    ("/sign-in/continue", &[Method::POST]),
    ("/sign-in/cancel", &[Method::POST]),
];
