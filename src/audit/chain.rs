//! One chain of many writers: committed events get consecutive places, each hash covers the one before, and the head is signed now
//! and then. Any node may do it; the head's row decides who was first, and no request waits for it.

use std::time::Duration;

use anyhow::{anyhow, ensure};

use super::{
    canonical::{self, GENESIS, hex},
    signed,
};
use crate::{
    app::App,
    clock::LEEWAY,
    crypto::signing::SigningAlgorithm,
    error::Result,
    storage::{
        Session,
        audit::{self, Link},
        audit_chain::{self, Checkpoint, Head},
    },
};

/// Events chained in one transaction: few enough that SQLite's writer is not held for long.
pub const BATCH: u16 = 200;

/// What came of a try to extend the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// By so many events.
    By(usize),
    /// Another node was quicker; nothing was changed.
    Raced,
}

/// Gives a batch of committed events their places.
pub async fn extend(app: &App) -> Result<Extended> {
    let mut session = app.db.read().await?;
    // The head first: events that another node chains after this are seen by `advance`.
    let head = audit_chain::head(&mut session).await?;
    let events = audit::unchained(&mut session, BATCH.into()).await?;
    drop(session);
    let lag = events.first().map_or(Duration::ZERO, |oldest| app.now().since(oldest.at));
    metrics::gauge!("countersign_audit_chain_lag_seconds").set(lag);
    let (mut seq, mut hash) = (head.seq, head.hash.clone());
    let mut links = Vec::with_capacity(events.len());
    for event in &events {
        seq += 1;
        let content = canonical::canonical(&canonical::members(event, seq).into()).map_err(anyhow::Error::from)?;
        hash = canonical::link(&hex(&hash), &content).to_vec();
        links.push(Link { id: &event.id, seq, hash: hash.clone() });
    }
    if links.is_empty() {
        return Ok(Extended::By(0));
    }
    let mut session = app.db.write().await?;
    if !audit_chain::advance(&mut session, &head, seq, &hash).await? {
        return Ok(Extended::Raced);
    }
    if audit::set_chained(&mut session, &links).await? != links.len() as u64 {
        return Err(anyhow!("an audit event got a place from somebody who did not move the head").into());
    }
    session.commit().await?;
    Ok(Extended::By(links.len()))
}

/// Signs the head, when it has moved far or long enough since the last checkpoint, or at once. What was chained since then is read
/// and hashed again first: a chain that somebody changed meanwhile is not signed.
pub async fn checkpoint(app: &App, at_once: bool) -> Result<Option<i64>> {
    let now = app.now();
    let config = &app.config.audit;
    let mut session = app.db.read().await?;
    let head = audit_chain::head(&mut session).await?;
    let moved = head.seq - head.checkpoint_seq;
    // One of a time that has not come was signed by a clock that was ahead.
    let is_late = now.since(head.checkpoint_at) >= Duration::from_secs(config.checkpoint_seconds)
        || head.checkpoint_at > now.plus(LEEWAY);
    if moved == 0 || !(at_once || is_late || moved >= config.checkpoint_events) {
        return Ok(None);
    }
    recheck(&mut session, &head).await?;
    drop(session);
    let key = app.keys.active(SigningAlgorithm::Es256)?;
    let claims = signed::Checkpoint {
        iss: app.urls.root.clone(),
        iat: now.seconds(),
        seq: head.seq,
        hash: hex(&head.hash),
        previous: head.checkpoint_seq,
    };
    let signed = key.sign(signed::CHECKPOINT, &claims)?;
    let new = Checkpoint { seq: head.seq, hash: head.hash, at: now, signed };
    let mut session = app.db.write().await?;
    if !audit_chain::add_checkpoint(&mut session, head.checkpoint_seq, &new).await? {
        return Ok(None);
    }
    audit_chain::add_key(&mut session, key.kid(), key.jwk()).await?;
    session.commit().await?;
    // A log that is kept elsewhere bears witness against whoever writes the whole database anew.
    tracing::info!(seq = new.seq, hash = claims.hash, kid = key.kid(), "the audit log was signed");
    Ok(Some(new.seq))
}

/// Whether the events since the last checkpoint are still those that were chained.
async fn recheck(session: &mut Session, head: &Head) -> Result<()> {
    let mut seq = head.checkpoint_seq;
    let mut hash = hash_at(session, seq).await?;
    while seq < head.seq {
        let events = audit::chained(session, seq, head.seq, BATCH.into()).await?;
        if events.is_empty() {
            return Err(anyhow!("audit_events: the events from {} on are missing", seq + 1).into());
        }
        for event in &events {
            hash = check(event, seq + 1, &hash)?.0;
            seq += 1;
        }
    }
    if hash == hex(&head.hash) { Ok(()) } else { Err(anyhow!("audit_chain: the head does not fit the events").into()) }
}

/// The hash and the canonical text of an event that is to stand at `seq` after `previous`.
///
/// # Errors
/// Names the event that is missing or was changed.
pub fn check(event: &audit::Stored, seq: i64, previous: &str) -> anyhow::Result<(String, String)> {
    ensure!(event.seq == Some(seq), "audit_events: the event at place {seq} is missing");
    // The canonical form rounds other numbers to a double, which would hide that one was changed.
    let is_plain = event.data.values().all(canonical::has_plain_numbers);
    let content = canonical::canonical(&canonical::members(event, seq).into())?;
    let hash = canonical::link(previous, &content);
    ensure!(
        is_plain && event.hash.as_deref() == Some(&hash),
        "audit_events: the event at place {seq} ({}) was changed",
        event.id
    );
    Ok((hex(&hash), content))
}

/// The hash at a place: of the event, or of the checkpoint below which events were swept.
pub async fn hash_at(session: &mut Session, seq: i64) -> Result<String> {
    if seq == 0 {
        return Ok(GENESIS.to_owned());
    }
    if let Some(checkpoint) = audit_chain::checkpoint(session, seq).await? {
        return Ok(hex(&checkpoint.hash));
    }
    let event = audit::chained(session, seq - 1, seq, 1).await?.pop();
    let hash = event.and_then(|event| event.hash).ok_or_else(|| anyhow!("audit_events: place {seq} is missing"))?;
    Ok(hex(&hash))
}

/// Chains everything that is committed by now, and signs it.
pub async fn catch_up(app: &App) -> Result<()> {
    loop {
        match extend(app).await? {
            Extended::By(0) => break,
            Extended::By(_) => {}
            Extended::Raced => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    checkpoint(app, true).await.map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_number_that_only_rounds_to_the_one_that_was_chained_is_a_change() {
        let event = |count: Value| {
            let data = serde_json::from_value(json!({ "count": count })).unwrap();
            audit::Stored {
                id: "one".to_owned(),
                at: Timestamp(0),
                kind: "test".to_owned(),
                user_id: None,
                application_id: None,
                ip: None,
                request_id: None,
                data: sqlx::types::Json(data),
                seq: Some(1),
                hash: None,
            }
        };
        let content = canonical::canonical(&canonical::members(&event(json!(1_u64 << 53)), 1).into()).unwrap();
        let hash = canonical::link(GENESIS, &content).to_vec();
        let check = |count: Value| check(&audit::Stored { hash: Some(hash.clone()), ..event(count) }, 1, GENESIS);
        check(json!(1_u64 << 53)).unwrap();
        for changed in [json!((1_u64 << 53) + 1), json!(9_007_199_254_740_992.0)] {
            check(changed).unwrap_err();
        }
    }
}
