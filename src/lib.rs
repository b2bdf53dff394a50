//! Countersign asks a signed-in user again before a risky action. The map of the code is in the README.
//!
//! Folders are floors: a module imports only modules above it in this list (`tests/it/floors.rs` holds the line).

pub mod domain;

pub mod error;

pub mod config;

pub mod clock;

pub mod storage;

pub mod crypto;

pub mod texts;

pub mod channels;

pub mod app;

pub mod post;

pub mod pages;

pub mod web;

pub mod hooks;

pub mod audit;

pub mod stepup;

pub mod methods;

pub mod operations;

pub mod signin;

pub mod relying;

pub mod management;

pub mod jobs;

pub mod server;

pub mod telemetry;

pub mod cli;
