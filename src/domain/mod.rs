//! Words and rules: what the service talks about. No I/O, no clock, no SQL.

pub mod application;
pub mod blocklist;
pub mod calling_codes;
pub mod canonical;
pub mod common_passwords;
pub mod decimal;
pub mod demand;
pub mod hook;
pub mod id;
pub mod identifier;
pub mod inert;
pub mod message;
pub mod method;
pub mod password;
pub mod password_policy;
pub mod payload;
pub mod policy;
pub mod refusal;
pub mod requirement;
pub mod settings;
pub mod statement;
pub mod target;
pub mod target_route;
pub mod time;
pub mod user;
pub mod username;
