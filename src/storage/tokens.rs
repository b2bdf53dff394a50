//! Subject tokens: tickets for one token exchange.

use super::Session;
use crate::{
    clock::LEEWAY,
    domain::{id::UserId, time::Timestamp},
};

/// Adds a subject token, by its SHA-256.
pub async fn add(
    session: &mut Session,
    token_hash: &[u8],
    user: &UserId,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into subject_tokens (token_hash, user_id, created_at, expires_at) values ($1, $2, $3, $4)";
    session.execute(sql, (token_hash, user, now, expires_at)).await.map(drop)
}

/// Whose a subject token is that can be used now.
pub async fn find_owner(session: &mut Session, token_hash: &[u8], now: Timestamp) -> sqlx::Result<Option<UserId>> {
    let sql = "select user_id from subject_tokens
               where token_hash = $1 and consumed_at is null and expires_at > $2 and created_at <= $3";
    let row: Option<(UserId,)> = session.fetch_optional(sql, (token_hash, now, now.plus(LEEWAY))).await?;
    Ok(row.map(|(user,)| user))
}

/// Uses a subject token, once; false when it was used before, or is too old.
pub async fn spend(session: &mut Session, token_hash: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update subject_tokens set consumed_at = $2
               where token_hash = $1 and consumed_at is null and expires_at > $2 and created_at <= $3";
    Ok(session.execute(sql, (token_hash, now, now.plus(LEEWAY))).await? == 1)
}

/// Uses up every subject token of the user.
pub async fn spend_all(session: &mut Session, user: &UserId, now: Timestamp) -> sqlx::Result<u64> {
    session
        .execute("update subject_tokens set consumed_at = $2 where user_id = $1 and consumed_at is null", (user, now))
        .await
}
