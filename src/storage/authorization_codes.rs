//! Authorization codes, by digest: each used once.

use super::Session;
use crate::domain::{
    id::{ApplicationId, RecordKey, SessionId, UserId},
    time::Timestamp,
};

/// An authorization code as it is stored (RFC 6749 4.1.2).
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuthorizationCode {
    /// To whom it was issued.
    pub application_id: ApplicationId,
    /// The application's session it opens.
    pub session_id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// As the request named it; must be named again.
    pub redirect_uri: Option<String>,
    /// What was granted, separated by spaces.
    pub scope: String,
    /// For which API, beside ours.
    pub audience: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// S256 (RFC 7636 4.2).
    pub code_challenge: Option<String>,
    /// From a link that was mailed: there was nobody to make a challenge.
    pub is_from_link: bool,
    /// The thumbprint of the key that must be shown (RFC 9449 10).
    pub dpop_jkt: Option<String>,
    /// The verification record the access token is to carry.
    pub record_hash: Option<RecordKey>,
}

/// Adds a code.
pub async fn add(
    session: &mut Session,
    hash: &[u8],
    code: &AuthorizationCode,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into authorization_codes (code_hash, application_id, session_id, user_id, redirect_uri, scope, audience, nonce,
                 code_challenge, is_from_link, dpop_jkt, record_hash, created_at, expires_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let AuthorizationCode { application_id, session_id, user_id, redirect_uri, scope, audience, .. } = code;
    let AuthorizationCode { nonce, code_challenge, is_from_link, dpop_jkt, record_hash, .. } = code;
    let params = (
        hash,
        application_id,
        session_id,
        user_id,
        redirect_uri,
        scope,
        audience,
        nonce,
        code_challenge,
        *is_from_link,
        dpop_jkt,
        record_hash,
        now,
        expires_at,
    );
    session.execute(sql, params).await.map(drop)
}

/// The code of that digest, be it used or too old: what it says never changes.
pub async fn find(session: &mut Session, hash: &[u8]) -> sqlx::Result<Option<AuthorizationCode>> {
    let sql = "select application_id, session_id, user_id, redirect_uri, scope, audience, nonce, code_challenge, is_from_link,
                 dpop_jkt, record_hash
               from authorization_codes where code_hash = $1";
    session.fetch_optional(sql, (hash,)).await
}

/// Uses a code, once; false when there is none, it was used before, or is too old.
pub async fn spend(session: &mut Session, hash: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    let sql =
        "update authorization_codes set used_at = $2 where code_hash = $1 and used_at is null and expires_at > $2";
    Ok(session.execute(sql, (hash, now)).await? == 1)
}

/// Whether a code was used before: whoever shows it again may be a thief (RFC 6749 4.1.2).
pub async fn is_used(session: &mut Session, hash: &[u8]) -> sqlx::Result<bool> {
    let sql = "select count(*) from authorization_codes where code_hash = $1 and used_at is not null";
    Ok(session.fetch_value::<i64>(sql, (hash,)).await? > 0)
}
