//! Counting guesses. Every guess of one user's one method begins by touching the pair's guard row, so guesses take turns.

use super::Session;
use crate::domain::{id::UserId, time::Timestamp};

/// The state of a user's method.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Guard {
    /// Nothing is evaluated before this moment.
    pub locked_until: Timestamp,
    /// Locks in a row.
    pub locks: i64,
    /// Failures since the last success.
    pub failures_in_a_row: i64,
}

/// Takes the pair's lock for the rest of the transaction.
pub async fn hold(session: &mut Session, user: &UserId, method: &'static str, now: Timestamp) -> sqlx::Result<Guard> {
    let sql = "insert into guess_guards (user_id, method, touched_at, locked_until, locks, failures_in_a_row)
               values ($1, $2, $3, 0, 0, 0)
               on conflict (user_id, method) do update set touched_at = excluded.touched_at
               returning locked_until, locks, failures_in_a_row";
    session.fetch_one(sql, (user, method, now)).await
}

/// Counts a guess: failed, or still being judged.
pub async fn add(
    session: &mut Session,
    id: &str,
    user: &UserId,
    method: &'static str,
    now: Timestamp,
    failed: bool,
) -> sqlx::Result<()> {
    let sql = "insert into guesses (id, user_id, method, at, failed) values ($1, $2, $3, $4, $5)";
    session.execute(sql, (id, user, method, now, failed)).await.map(drop)
}

/// Guesses of a pair in the window.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Tally {
    /// That failed, or whose judge died.
    pub failed: i64,
    /// That are being judged at the moment.
    pub judged: i64,
}

/// Guesses of the pair since `since`. One that has been judged since before `stale` counts as failed.
pub async fn count(
    session: &mut Session,
    user: &UserId,
    method: &'static str,
    since: Timestamp,
    stale: Timestamp,
) -> sqlx::Result<Tally> {
    let sql = "select cast(coalesce(sum(case when failed or at < $4 then 1 else 0 end), 0) as bigint) as failed,
                      cast(coalesce(sum(case when failed or at < $4 then 0 else 1 end), 0) as bigint) as judged
               from guesses where user_id = $1 and method = $2 and at > $3";
    session.fetch_one(sql, (user, method, since, stale)).await
}

/// A guess was right: its row goes.
pub async fn forgive(session: &mut Session, id: &str) -> sqlx::Result<()> {
    session.execute("delete from guesses where id = $1", (id,)).await.map(drop)
}

/// A guess was wrong.
pub async fn set_failed(session: &mut Session, id: &str) -> sqlx::Result<()> {
    session.execute("update guesses set failed = true where id = $1", (id,)).await.map(drop)
}

/// A success ends the row of failures and of locks; failures of the last hour still count.
pub async fn set_succeeded(session: &mut Session, user: &UserId, method: &'static str) -> sqlx::Result<()> {
    let sql = "update guess_guards set failures_in_a_row = 0, locks = 0 where user_id = $1 and method = $2
                 and (failures_in_a_row > 0 or locks > 0)";
    session.execute(sql, (user, method)).await.map(drop)
}

/// A failure; `locked_until` of the past locks nothing.
pub async fn set_failure(
    session: &mut Session,
    user: &UserId,
    method: &'static str,
    locked_until: Option<Timestamp>,
) -> sqlx::Result<()> {
    let sql = "update guess_guards set failures_in_a_row = failures_in_a_row + 1,
                 locked_until = coalesce($3, locked_until),
                 locks = case when $3 is null then locks else locks + 1 end
               where user_id = $1 and method = $2";
    session.execute(sql, (user, method, locked_until)).await.map(drop)
}
