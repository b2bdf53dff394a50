//! Words and rules: what the service talks about. No I/O, no clock, no SQL.

pub mod application;
pub mod blocklist;
pub mod calling_codes;
pub mod common_passwords;
pub mod hook;
pub mod id;
pub mod identifier;
pub mod message;
pub mod method;
pub mod password;
pub mod password_policy;
pub mod refusal;
pub mod requirement;
pub mod settings;
pub mod target;
pub mod target_route;
pub mod time;
pub mod user;
pub mod username;
