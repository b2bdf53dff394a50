//! Work that one node at a time does.

use std::time::Duration;

use super::Session;
use crate::domain::time::Timestamp;

/// The clock was ahead, and is right now: what was put off until the time it showed is due.
pub async fn catch_up(session: &mut Session, now: Timestamp) -> sqlx::Result<()> {
    // Nothing is put off for longer on purpose: no message lives that long.
    let latest = now.plus(Duration::from_secs(25 * 3600));
    session.execute("update chores set next_at = $1 where next_at > $2", (now, latest)).await?;
    let sql = "update outbox set next_attempt_at = $1
               where next_attempt_at > $2 and delivered_at is null and given_up_at is null";
    session.execute(sql, (now, latest)).await.map(drop)
}

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
