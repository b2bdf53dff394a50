//! Signing keys, sealed.

use super::Session;
use crate::domain::time::Timestamp;

/// A stored signing key.
#[derive(Debug, sqlx::FromRow)]
pub struct StoredKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// JWA name.
    pub algorithm: String,
    /// PKCS#8, sealed.
    pub private_key: Vec<u8>,
    /// Creation.
    pub created_at: Timestamp,
    /// No longer signs since.
    pub retired_at: Option<Timestamp>,
}

/// Every key, newest first.
pub async fn list(session: &mut Session) -> sqlx::Result<Vec<StoredKey>> {
    let sql =
        "select kid, algorithm, private_key, created_at, retired_at from signing_keys order by created_at desc, kid";
    session.fetch_all(sql, ()).await
}

/// Adds a key, unless one of its algorithm is signing already (another node was quicker).
pub async fn add_first(session: &mut Session, key: &StoredKey) -> sqlx::Result<bool> {
    let sql = "insert into signing_keys (kid, algorithm, private_key, created_at)
               select $1, $2, $3, $4
               where not exists (select 1 from signing_keys where algorithm = $2 and retired_at is null)";
    let params = (&key.kid, &key.algorithm, &key.private_key, key.created_at);
    Ok(session.execute(sql, params).await? == 1)
}
