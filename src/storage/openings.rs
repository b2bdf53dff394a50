//! Records that were opened first, mostly for one operation: how they are opened, what stands in them, how they end.

use super::{Session, records::Holder, records::OPENED};
use crate::domain::{
    id::{ApplicationId, RecordKey, UserId},
    method::Purpose,
    time::Timestamp,
};

/// A record to be opened.
pub struct NewOpening<'a> {
    /// SHA-256 of the id.
    pub key: &'a RecordKey,
    /// Owner; bound to a key when they opened it under one.
    pub holder: Holder<'a>,
    /// For what; `None` where a sign-in collects what it may be good for.
    pub operation: Option<&'a str>,
    /// SHA-256 of the canonical payload.
    pub payload_digest: Option<&'a [u8]>,
    /// Its name in the audit log.
    pub handle: &'a str,
    /// What the owner is shown: sealed.
    pub display: Option<&'a [u8]>,
    /// The service that opened it.
    pub opened_by: Option<&'a ApplicationId>,
    /// Creation.
    pub created_at: Timestamp,
    /// When it dies.
    pub expires_at: Timestamp,
}

/// Opens a record.
pub async fn add(session: &mut Session, new: NewOpening<'_>) -> sqlx::Result<()> {
    let sql = "insert into verification_records (id_hash, user_id, method, purpose, guesses, created_at, expires_at, dpop_jkt,
                 operation, payload_digest, handle, display, opened_by)
               values ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12)";
    let params = (
        new.key,
        new.holder.user,
        OPENED,
        Purpose::UserPermissionValidation.name(),
        new.created_at,
        new.expires_at,
        new.holder.jkt,
        new.operation,
        new.payload_digest,
        new.handle,
        new.display,
        new.opened_by,
    );
    session.execute(sql, params).await.map(drop)
}

/// A record as it stands, whatever has become of it.
#[derive(Debug, sqlx::FromRow)]
pub struct Standing {
    /// Owner.
    pub user_id: UserId,
    /// Thumbprint of the key it is bound to.
    pub dpop_jkt: Option<String>,
    /// Which method proved it; [`OPENED`] when it collects parts.
    pub method: String,
    /// Creation.
    pub created_at: Timestamp,
    /// When it dies.
    pub expires_at: Timestamp,
    /// When it was proved.
    pub verified_at: Option<Timestamp>,
    /// When it was redeemed.
    pub spent_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// What it was opened for.
    pub operation: Option<String>,
    /// SHA-256 of the canonical payload.
    pub payload_digest: Option<Vec<u8>>,
    /// Its name in the audit log.
    pub handle: Option<String>,
    /// What the owner is shown: sealed.
    pub display: Option<Vec<u8>>,
    /// The service that opened it.
    pub opened_by: Option<ApplicationId>,
    /// The reservation.
    pub reservation_id: Option<String>,
    /// Whose it is.
    pub reserved_by: Option<ApplicationId>,
    /// For which operation.
    pub reserved_for: Option<String>,
    /// When it ends.
    pub reserved_until: Option<Timestamp>,
    /// How many there were, this one included.
    pub fence: i64,
}

macro_rules! standing {
    () => {
        "user_id, dpop_jkt, method, created_at, expires_at, verified_at, spent_at, revoked_at, operation, payload_digest, handle, display,
         opened_by, reservation_id, reserved_by, reserved_for, reserved_until, fence"
    };
}

/// A step-up record that is no part of another.
pub async fn find(session: &mut Session, key: &RecordKey) -> sqlx::Result<Option<Standing>> {
    let sql = concat!(
        "select ",
        standing!(),
        " from verification_records where id_hash = $1 and purpose = 'UserPermissionValidation' and part_of is null"
    );
    session.fetch_optional(sql, (key,)).await
}

/// The same, of that user, holding its row until the transaction ends.
pub async fn hold(session: &mut Session, key: &RecordKey, user: &UserId) -> sqlx::Result<Option<Standing>> {
    let sql = concat!(
        "update verification_records set guesses = guesses
         where id_hash = $1 and user_id = $2 and purpose = 'UserPermissionValidation' and part_of is null returning ",
        standing!()
    );
    session.fetch_optional(sql, (key, user)).await
}

/// Marks a record whose policy is met; false when it was before.
pub async fn set_satisfied(session: &mut Session, key: &RecordKey, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update verification_records set verified_at = $2 where id_hash = $1 and verified_at is null";
    Ok(session.execute(sql, (key, now)).await? == 1)
}

/// Revokes a living record; false when it was dead. Its parts prove nothing without it, and are left: whoever proves one holds that
/// row before this one.
pub async fn revoke(session: &mut Session, key: &RecordKey, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update verification_records set revoked_at = $2, reserved_until = null
               where id_hash = $1 and revoked_at is null and spent_at is null";
    Ok(session.execute(sql, (key, now)).await? == 1)
}

/// Who reserves, under what name, until when.
pub struct NewReservation<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whose.
    pub application: &'a ApplicationId,
    /// For which operation.
    pub operation: &'a str,
    /// When it ends.
    pub until: Timestamp,
}

/// Reserves a record that this transaction holds; gives the fence.
pub async fn reserve(session: &mut Session, key: &RecordKey, new: NewReservation<'_>) -> sqlx::Result<i64> {
    let sql =
        "update verification_records set reservation_id = $2, reserved_by = $3, reserved_for = $4, reserved_until = $5,
                 fence = fence + 1
               where id_hash = $1 returning fence";
    session.fetch_value(sql, (key, new.id, new.application, new.operation, new.until)).await
}

/// Takes a reservation back.
pub async fn release(session: &mut Session, key: &RecordKey) -> sqlx::Result<()> {
    session.execute("update verification_records set reserved_until = null where id_hash = $1", (key,)).await.map(drop)
}
