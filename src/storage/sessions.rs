//! Sign-in sessions.

use super::Session;
use crate::domain::{
    id::{ApplicationId, SessionId, UserId},
    time::Timestamp,
};

/// Adds a session. `expires_at` is when its last token expires.
pub async fn add(
    session: &mut Session,
    sid: &SessionId,
    user: &UserId,
    application: Option<&ApplicationId>,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into sessions (id, user_id, application_id, created_at, expires_at) values ($1, $2, $3, $4, $5)";
    session.execute(sql, (sid, user, application, now, expires_at)).await.map(drop)
}

/// Ends every session of the user but `except`.
pub async fn end_all(
    session: &mut Session,
    user: &UserId,
    except: Option<&SessionId>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update sessions set ended_at = $3 where user_id = $1 and ended_at is null and ($2 is null or id <> $2)";
    session.execute(sql, (user, except, now)).await
}
