//! Counting wrong codes for an address, of those that only their holder can use. Every failure begins by touching the address's guard row,
//! so failures take turns.

use super::Session;
use crate::domain::time::Timestamp;

/// How an address stands.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Standing {
    /// Wrong short codes since the moment asked about, and those that can still be shown of short codes that are out.
    pub at_stake: i64,
    /// Until then codes are long; 0 where there is no guard.
    pub guarded_until: Timestamp,
    /// Failures since the last success.
    pub failures_in_a_row: i64,
}

/// Of which address, and what counts.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Of the counts.
    pub subject: &'a str,
    /// [`crate::domain::application::Connection::name`].
    pub connection: &'static str,
    /// E-mail key or E.164 digits.
    pub identifier: &'a str,
    /// Tries of one code.
    pub tries: i64,
    /// Failures after this moment count.
    pub since: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// In one statement, so that a guess that is being judged counts as one or the other. Whoever asks holds the lock of the recipient, so
/// that no other code goes out meanwhile.
pub async fn standing(session: &mut Session, asked: Asked<'_>) -> sqlx::Result<Standing> {
    let sql = "select
         (select count(*) from code_failures where subject = $1 and at > $2)
           + (select cast(coalesce(sum($3 - guesses), 0) as bigint) from sign_in_codes
              where identifier = $4 and connection = $5 and handle_hash is not null and not is_long
                and used_at is null and replaced_at is null and expires_at > $6 and guesses < $3) as at_stake,
         coalesce((select guarded_until from code_guards where subject = $1), 0) as guarded_until,
         coalesce((select failures_in_a_row from code_guards where subject = $1), 0) as failures_in_a_row";
    let Asked { subject, connection, identifier, tries, since, now } = asked;
    session.fetch_one(sql, (subject, since, tries, identifier, connection, now)).await
}

/// An address's guard.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Guard {
    /// Until then codes are long.
    pub guarded_until: Timestamp,
    /// Guards in a row.
    pub guards: i64,
}

/// Counts a failure; gives the guard, held for the rest of the transaction.
pub async fn add(
    session: &mut Session,
    id: &str,
    subject: &str,
    now: Timestamp,
    forgotten_at: Timestamp,
) -> sqlx::Result<Guard> {
    let sql = "insert into code_guards (subject, touched_at, guarded_until, guards, failures_in_a_row, forgotten_at)
               values ($1, $2, 0, 0, 1, $3)
               on conflict (subject) do update set touched_at = excluded.touched_at, forgotten_at = excluded.forgotten_at,
                 failures_in_a_row = code_guards.failures_in_a_row + 1
               returning guarded_until, guards";
    let guard = session.fetch_one(sql, (subject, now, forgotten_at)).await?;
    session.execute("insert into code_failures (id, subject, at) values ($1, $2, $3)", (id, subject, now)).await?;
    Ok(guard)
}

/// Failures after a moment.
pub async fn count(session: &mut Session, subject: &str, since: Timestamp) -> sqlx::Result<i64> {
    session.fetch_value("select count(*) from code_failures where subject = $1 and at > $2", (subject, since)).await
}

/// Codes are long until then.
pub async fn set_guarded(session: &mut Session, subject: &str, until: Timestamp) -> sqlx::Result<()> {
    let sql = "update code_guards set guarded_until = $2, guards = guards + 1 where subject = $1";
    session.execute(sql, (subject, until)).await.map(drop)
}

/// Somebody has proved the address: its guard ends. Failures of the last hour still count.
pub async fn set_succeeded(session: &mut Session, subject: &str) -> sqlx::Result<()> {
    let sql = "update code_guards set guarded_until = 0, guards = 0, failures_in_a_row = 0
               where subject = $1 and (failures_in_a_row > 0 or guards > 0)";
    session.execute(sql, (subject,)).await.map(drop)
}
