//! SQL and nothing else: one function a statement, one text for SQLite and PostgreSQL.
//!
//! Races are settled by the statement (`update … where spent_at is null`), never by reading first and writing after.

mod db;
pub mod records;
mod session;
pub mod users;

pub use db::{Db, Engine};
pub use session::{Column, Params, Record, Session, Value};
