//! Signing in on pages of ours (contract `auth0.md` 4): the authorization endpoint, and what people see until they are sent back.
//!
//! Every step is a form that works without a script; what is where follows from the flow's row, so that reloading, going back and a
//! second tab do no harm.

mod authorize;
pub mod back;
pub mod flow;
pub mod forms;
pub mod judging;
mod more;
mod parameters;
pub mod proving;
pub mod request;
mod show;
mod steps;
mod ticket;

use crate::web::service::ServiceConfig;
use actix_web::web::{get, post};

/// Routes at the root. They are listed in `server::routes::UNDOCUMENTED`.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service
        .route("/authorize", get().to(authorize::root))
        .route("/authorize", post().to(authorize::by_form))
        .route("/oidc/auth", get().to(authorize::oidc))
        .route("/oidc/auth", post().to(authorize::by_form))
        .route("/sign-in", get().to(show::page))
        .route("/sign-in/identifier", post().to(steps::identifier))
        .route("/sign-in/code", post().to(steps::code))
        .route("/sign-in/password", post().to(steps::password))
        .route("/sign-in/again", post().to(steps::again))
        .route("/sign-in/continue", post().to(steps::go_on))
        .route("/sign-in/cancel", post().to(steps::cancel));
}
