//! Messages that wait for a channel.

use super::Session;
use crate::domain::{id::UserId, time::Timestamp};

/// A message to be stored.
pub struct NewMessage<'a> {
    /// Its id.
    pub id: &'a str,
    /// `email` or `sms`.
    pub kind: &'static str,
    /// The template's name.
    pub template: &'static str,
    /// Whom it concerns.
    pub user: &'a UserId,
    /// Recipient and body, sealed.
    pub sealed: &'a [u8],
    /// Creation.
    pub now: Timestamp,
    /// Nobody else tries before.
    pub next_attempt_at: Timestamp,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
}

/// Adds a message.
pub async fn add(session: &mut Session, message: NewMessage<'_>) -> sqlx::Result<()> {
    let sql =
        "insert into outbox (id, kind, template, user_id, sealed, attempts, created_at, next_attempt_at, expires_at)
               values ($1, $2, $3, $4, $5, 0, $6, $7, $8)";
    let NewMessage { id, kind, template, user, sealed, now, next_attempt_at, expires_at } = message;
    session.execute(sql, (id, kind, template, user, sealed, now, next_attempt_at, expires_at)).await.map(drop)
}

/// A message that is due.
#[derive(Debug, sqlx::FromRow)]
pub struct Due {
    /// Its id.
    pub id: String,
    /// E-mail or text message.
    pub kind: String,
    /// What it says.
    pub template: String,
    /// Whom it is about.
    pub user_id: Option<UserId>,
    /// Recipient and body, sealed.
    pub sealed: Vec<u8>,
    /// Tries so far, this one included.
    pub attempts: i64,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
}

/// Claims one due message until `lease_end`: no other node tries it meanwhile.
pub async fn claim(session: &mut Session, now: Timestamp, lease_end: Timestamp) -> sqlx::Result<Option<Due>> {
    // One text for both engines: two claimers may pick the same row, and the outer condition lets one of them have it.
    let sql = "update outbox set next_attempt_at = $2, attempts = attempts + 1
               where id = (select id from outbox
                           where delivered_at is null and given_up_at is null and next_attempt_at <= $1
                           order by next_attempt_at limit 1)
                 and delivered_at is null and given_up_at is null and next_attempt_at <= $1
               returning id, kind, template, user_id, sealed, attempts, expires_at";
    session.fetch_optional(sql, (now, lease_end)).await
}

/// Delivered: the body goes.
pub async fn set_delivered(session: &mut Session, id: &str, now: Timestamp) -> sqlx::Result<()> {
    let sql = "update outbox set delivered_at = $2, sealed = $3 where id = $1";
    session.execute(sql, (id, now, Vec::<u8>::new())).await.map(drop)
}

/// Given up: the body goes.
pub async fn set_given_up(session: &mut Session, id: &str, now: Timestamp) -> sqlx::Result<()> {
    let sql = "update outbox set given_up_at = $2, sealed = $3 where id = $1";
    session.execute(sql, (id, now, Vec::<u8>::new())).await.map(drop)
}

/// To be tried again.
pub async fn set_next_attempt(session: &mut Session, id: &str, at: Timestamp) -> sqlx::Result<()> {
    session.execute("update outbox set next_attempt_at = $2 where id = $1", (id, at)).await.map(drop)
}

/// Removes a message that no channel took and that its sender was told about.
pub async fn delete(session: &mut Session, id: &str) -> sqlx::Result<()> {
    session.execute("delete from outbox where id = $1", (id,)).await.map(drop)
}
