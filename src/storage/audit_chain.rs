//! The chain of the audit log: its one head, its signed checkpoints, the keys that signed them.

use serde_json::Value;
use sqlx::types::Json;

use super::Session;
use crate::domain::time::Timestamp;

/// How far the chain goes.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// The last place that was given; 0 for none.
    pub seq: i64,
    /// The hash of the event there; 32 zero bytes for none.
    pub hash: Vec<u8>,
    /// The place of the newest checkpoint; 0 for none.
    pub checkpoint_seq: i64,
    /// When that was signed.
    pub checkpoint_at: Timestamp,
    /// Events up to here are deleted, or about to be.
    pub swept_through: i64,
}

/// The head.
pub async fn head(session: &mut Session) -> sqlx::Result<Head> {
    session.fetch_one("select seq, hash, checkpoint_seq, checkpoint_at, swept_through from audit_chain", ()).await
}

/// Moves the head on, unless another node did meanwhile. This is what makes one chain of many writers.
pub async fn advance(session: &mut Session, from: &Head, seq: i64, hash: &[u8]) -> sqlx::Result<bool> {
    let sql = "update audit_chain set seq = $3, hash = $4 where seq = $1 and hash = $2";
    Ok(session.execute(sql, (from.seq, &from.hash, seq, hash)).await? == 1)
}

/// A signed checkpoint.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Checkpoint {
    /// The place of the last event below it.
    pub seq: i64,
    /// That event's hash.
    pub hash: Vec<u8>,
    /// When it was signed.
    pub at: Timestamp,
    /// A compact JWS.
    pub signed: String,
}

/// Adds a checkpoint after the one at `previous`, unless another node did meanwhile.
pub async fn add_checkpoint(session: &mut Session, previous: i64, new: &Checkpoint) -> sqlx::Result<bool> {
    let sql = "update audit_chain set checkpoint_seq = $2, checkpoint_at = $3 where checkpoint_seq = $1 and seq >= $2";
    if session.execute(sql, (previous, new.seq, new.at)).await? == 0 {
        return Ok(false);
    }
    let sql = "insert into audit_checkpoints (seq, hash, at, signed) values ($1, $2, $3, $4)";
    session.execute(sql, (new.seq, &new.hash, new.at, &new.signed)).await?;
    Ok(true)
}

/// Keeps the public half of a key that signs checkpoints.
pub async fn add_key(session: &mut Session, kid: &str, jwk: &Value) -> sqlx::Result<()> {
    let sql =
        "insert into audit_keys (kid, jwk) select $1, $2 where not exists (select 1 from audit_keys where kid = $1)";
    session.execute(sql, (kid, Json(jwk))).await.map(drop)
}

/// The public keys that ever signed a checkpoint.
pub async fn keys(session: &mut Session) -> sqlx::Result<Vec<Value>> {
    let rows: Vec<(Json<Value>,)> = session.fetch_all("select jwk from audit_keys order by kid", ()).await?;
    Ok(rows.into_iter().map(|(jwk,)| jwk.0).collect())
}

/// The checkpoint at a place.
pub async fn checkpoint(session: &mut Session, seq: i64) -> sqlx::Result<Option<Checkpoint>> {
    session.fetch_optional("select seq, hash, at, signed from audit_checkpoints where seq = $1", (seq,)).await
}

/// Checkpoints after one place up to another, in order.
pub async fn checkpoints(session: &mut Session, after: i64, through: i64) -> sqlx::Result<Vec<Checkpoint>> {
    let sql = "select seq, hash, at, signed from audit_checkpoints where seq > $1 and seq <= $2 order by seq";
    session.fetch_all(sql, (after, through)).await
}

/// Lets events up to the newest checkpoint signed before `cutoff` be deleted; gives its place when it is a new one.
pub async fn sweep_to(session: &mut Session, cutoff: Timestamp) -> sqlx::Result<Option<i64>> {
    let sql = "update audit_chain set swept_through = (select max(seq) from audit_checkpoints where at < $1)
               where swept_through < (select max(seq) from audit_checkpoints where at < $1) returning swept_through";
    let row: Option<(i64,)> = session.fetch_optional(sql, (cutoff,)).await?;
    Ok(row.map(|(seq,)| seq))
}

/// Deletes a few checkpoints whose events are gone; the one from which the rest is counted stays.
pub async fn delete_checkpoints_below(session: &mut Session, seq: i64, limit: i64) -> sqlx::Result<u64> {
    let sql = "delete from audit_checkpoints where seq in (select seq from audit_checkpoints where seq < $1 order by seq limit $2)";
    session.execute(sql, (seq, limit)).await
}
