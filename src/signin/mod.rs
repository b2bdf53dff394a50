//! Where bearer tokens come from: grants, keys, discovery. A later sign-in method is a file here.

pub mod clients;
pub mod codes;
mod discovery;
pub mod entering;
mod grants;
pub mod hosted;
pub mod issue;
pub mod limits;
pub mod redirecting;
mod token;

use utoipa_actix_web::service_config::ServiceConfig;

/// Routes at the root.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service
        .service(token::oidc_token)
        .service(token::oauth_token)
        .service(discovery::oidc_document)
        .service(discovery::root_document)
        .service(discovery::root_jwks)
        .service(discovery::oidc_jwks)
        .configure(hosted::routes);
}
