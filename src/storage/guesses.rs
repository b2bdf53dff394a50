//! Counting guesses. Every guess of one user's one method begins by touching the pair's guard row, so guesses take turns.

use super::Session;
use crate::domain::{
    guard::{Guard, Window},
    id::UserId,
    time::Timestamp,
};

/// Takes the pair's lock for the rest of the transaction.
pub async fn hold(session: &mut Session, user: &UserId, method: &'static str, now: Timestamp) -> sqlx::Result<Guard> {
    let sql = "insert into guess_guards (user_id, method, touched_at, locked_until, locks, failures_in_a_row)
               values ($1, $2, $3, 0, 0, 0)
               on conflict (user_id, method) do update set touched_at = excluded.touched_at
               returning locked_until, locks, failures_in_a_row";
    session.fetch_one(sql, (user, method, now)).await
}

/// Counts a guess that is about to be judged, unless one more could be one too many: as many may be judged at a time as failures are
/// left of `most`, and one at least. Call [`hold`] first.
pub async fn add_judged(
    session: &mut Session,
    id: &str,
    user: &UserId,
    method: &'static str,
    now: Timestamp,
    most: i64,
) -> sqlx::Result<bool> {
    let sql = "insert into guesses (id, user_id, method, at, failed)
               select $1, $2, $3, $4, false
               where (select count(*) from guesses
                      where user_id = $2 and method = $3 and at > $5 and not failed and at >= $6)
                   < (select case when count(*) < $7 then $7 - count(*) else 1 end from guesses
                      where user_id = $2 and method = $3 and at > $5 and (failed or at < $6))";
    let Window { since, stale } = Window::until(now);
    Ok(session.execute(sql, (id, user, method, now, since, stale, most)).await? == 1)
}

/// Counts a guess that failed.
pub async fn add_failed(
    session: &mut Session,
    id: &str,
    user: &UserId,
    method: &'static str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into guesses (id, user_id, method, at, failed) values ($1, $2, $3, $4, true)";
    session.execute(sql, (id, user, method, now)).await.map(drop)
}

/// Failures of the pair in the window that ends now.
pub async fn count_failed(
    session: &mut Session,
    user: &UserId,
    method: &'static str,
    now: Timestamp,
) -> sqlx::Result<i64> {
    let sql = "select count(*) from guesses
               where user_id = $1 and method = $2 and at > $3 and (failed or at < $4)";
    let Window { since, stale } = Window::until(now);
    session.fetch_value(sql, (user, method, since, stale)).await
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

/// The method was bound anew: its locks and its row of failures end. What was counted in the window still counts.
pub async fn unlock(session: &mut Session, user: &UserId, method: &'static str) -> sqlx::Result<()> {
    let sql = "update guess_guards set failures_in_a_row = 0, locks = 0, locked_until = 0
               where user_id = $1 and method = $2";
    session.execute(sql, (user, method)).await.map(drop)
}

/// An operator vouches for the user: every lock ends and every count is gone.
pub async fn forget(session: &mut Session, user: &UserId) -> sqlx::Result<u64> {
    let guards = session.execute("delete from guess_guards where user_id = $1", (user,)).await?;
    Ok(guards + session.execute("delete from guesses where user_id = $1", (user,)).await?)
}
