//! What waits to be handed over: messages to people, and what webhooks are told.

use super::{Session, Texts};
use crate::domain::{id::UserId, time::Timestamp};

/// A message to be stored.
pub struct NewMessage<'a> {
    /// Its id.
    pub id: &'a str,
    /// Which queue: `email`, `sms` or `hook`.
    pub kind: &'static str,
    /// The template's name, or the event's.
    pub template: &'static str,
    /// Whom it concerns, where that is known.
    pub user: Option<&'a UserId>,
    /// Recipient and body, sealed.
    pub sealed: &'a [u8],
    /// Creation.
    pub now: Timestamp,
    /// Nobody else tries before.
    pub next_attempt_at: Timestamp,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
    /// Set for a message that nobody is to get.
    pub given_up_at: Option<Timestamp>,
}

/// Adds a message.
pub async fn add(session: &mut Session, message: NewMessage<'_>) -> sqlx::Result<()> {
    let sql =
        "insert into outbox (id, kind, template, user_id, sealed, attempts, created_at, next_attempt_at, expires_at,
                 given_up_at)
               values ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9)";
    let NewMessage { id, kind, template, user, sealed, now, next_attempt_at, expires_at, given_up_at } = message;
    let params = (id, kind, template, user, sealed, now, next_attempt_at, expires_at, given_up_at);
    session.execute(sql, params).await.map(drop)
}

/// A message that is due.
#[derive(Debug, sqlx::FromRow)]
pub struct Due {
    /// Its id.
    pub id: String,
    /// The template's name, or the event's.
    pub template: String,
    /// Whom it concerns.
    pub user_id: Option<UserId>,
    /// Recipient and body, sealed.
    pub sealed: Vec<u8>,
    /// Tries so far, this one included. Whoever stored the message made the try before the first.
    pub attempts: i64,
    /// Tries that failed before this one.
    pub failures: i64,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
}

/// Claims one due message until `lease_end`: no other node tries it meanwhile.
pub async fn claim(
    session: &mut Session,
    kind: &'static str,
    now: Timestamp,
    lease_end: Timestamp,
) -> sqlx::Result<Option<Due>> {
    // Without `skip locked`, all who claim at once would pick the same row, and all but one find nothing.
    const TEXTS: Texts = Texts {
        sqlite: "update outbox set next_attempt_at = $2, attempts = attempts + 1
                 where id = (select id from outbox
                             where kind = $3 and delivered_at is null and given_up_at is null and next_attempt_at <= $1
                             order by next_attempt_at limit 1)
                 returning id, template, user_id, sealed, attempts, failures, expires_at",
        postgres: "update outbox set next_attempt_at = $2, attempts = attempts + 1
                   where id = (select id from outbox
                               where kind = $3 and delivered_at is null and given_up_at is null and next_attempt_at <= $1
                               order by next_attempt_at limit 1 for update skip locked)
                   returning id, template, user_id, sealed, attempts, failures, expires_at",
    };
    let sql = TEXTS.of(session);
    session.fetch_optional(sql, (now, lease_end, kind)).await
}

/// Delivered: the body goes. Like all that follow, only for whoever made the try number `attempts`: false when the lease ran out
/// and another has taken the message over, or finished it.
pub async fn set_delivered(session: &mut Session, id: &str, attempts: i64, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update outbox set delivered_at = $3, sealed = $4
               where id = $1 and attempts = $2 and delivered_at is null and given_up_at is null";
    Ok(session.execute(sql, (id, attempts, now, Vec::<u8>::new())).await? == 1)
}

/// Given up: the body goes.
pub async fn set_given_up(session: &mut Session, id: &str, attempts: i64, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update outbox set given_up_at = $3, sealed = $4
               where id = $1 and attempts = $2 and delivered_at is null and given_up_at is null";
    Ok(session.execute(sql, (id, attempts, now, Vec::<u8>::new())).await? == 1)
}

/// The try failed; to be tried again.
pub async fn set_next_attempt(session: &mut Session, id: &str, attempts: i64, at: Timestamp) -> sqlx::Result<bool> {
    let sql = "update outbox set next_attempt_at = $3, failures = failures + 1
               where id = $1 and attempts = $2 and delivered_at is null and given_up_at is null";
    Ok(session.execute(sql, (id, attempts, at)).await? == 1)
}

/// Removes a message that no channel took and that its sender was told about.
pub async fn delete(session: &mut Session, id: &str, attempts: i64) -> sqlx::Result<bool> {
    let sql = "delete from outbox
               where id = $1 and attempts = $2 and delivered_at is null and given_up_at is null";
    Ok(session.execute(sql, (id, attempts)).await? == 1)
}
