//! The management API (contract 4): users, applications, settings. Behind a token with scope `all`.

pub mod auth;
pub mod users;

use utoipa_actix_web::service_config::ServiceConfig;

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
        .service(users::suspend);
}
