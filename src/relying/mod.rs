//! Back ends that rely on Countersign before they act.

pub mod forward_auth;
mod original;
