//! Signing keys, sealed.

use serde_json::Value;
use sqlx::types::Json;

use super::Session;
use crate::domain::time::Timestamp;

/// A stored signing key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// JWA name.
    pub algorithm: String,
    /// PKCS#8, sealed; empty once retired.
    pub private_key: Vec<u8>,
    /// Creation.
    pub created_at: Timestamp,
    /// When it begins to sign.
    pub signs_from: Timestamp,
    /// Neither signs nor verifies since.
    pub retired_at: Option<Timestamp>,
    /// The public half as a JWK, kept when the key was retired.
    pub public_key: Option<Json<Value>>,
}

/// Every key, newest first.
pub async fn list(session: &mut Session) -> sqlx::Result<Vec<StoredKey>> {
    let sql = "select kid, algorithm, private_key, created_at, signs_from, retired_at, public_key
               from signing_keys order by signs_from desc, created_at desc, kid";
    session.fetch_all(sql, ()).await
}

/// Adds a key, unless one of its algorithm is there already (another node was quicker).
pub async fn add_first(session: &mut Session, key: &StoredKey) -> sqlx::Result<bool> {
    let sql = "insert into signing_keys (kid, algorithm, private_key, created_at, signs_from)
               select $1, $2, $3, $4, $5
               where not exists (select 1 from signing_keys where algorithm = $2 and retired_at is null)";
    let params = (&key.kid, &key.algorithm, &key.private_key, key.created_at, key.signs_from);
    Ok(session.execute(sql, params).await? == 1)
}

/// Adds a key.
pub async fn add(session: &mut Session, key: &StoredKey) -> sqlx::Result<()> {
    let sql =
        "insert into signing_keys (kid, algorithm, private_key, created_at, signs_from) values ($1, $2, $3, $4, $5)";
    let params = (&key.kid, &key.algorithm, &key.private_key, key.created_at, key.signs_from);
    session.execute(sql, params).await.map(drop)
}

/// Lets a key begin to sign at another moment.
pub async fn set_signs_from(session: &mut Session, kid: &str, at: Timestamp) -> sqlx::Result<()> {
    session.execute("update signing_keys set signs_from = $2 where kid = $1", (kid, at)).await.map(drop)
}

/// Retires a key: its private half goes. False when another node was quicker.
pub async fn retire(session: &mut Session, kid: &str, public: &Value, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update signing_keys set retired_at = $2, public_key = $3, private_key = $4
               where kid = $1 and retired_at is null";
    Ok(session.execute(sql, (kid, now, Json(public), Vec::<u8>::new())).await? == 1)
}
