//! Work that one node at a time does.

use super::Session;
use crate::domain::time::Timestamp;

/// Notes when something was done last.
pub async fn touch(session: &mut Session, name: &str, now: Timestamp) -> sqlx::Result<()> {
    let sql = "insert into chores (name, next_at) values ($1, $2)
               on conflict (name) do update set next_at = excluded.next_at";
    session.execute(sql, (name, now)).await.map(drop)
}

/// Takes the work `name` until `next_at`; false when another node has it, or did it lately.
pub async fn claim(session: &mut Session, name: &str, now: Timestamp, next_at: Timestamp) -> sqlx::Result<bool> {
    let sql = "insert into chores (name, next_at) values ($1, $3)
               on conflict (name) do update set next_at = excluded.next_at where chores.next_at <= $2";
    Ok(session.execute(sql, (name, now, next_at)).await? == 1)
}
