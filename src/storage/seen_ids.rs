//! What may come once: ids of client assertions, DPoP proofs and the like.

use super::Session;
use crate::domain::time::Timestamp;

/// Takes note of an id, by digest; false when it was seen before. It is remembered until `expires_at`, when whatever carries it is too
/// old to be believed anyway.
pub async fn add(session: &mut Session, id_hash: &[u8], expires_at: Timestamp) -> sqlx::Result<bool> {
    let sql = "insert into seen_ids (id_hash, expires_at) values ($1, $2) on conflict (id_hash) do nothing";
    Ok(session.execute(sql, (id_hash, expires_at)).await? == 1)
}
