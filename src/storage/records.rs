//! Verification records. Every change of state is one conditional statement.

use super::Session;
use crate::{
    clock::LEEWAY,
    domain::{
        id::{RecordKey, UserId},
        time::Timestamp,
    },
};

/// Whose a record is: the user's, and where it was made under a token that is bound to a key, that key's (RFC 9449).
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Owner.
    pub user: &'a UserId,
    /// Thumbprint of the key the caller has proved to hold.
    pub jkt: Option<&'a str>,
}

/// A record to be stored.
pub struct NewRecord<'a> {
    /// SHA-256 of the id.
    pub key: &'a RecordKey,
    /// Owner.
    pub holder: Holder<'a>,
    /// [`crate::domain::method::Method::name`].
    pub method: &'static str,
    /// [`crate::domain::method::Purpose::name`].
    pub purpose: &'static str,
    /// The address the code went to, in canonical form.
    pub identifier: Option<&'a str>,
    /// HMAC of the code and when it expires.
    pub code: Option<(Vec<u8>, Timestamp)>,
    /// Creation.
    pub created_at: Timestamp,
    /// When the record dies.
    pub expires_at: Timestamp,
    /// Set for records that are born verified.
    pub verified_at: Option<Timestamp>,
    /// The record that was opened first, and collects this one.
    pub part_of: Option<&'a RecordKey>,
}

/// Adds a record.
pub async fn add(session: &mut Session, record: NewRecord<'_>) -> sqlx::Result<()> {
    let sql = "insert into verification_records (id_hash, user_id, method, purpose, identifier, code_mac,
                 code_expires_at, guesses, created_at, expires_at, verified_at, dpop_jkt, part_of)
               values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12)";
    let (mac, code_expires_at) = record.code.unzip();
    let params = (
        record.key,
        record.holder.user,
        record.method,
        record.purpose,
        record.identifier,
        mac,
        code_expires_at,
        record.created_at,
        record.expires_at,
        record.verified_at,
        record.holder.jkt,
        record.part_of,
    );
    session.execute(sql, params).await.map(drop)
}

/// What a guess of a code is judged by.
#[derive(Debug, sqlx::FromRow)]
pub struct Challenge {
    /// Where it is stored.
    pub id_hash: RecordKey,
    /// The address the code went to.
    pub identifier: Option<String>,
    /// HMAC of the code; `None` when it was used.
    pub code_mac: Option<Vec<u8>>,
    /// When the code expires.
    pub code_expires_at: Option<Timestamp>,
    /// Guesses so far, this one included.
    pub guesses: i64,
}

/// Counts a guess against the caller's own living record and gives what to judge it by. A guess that cannot be evaluated
/// (another address, no code any more, too late) is not counted (contract 1.6). The record is `key`, or `part` of an opened one.
pub async fn count_guess(
    session: &mut Session,
    [key, part]: [&RecordKey; 2],
    holder: Holder<'_>,
    method: &'static str,
    identifier: &str,
    now: Timestamp,
) -> sqlx::Result<Option<Challenge>> {
    let sql = "update verification_records
               set guesses = guesses + case when identifier = $4 and code_mac is not null and code_expires_at > $5
                                            then 1 else 0 end
               where id_hash in ($1, $8) and user_id = $2 and method = $3 and expires_at > $5 and created_at <= $6
                 and revoked_at is null and spent_at is null and (dpop_jkt is null or dpop_jkt = $7)
               returning id_hash, identifier, code_mac, code_expires_at, guesses";
    let params = (key, holder.user, method, identifier, now, now.plus(LEEWAY), holder.jkt, part);
    session.fetch_optional(sql, params).await
}

/// Marks a record verified and forgets its code; false when it already was.
pub async fn set_verified(session: &mut Session, key: &RecordKey, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update verification_records set verified_at = $2, code_mac = null
               where id_hash = $1 and verified_at is null and code_mac is not null and expires_at > $2";
    Ok(session.execute(sql, (key, now)).await? == 1)
}

/// A living record, which may satisfy a policy.
#[derive(Debug, sqlx::FromRow)]
pub struct Living {
    /// Which method proved it; [`OPENED`] when it collects parts.
    pub method: String,
    /// When; for a record that was opened first, when its policy was met.
    pub verified_at: Option<Timestamp>,
    /// The operation it was opened for.
    pub operation: Option<String>,
    /// Its name in the audit log.
    pub handle: Option<String>,
    /// When it dies.
    pub expires_at: Timestamp,
}

/// The method of a record that was opened first: none of its own.
pub const OPENED: &str = "opened";

/// The record `$1` is the user `$2`'s own, of purpose `$3`, and alive at `$4`, no part of another, and nobody has it reserved. Nor was
/// it made after `$5`, when the clock was wrong: it would live until the time comes. Where it is bound to a key, that is `$6`.
macro_rules! living {
    () => {
        "id_hash = $1 and user_id = $2 and purpose = $3 and expires_at > $4 and created_at <= $5
         and part_of is null and spent_at is null and revoked_at is null
         and (reserved_until is null or reserved_until <= $4) and (dpop_jkt is null or dpop_jkt = $6)"
    };
}

/// The caller's own living record of that purpose. Holds nothing: for early refusals only.
pub async fn find_living(
    session: &mut Session,
    key: &RecordKey,
    holder: Holder<'_>,
    purpose: &'static str,
    now: Timestamp,
) -> sqlx::Result<Option<Living>> {
    let sql = concat!(
        "select method, verified_at, operation, handle, expires_at from verification_records where ",
        living!()
    );
    session.fetch_optional(sql, (key, holder.user, purpose, now, now.plus(LEEWAY), holder.jkt)).await
}

/// The same, holding the record's row until the transaction ends, so that nobody revokes or spends it meanwhile.
pub async fn hold_living(
    session: &mut Session,
    key: &RecordKey,
    holder: Holder<'_>,
    purpose: &'static str,
    now: Timestamp,
) -> sqlx::Result<Option<Living>> {
    let sql = concat!(
        "update verification_records set guesses = guesses where ",
        living!(),
        " returning method, verified_at, operation, handle, expires_at"
    );
    session.fetch_optional(sql, (key, holder.user, purpose, now, now.plus(LEEWAY), holder.jkt)).await
}

/// A method that was collected.
#[derive(Debug, sqlx::FromRow)]
pub struct Part {
    /// [`crate::domain::method::Method::name`].
    pub method: String,
    /// When it was proved.
    pub verified_at: Timestamp,
}

/// The proved, living parts of a record that was opened first.
pub async fn list_parts(session: &mut Session, whole: &RecordKey, now: Timestamp) -> sqlx::Result<Vec<Part>> {
    let sql = "select method, verified_at from verification_records
               where part_of = $1 and verified_at is not null and spent_at is null and revoked_at is null and created_at <= $2
               order by method";
    session.fetch_all(sql, (whole, now.plus(LEEWAY))).await
}

/// Spends a record that this transaction holds; false when that was done before.
pub async fn spend(session: &mut Session, key: &RecordKey, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update verification_records set spent_at = $2, reserved_until = null
               where id_hash = $1 and spent_at is null and revoked_at is null";
    Ok(session.execute(sql, (key, now)).await? == 1)
}

/// Spends the caller's own living, verified record of that method and address, to bind the address (contract D11);
/// false when there is none, or another was quicker.
pub async fn spend_for_binding(
    session: &mut Session,
    key: &RecordKey,
    holder: Holder<'_>,
    method: &'static str,
    identifier: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "update verification_records set spent_at = $5
               where id_hash = $1 and user_id = $2 and method = $3 and identifier = $4 and expires_at > $5
                 and created_at <= $6 and verified_at is not null and spent_at is null and revoked_at is null
                 and part_of is null and (dpop_jkt is null or dpop_jkt = $7)";
    let params = (key, holder.user, method, identifier, now, now.plus(LEEWAY), holder.jkt);
    Ok(session.execute(sql, params).await? == 1)
}

/// Revokes every living record of the user that rests on that method (contract D12). Gives their number.
pub async fn revoke_resting_on(
    session: &mut Session,
    user: &UserId,
    method: &'static str,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update verification_records set revoked_at = $3, code_mac = null
               where user_id = $1 and method = $2 and revoked_at is null and spent_at is null and expires_at > $3";
    session.execute(sql, (user, method, now)).await
}

/// Revokes every living record of the user.
pub async fn revoke_all(session: &mut Session, user: &UserId, now: Timestamp) -> sqlx::Result<u64> {
    let sql = "update verification_records set revoked_at = $2, code_mac = null
               where user_id = $1 and revoked_at is null and spent_at is null and expires_at > $2";
    session.execute(sql, (user, now)).await
}

/// Removes a record whose message could not be handed over (contract 1.2: no record on a failed send).
pub async fn delete(session: &mut Session, key: &RecordKey) -> sqlx::Result<()> {
    session.execute("delete from verification_records where id_hash = $1", (key,)).await.map(drop)
}
