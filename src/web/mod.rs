//! HTTP in and out: who calls, what the body says, how errors look.

pub mod answer;
pub mod caller;
pub mod client;
pub mod edge;
mod explain;
pub mod json;
pub mod openapi;
pub mod routes;
