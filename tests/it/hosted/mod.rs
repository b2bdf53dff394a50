//! The authorization endpoint and the hosted pages, as HTTP sees them. What browsers see is in `browser.rs`.

pub mod client;
mod entering;
mod links;
mod requests;
mod step_up;
mod two_factors;
