//! Answers that are given again to whoever asks again with the same key.

use super::Session;
use crate::domain::time::Timestamp;

/// An answer that was given.
#[derive(Debug, sqlx::FromRow)]
pub struct Given {
    /// SHA-256 of the request it was given to.
    pub request_hash: Vec<u8>,
    /// Sealed.
    pub answer: Vec<u8>,
}

/// The answer of that key, unless it has expired.
pub async fn find(session: &mut Session, id: &str, now: Timestamp) -> sqlx::Result<Option<Given>> {
    let sql = "select request_hash, answer from idempotent_answers where id = $1 and expires_at > $2";
    session.fetch_optional(sql, (id, now)).await
}

/// Keeps an answer; false when the key has one already. One that has expired gives way.
pub async fn add(
    session: &mut Session,
    id: &str,
    given: &Given,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<bool> {
    let sql =
        "insert into idempotent_answers (id, request_hash, answer, created_at, expires_at) values ($1, $2, $3, $4, $5)
               on conflict (id) do update set request_hash = excluded.request_hash, answer = excluded.answer,
                 created_at = excluded.created_at, expires_at = excluded.expires_at
               where idempotent_answers.expires_at <= $4";
    Ok(session.execute(sql, (id, given.request_hash.as_slice(), given.answer.as_slice(), now, expires_at)).await? == 1)
}
