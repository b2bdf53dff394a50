//! HTTP in and out: who calls, what the body says, how errors look.

pub mod answer;
pub mod caller;
pub mod client;
pub mod cookies;
pub mod dpop;
pub mod edge;
pub mod explain;
pub mod fields;
pub mod floods;
pub mod forwarded;
pub mod guard;
pub mod json;
pub mod oauth;
pub mod openapi;
pub mod pace;
pub mod query;
pub mod routes;
pub mod service;
