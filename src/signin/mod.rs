//! Where bearer tokens come from: grants, keys, discovery. A later sign-in method is a file here.

pub mod browser;
pub mod clients;
pub mod codes;
mod discovery;
pub mod entering;
mod forwarded;
mod grants;
pub mod hosted;
pub mod issue;
pub mod limits;
mod logout;
mod passwordless;
pub mod redirecting;
mod revocation;
pub mod tickets;
mod token;
mod userinfo;

use crate::web::service::ServiceConfig;

/// Routes at the root.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service
        .service(token::oidc_token)
        .service(token::oauth_token)
        .service(discovery::oidc_document)
        .service(discovery::root_document)
        .service(discovery::root_jwks)
        .service(discovery::oidc_jwks)
        .service(revocation::oidc_revocation)
        .service(revocation::oauth_revoke)
        .service(userinfo::root_get)
        .service(userinfo::root_post)
        .service(userinfo::oidc_get)
        .service(userinfo::oidc_post)
        .service(logout::oidc_get)
        .service(logout::oidc_post)
        .service(logout::session_end_get)
        .service(logout::session_end_post)
        .service(logout::v2_get)
        .configure(hosted::routes)
        .configure(passwordless::routes);
}
