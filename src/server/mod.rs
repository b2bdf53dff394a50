//! The running service: routes put together, started, stopped.

mod account;
mod documents;
mod health;
mod mailbox;
pub mod metrics;
mod page;
mod patient;
mod refine;
mod routes;
mod start;

pub use documents::openapi;
pub use start::{Options, Running, build_app, start};
