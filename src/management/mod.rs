//! The management API (contract 4): users, applications, settings. Behind a token with scope `all`.

pub mod applications;
mod audit_events;
pub mod auth;
mod hooks;
mod sentinel;
mod settings;
mod subject_tokens;
pub mod users;

use crate::web::service::ServiceConfig;

/// Routes at the root, which need no token.
pub fn public_routes(service: &mut ServiceConfig<'_>) {
    service.service(settings::public::account_center).service(settings::public::sign_in_exp);
}

/// Routes below `/api`.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service
        .service(users::create_user)
        .service(users::list)
        .service(users::get)
        .service(users::changes::update)
        .service(users::delete)
        .service(users::password::update)
        .service(users::password::verify)
        .service(users::password::has)
        .service(users::suspend)
        .service(applications::create_application)
        .service(applications::list)
        .service(applications::get)
        .service(applications::update)
        .service(applications::delete)
        .service(applications::secrets::create)
        .service(applications::secrets::list)
        .service(applications::secrets::delete)
        .service(settings::account_center::get)
        .service(settings::account_center::update)
        .service(settings::sign_in_exp::get)
        .service(settings::sign_in_exp::update)
        .service(subject_tokens::create)
        .service(sentinel::delete)
        .service(audit_events::list)
        .service(hooks::create)
        .service(hooks::list)
        .service(hooks::get)
        .service(hooks::update)
        .service(hooks::renew_signing_key)
        .service(hooks::trial::test)
        .service(hooks::delete);
}
