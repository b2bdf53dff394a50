//! Counting messages. A send begins by touching the guard rows of its sender and its recipient, so sends take turns.

use super::Session;
use crate::domain::{id::UserId, time::Timestamp};

/// Takes a subject's lock for the rest of the transaction. Ask for several in sorted order.
pub async fn hold(session: &mut Session, subject: &str, now: Timestamp) -> sqlx::Result<()> {
    let sql = "insert into send_guards (subject, touched_at) values ($1, $2)
               on conflict (subject) do update set touched_at = excluded.touched_at";
    session.execute(sql, (subject, now)).await.map(drop)
}

/// Takes a subject's lock, unless somebody did after `since`; says whether it was taken.
pub async fn hold_once(session: &mut Session, subject: &str, now: Timestamp, since: Timestamp) -> sqlx::Result<bool> {
    let sql = "insert into send_guards (subject, touched_at) values ($1, $2)
               on conflict (subject) do update set touched_at = excluded.touched_at where send_guards.touched_at <= $3";
    Ok(session.execute(sql, (subject, now, since)).await? == 1)
}

/// What was sent lately.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Tally {
    /// To the recipient, and when the first of these was.
    pub to_recipient: i64,
    /// When the first of these was.
    pub first_to_recipient: Option<Timestamp>,
    /// By the user.
    pub by_user: i64,
    /// When the first of these was.
    pub first_by_user: Option<Timestamp>,
    /// The latest by the user to the recipient.
    pub latest_of_pair: Option<Timestamp>,
}

/// Counts messages to `recipient` and by `user`, each in its own window.
pub async fn count(
    session: &mut Session,
    recipient: &[u8],
    user: &UserId,
    recipient_since: Timestamp,
    user_since: Timestamp,
) -> sqlx::Result<Tally> {
    let sql = "select
         (select count(*) from sends where recipient_hash = $1 and at > $3) as to_recipient,
         (select min(at) from sends where recipient_hash = $1 and at > $3) as first_to_recipient,
         (select count(*) from sends where user_id = $2 and at > $4) as by_user,
         (select min(at) from sends where user_id = $2 and at > $4) as first_by_user,
         (select max(at) from sends where user_id = $2 and recipient_hash = $1) as latest_of_pair";
    session.fetch_one(sql, (recipient, user, recipient_since, user_since)).await
}

/// Counts one.
pub async fn add(session: &mut Session, id: &str, recipient: &[u8], user: &UserId, now: Timestamp) -> sqlx::Result<()> {
    let sql = "insert into sends (id, recipient_hash, user_id, at) values ($1, $2, $3, $4)";
    session.execute(sql, (id, recipient, user, now)).await.map(drop)
}

/// What was sent to a recipient lately, and by one sender that is no user.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct AnonymousTally {
    /// To the recipient.
    pub to_recipient: i64,
    /// When the first of these was.
    pub first_to_recipient: Option<Timestamp>,
    /// The latest by the sender to the recipient.
    pub latest_of_pair: Option<Timestamp>,
}

/// Counts messages to `recipient`, whoever caused them.
pub async fn count_anonymous(
    session: &mut Session,
    recipient: &[u8],
    sender: &str,
    recipient_since: Timestamp,
) -> sqlx::Result<AnonymousTally> {
    let sql = "select
         (select count(*) from sends where recipient_hash = $1 and at > $3) as to_recipient,
         (select min(at) from sends where recipient_hash = $1 and at > $3) as first_to_recipient,
         (select max(at) from sends where recipient_hash = $1 and sender = $2) as latest_of_pair";
    session.fetch_one(sql, (recipient, sender, recipient_since)).await
}

/// Counts one that no user caused.
pub async fn add_anonymous(
    session: &mut Session,
    id: &str,
    recipient: &[u8],
    sender: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into sends (id, recipient_hash, sender, at) values ($1, $2, $3, $4)";
    session.execute(sql, (id, recipient, sender, now)).await.map(drop)
}

/// A message that no channel took does not count (contract 1.2, step 9).
pub async fn delete(session: &mut Session, id: &str) -> sqlx::Result<()> {
    session.execute("delete from sends where id = $1", (id,)).await.map(drop)
}

/// A span of time in which messages of a subject are counted together.
#[derive(Clone, Debug)]
pub struct Window {
    /// What is counted.
    pub subject: String,
    /// When the window began.
    pub begins_at: Timestamp,
    /// When it is over.
    pub ends_at: Timestamp,
}

/// Counts one in a window, in one statement, where there are fewer than `most`; gives the number there are now. Held until the
/// transaction ends. `most` must be 1 or more.
pub async fn count_in(session: &mut Session, window: &Window, most: i64) -> sqlx::Result<Option<i64>> {
    let sql = "insert into send_counters (subject, begins_at, ends_at, sent) values ($1, $2, $3, 1)
               on conflict (subject, begins_at) do update set sent = send_counters.sent + 1 where send_counters.sent < $4
               returning sent";
    let params = (window.subject.as_str(), window.begins_at, window.ends_at, most);
    Ok(session.fetch_optional::<(i64,)>(sql, params).await?.map(|(sent,)| sent))
}

/// Takes one back.
pub async fn take_back(session: &mut Session, window: &Window) -> sqlx::Result<()> {
    let sql = "update send_counters set sent = sent - 1 where subject = $1 and begins_at = $2 and sent > 0";
    session.execute(sql, (window.subject.as_str(), window.begins_at)).await.map(drop)
}

/// An operator vouches for a recipient: what was sent to it no longer counts.
pub async fn forget(session: &mut Session, recipient: &[u8]) -> sqlx::Result<u64> {
    session.execute("delete from sends where recipient_hash = $1", (recipient,)).await
}
