//! Countersign asks a signed-in user again before a risky action. The map of the code is in the README.
//!
//! Folders are floors: a module imports only modules above it in this list (`tests/it/floors.rs` holds the line).

pub mod channels;
pub mod config;
pub mod domain;
pub mod error;
pub mod texts;
