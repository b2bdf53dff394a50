//! Refresh tokens, by digest. Each is used once and followed by another; the session they belong to is the family.

use super::Session;
use crate::domain::{
    id::{ApplicationId, SessionId, UserId},
    time::Timestamp,
};

/// A refresh token as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RefreshToken {
    /// Its family.
    pub session_id: SessionId,
    /// To whom it was issued.
    pub application_id: ApplicationId,
    /// Whose.
    pub user_id: UserId,
    /// What it can get, separated by spaces.
    pub scope: String,
    /// For which API, beside ours.
    pub audience: Option<String>,
    /// The thumbprint of the key whose holder alone may use it.
    pub dpop_jkt: Option<String>,
    /// When it is worthless.
    pub expires_at: Timestamp,
    /// When it was followed by another.
    pub used_at: Option<Timestamp>,
}

/// Adds a token; false when one of that digest is there already.
pub async fn add(session: &mut Session, hash: &[u8], token: &RefreshToken, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "insert into refresh_tokens (token_hash, session_id, application_id, user_id, scope, audience, dpop_jkt, created_at,
                 expires_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (token_hash) do nothing";
    let RefreshToken { session_id, application_id, user_id, scope, audience, dpop_jkt, expires_at, .. } = token;
    let params = (hash, session_id, application_id, user_id, scope, audience, dpop_jkt, now, *expires_at);
    Ok(session.execute(sql, params).await? == 1)
}

/// The token of that digest.
pub async fn find(session: &mut Session, hash: &[u8]) -> sqlx::Result<Option<RefreshToken>> {
    let sql = "select session_id, application_id, user_id, scope, audience, dpop_jkt, expires_at, used_at
               from refresh_tokens where token_hash = $1";
    session.fetch_optional(sql, (hash,)).await
}

/// Uses a token, once; false when it was used before, or is too old.
pub async fn spend(session: &mut Session, hash: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update refresh_tokens set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2";
    Ok(session.execute(sql, (hash, now)).await? == 1)
}
