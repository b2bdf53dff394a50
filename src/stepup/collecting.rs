//! Records that collect what is proved one after the other in a sign-in that was asked for as a step-up (RFC 9470).
//!
//! They are records like any other, opened for no operation, of as many parts as were proved: so a fact that changes takes its part away,
//! and gates judge them as they judge all. Nobody ever learns their ids. What has the key is the sign-in, and in the end its access token.

use super::records::{self, LIFE};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::{part_key, record_key},
    domain::{
        id::{RecordId, RecordKey, random_text},
        method::Purpose,
        policy::Proof,
        time::Timestamp,
    },
    error::Result,
    storage::{
        Session,
        openings::{self, NewOpening, Standing},
        records::{self as rows, Holder, NewRecord, OPENED},
    },
};

/// Adds a proof of the holder's, who is locked, to their record at `key`; or to a new one, where there is none or it is over. Gives the
/// record, and all it has proved.
pub async fn add(
    app: &App,
    session: &mut Session,
    key: Option<RecordKey>,
    holder: Holder<'_>,
    proof: Proof,
    actor: Actor<'_>,
) -> Result<(RecordKey, Vec<Proof>)> {
    let now = app.now();
    let standing = match &key {
        Some(key) => openings::hold(session, key, holder.user).await?,
        None => None,
    };
    let living = key.zip(standing.filter(|standing| is_collecting(standing, holder, now)));
    let (whole, expires_at) = match living {
        Some((key, standing)) => (key, standing.expires_at),
        None => open(app, session, holder, proof.at).await?,
    };
    let part = part_key(&whole, proof.method);
    // The same again takes the place of what was.
    rows::delete(session, &part).await?;
    let row = NewRecord {
        key: &part,
        holder,
        method: proof.method.name(),
        purpose: Purpose::UserPermissionValidation.name(),
        identifier: None,
        code: None,
        created_at: proof.at,
        expires_at,
        verified_at: Some(proof.at),
        part_of: Some(&whole),
    };
    rows::add(session, row).await?;
    let data = serde_json::json!({ "method": proof.method.name() });
    audit::write(app, session, "verification.succeeded", actor, data).await?;
    Ok((whole, records::proofs(session, &whole, OPENED, None, now).await?))
}

/// As old as its first proof, whenever that was.
async fn open(app: &App, session: &mut Session, holder: Holder<'_>, at: Timestamp) -> Result<(RecordKey, Timestamp)> {
    let key = record_key(&RecordId::random(&*app.random));
    let expires_at = at.plus(LIFE);
    let new = NewOpening {
        key: &key,
        holder,
        operation: None,
        payload_digest: None,
        handle: &random_text(&*app.random, 21),
        display: None,
        opened_by: None,
        created_at: at,
        expires_at,
    };
    openings::add(session, new).await?;
    Ok((key, expires_at))
}

/// What the holder's record at `key` has proved so far; nothing when it is over.
pub async fn find(app: &App, session: &mut Session, key: &RecordKey, holder: Holder<'_>) -> Result<Vec<Proof>> {
    let now = app.now();
    match openings::find(session, key).await?.filter(|standing| is_collecting(standing, holder, now)) {
        Some(_) => records::proofs(session, key, OPENED, None, now).await,
        None => Ok(Vec::new()),
    }
}

/// It is enough: nothing more is collected.
pub async fn close(app: &App, session: &mut Session, key: &RecordKey) -> Result<()> {
    openings::set_satisfied(session, key, app.now()).await?;
    Ok(())
}

fn is_collecting(standing: &Standing, holder: Holder<'_>, now: Timestamp) -> bool {
    let is_open = standing.method == OPENED && standing.operation.is_none() && standing.verified_at.is_none();
    is_open && standing.is_of(holder) && standing.is_alive(now)
}
