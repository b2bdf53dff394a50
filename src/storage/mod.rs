//! SQL and nothing else: one function a statement, one text for SQLite and PostgreSQL (but for a few that skip what is locked).
//!
//! Races are settled by the statement (`update … where spent_at is null`), never by reading first and writing after.

pub mod applications;
pub mod audit;
pub mod audit_chain;
pub mod chores;
mod db;
pub mod directory;
pub mod guesses;
pub mod hooks;
pub mod keys;
pub mod outbox;
pub mod records;
pub mod sealed;
pub mod sends;
mod session;
pub mod sessions;
pub mod settings;
pub mod sweeping;
pub mod tokens;
pub mod users;

pub use db::{Db, Engine, PoolLimits};
pub use session::{Column, Params, Record, Session, Texts, Value};
