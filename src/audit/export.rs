//! An export: JSON lines that an outsider can check with nothing but a public key (`docs/audit.md`).

use std::io::Write;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::{
    canonical::{canonical, hex, members},
    chain, signed,
};
use crate::{
    app::App,
    crypto::{digest::digest, signing::SigningAlgorithm},
    domain::time::Timestamp,
    error::Result,
    storage::{audit, audit_chain},
};

/// Events read at a time.
const PAGE: i64 = 1000;

/// Which events: the unbroken part of the chain from the first at `from` or later to the last before `to`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub to: Option<Timestamp>,
}

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many events.
    pub events: i64,
    /// The place of the last.
    pub last: i64,
}

/// Chains and signs what is committed by now, and writes the export.
///
/// # Errors
/// Failed, naming the place, when the database no longer holds what was chained; the file then has no signed end.
pub async fn export(app: &App, range: Range, out: &mut impl Write) -> Result<Exported> {
    chain::catch_up(app).await?;
    let mut session = app.db.read().await?;
    let head = audit_chain::head(&mut session).await?;
    let first = match range.from {
        Some(from) => audit::first_since(&mut session, from).await?.unwrap_or(head.seq + 1),
        None => head.swept_through + 1,
    };
    let last = match range.to {
        Some(to) => audit::last_before(&mut session, to).await?.unwrap_or(0).max(first - 1),
        None => head.seq,
    };
    // Events that are about to be swept may go while this reads.
    let start = (first - 1).max(head.swept_through);
    let mut hash = chain::hash_at(&mut session, start).await?;
    let (iss, iat) = (app.urls.root.clone(), app.now().seconds());
    let keys = json!({ "keys": audit_chain::keys(&mut session).await? });
    let key = app.keys.active(SigningAlgorithm::Es256)?;
    let keys = with_key(keys, key.jwk());
    let keys = serde_json::from_value(keys).context("the keys of the audit log")?;
    let claims = signed::Start { format: signed::FORMAT, iss: iss.clone(), iat, seq: start, hash: hash.clone(), keys };
    let first_line = canonical(&json!({ "start": key.sign(signed::START, &claims)? })).context("the start")?;
    line(out, &first_line)?;

    let (mut seq, mut checkpoint) = (start, start);
    while seq < last {
        let events = audit::chained(&mut session, seq, last, PAGE).await?;
        let through = events.last().and_then(|event| event.seq);
        let through = through.ok_or_else(|| anyhow!("audit_events: the events from {} on are missing", seq + 1))?;
        let mut checkpoints = audit_chain::checkpoints(&mut session, seq, through).await?.into_iter().peekable();
        for event in &events {
            hash = chain::check(event, seq + 1, &hash)?.0;
            seq += 1;
            let mut whole = members(event, seq);
            whole.insert("hash".to_owned(), Value::String(hash.clone()));
            line(out, &canonical(&whole.into()).context("an event")?)?;
            if let Some(signed) = checkpoints.next_if(|checkpoint| checkpoint.seq == seq) {
                line(out, &canonical(&json!({ "checkpoint": signed.signed })).context("a checkpoint")?)?;
                checkpoint = seq;
            }
        }
    }
    let end = signed::End { iss, iat, seq, hash, checkpoint, start: hex(&digest(first_line.as_bytes())) };
    line(out, &canonical(&json!({ "end": key.sign(signed::END, &end)? })).context("the end")?)?;
    out.flush().context("the export")?;
    Ok(Exported { events: seq - start, last: seq })
}

/// The keys that signed checkpoints, and the one that signs this export.
fn with_key(mut set: Value, jwk: &Value) -> Value {
    if let Some(keys) = set.get_mut("keys").and_then(Value::as_array_mut)
        && !keys.iter().any(|key| key.get("kid") == jwk.get("kid"))
    {
        keys.push(jwk.clone());
    }
    set
}

/// The public keys that an auditor is given before exports: those that ever signed, and the one that signs now.
pub async fn keys(app: &App) -> Result<Value> {
    let keys = json!({ "keys": audit_chain::keys(&mut app.db.read().await?).await? });
    Ok(with_key(keys, app.keys.active(SigningAlgorithm::Es256)?.jwk()))
}

fn line(out: &mut impl Write, text: &str) -> anyhow::Result<()> {
    writeln!(out, "{text}").context("the export cannot be written")
}
