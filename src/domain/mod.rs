//! Words and rules: what the service talks about. No I/O, no clock, no SQL.

pub mod id;
pub mod message;
pub mod method;
pub mod refusal;
pub mod time;
