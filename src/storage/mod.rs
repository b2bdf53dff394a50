//! SQL and nothing else: one function a statement, one text for SQLite and PostgreSQL (but for a few that skip what is locked).
//!
//! Races are settled by the statement (`update … where spent_at is null`), never by reading first and writing after.

pub mod applications;
pub mod audit;
pub mod audit_chain;
pub mod authorization_codes;
pub mod chores;
pub mod code_failures;
mod connections;
mod db;
pub mod directory;
pub mod guesses;
pub mod hooks;
pub mod idempotent_answers;
pub mod keys;
mod lease;
pub mod login_tickets;
pub mod openings;
pub mod outbox;
pub mod rates;
pub mod records;
pub mod refresh_tokens;
pub mod sealed;
pub mod seen_ids;
pub mod sends;
mod session;
pub mod sessions;
pub mod settings;
pub mod sign_in_codes;
pub mod sign_in_flows;
pub mod sweeping;
pub mod tokens;
pub mod users;

pub use db::{Db, Engine, PoolLimits};
pub use session::{Column, Params, Record, Session, Texts, Value};
