//! The audit log.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::Session;
use crate::domain::{
    id::{ApplicationId, UserId},
    time::Timestamp,
};

/// One event.
pub struct Event<'a> {
    /// Its id; sorts by time.
    pub id: &'a str,
    /// When.
    pub at: Timestamp,
    /// What, such as `verification.succeeded`.
    pub kind: &'static str,
    /// Whose account.
    pub user: Option<&'a UserId>,
    /// Through which application.
    pub application: Option<&'a ApplicationId>,
    /// From where.
    pub ip: Option<&'a str>,
    /// The request that caused it.
    pub request_id: Option<&'a str>,
    /// What else is worth knowing; no secrets, addresses masked.
    pub data: Map<String, Value>,
}

/// Adds an event, in the transaction of the change it tells of.
pub async fn add(session: &mut Session, event: Event<'_>) -> sqlx::Result<()> {
    let sql = "insert into audit_events (id, at, type, user_id, application_id, ip, request_id, data)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Event { id, at, kind, user, application, ip, request_id, data } = event;
    session.execute(sql, (id, at, kind, user, application, ip, request_id, Json(data))).await.map(drop)
}
