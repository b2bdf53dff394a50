//! Sign-ins under way between the authorization request and its redirect.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::Session;
use crate::domain::{id::ApplicationId, time::Timestamp};

/// A flow as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SignInFlow {
    /// Which application asked.
    pub application_id: ApplicationId,
    /// The request, checked, and how far the person has come.
    pub request: Json<Map<String, Value>>,
    /// The code that was sent last.
    pub code_id: Option<String>,
    /// When it is over.
    pub expires_at: Timestamp,
    /// When the person was sent back.
    pub finished_at: Option<Timestamp>,
}

/// Adds a flow.
pub async fn add(
    session: &mut Session,
    id_hash: &[u8],
    application: &ApplicationId,
    request: Map<String, Value>,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into sign_in_flows (id_hash, application_id, request, created_at, expires_at)
               values ($1, $2, $3, $4, $5)";
    session.execute(sql, (id_hash, application, Json(request), now, expires_at)).await.map(drop)
}

/// The flow of that digest, finished or not, unless it is too old.
pub async fn find(session: &mut Session, id_hash: &[u8], now: Timestamp) -> sqlx::Result<Option<SignInFlow>> {
    let sql = "select application_id, request, code_id, expires_at, finished_at from sign_in_flows
               where id_hash = $1 and expires_at > $2";
    session.fetch_optional(sql, (id_hash, now)).await
}

/// The same, with its row locked for the rest of the transaction; only while it is not finished.
pub async fn lock(session: &mut Session, id_hash: &[u8], now: Timestamp) -> sqlx::Result<Option<SignInFlow>> {
    let sql =
        "update sign_in_flows set code_id = code_id where id_hash = $1 and expires_at > $2 and finished_at is null
               returning application_id, request, code_id, expires_at, finished_at";
    session.fetch_optional(sql, (id_hash, now)).await
}

/// Stores how far the person has come, and the code that was sent, if it is another; call [`lock`] first.
pub async fn set(
    session: &mut Session,
    id_hash: &[u8],
    request: Map<String, Value>,
    code_id: Option<&str>,
) -> sqlx::Result<()> {
    let sql = "update sign_in_flows set request = $2, code_id = coalesce($3, code_id) where id_hash = $1";
    session.execute(sql, (id_hash, Json(request), code_id)).await.map(drop)
}

/// Finishes a flow, once; false when it was finished before, or is too old.
pub async fn finish(session: &mut Session, id_hash: &[u8], now: Timestamp) -> sqlx::Result<bool> {
    let sql =
        "update sign_in_flows set finished_at = $2 where id_hash = $1 and finished_at is null and expires_at > $2";
    Ok(session.execute(sql, (id_hash, now)).await? == 1)
}
