//! Login tickets, by digest: each used once, in the browser that has its cookie.

use super::{Session, sessions::Proof};
use crate::domain::{
    id::{ApplicationId, UserId},
    time::Timestamp,
};

/// A ticket to be stored.
pub struct NewTicket<'a> {
    /// SHA-256 of the ticket.
    pub ticket_hash: &'a [u8],
    /// SHA-256 of the cookie.
    pub cookie_hash: &'a [u8],
    /// Whose pages asked for it.
    pub application: &'a ApplicationId,
    /// Who proved who they are.
    pub user: &'a UserId,
    /// How.
    pub proof: &'a Proof,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

/// Adds a ticket.
pub async fn add(session: &mut Session, new: NewTicket<'_>) -> sqlx::Result<()> {
    let sql = "insert into login_tickets (ticket_hash, cookie_hash, application_id, user_id, connection, methods, auth_time, expires_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let NewTicket { ticket_hash, cookie_hash, application, user, proof, expires_at } = new;
    let connection = proof.connection.as_deref().unwrap_or_default();
    let params =
        (ticket_hash, cookie_hash, application, user, connection, proof.methods.as_str(), proof.auth_time, expires_at);
    session.execute(sql, params).await.map(drop)
}

/// Uses a ticket, once; `None` when there is none, it was used before, is too old, or belongs elsewhere.
pub async fn spend(
    session: &mut Session,
    ticket_hash: &[u8],
    cookie_hash: &[u8],
    application: &ApplicationId,
    now: Timestamp,
) -> sqlx::Result<Option<(UserId, Proof)>> {
    let sql = "update login_tickets set used_at = $4
               where ticket_hash = $1 and cookie_hash = $2 and application_id = $3 and used_at is null and expires_at > $4
               returning user_id, auth_time, connection, methods";
    let row: Option<(UserId, Timestamp, String, String)> =
        session.fetch_optional(sql, (ticket_hash, cookie_hash, application, now)).await?;
    Ok(row.map(|(user, auth_time, connection, methods)| {
        (user, Proof { auth_time, connection: Some(connection), methods })
    }))
}
