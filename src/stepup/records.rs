//! Creating verification records, and how they look to their owner.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::opened::Whole;
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::{part_key, record_key},
    domain::{
        id::{RecordId, RecordKey, SessionId},
        method::Method,
        policy::Proof,
        settings::SessionPolicy,
        time::Timestamp,
    },
    error::Result,
    storage::{
        Session, guesses,
        records::{self as rows, NewRecord},
        sessions,
    },
};

/// A record lives ten minutes, whatever happens to it (contract 1.11).
pub const LIFE: Duration = Duration::from_secs(600);

/// The fact a method rests on has changed: records that rest on it die, the user's sessions but `own` end where the policy says so, and
/// a method that was locked is bound anew (contract D12, `security.md`: disabled until re-bound). Runs in the transaction of the change.
pub async fn fact_changed(
    app: &App,
    session: &mut Session,
    actor: Actor<'_>,
    method: Method,
    policy: SessionPolicy,
    own: Option<&SessionId>,
) -> Result<()> {
    let Some(user) = actor.user else { return Ok(()) };
    let now = app.now();
    let records = rows::revoke_resting_on(session, user, method.name(), now).await?;
    tell_revoked(app, session, actor, json!({ "method": method.name(), "records": records }), records).await?;
    if policy.ends_on(method) {
        sessions::end_all(session, user, own, now).await?;
    }
    Ok(guesses::unlock(session, user, method.name()).await?)
}

/// The user is no longer welcome: every living record dies. Runs in the transaction of the change.
pub async fn revoke_all(app: &App, session: &mut Session, actor: Actor<'_>) -> Result<()> {
    let Some(user) = actor.user else { return Ok(()) };
    let records = rows::revoke_all(session, user, app.now()).await?;
    tell_revoked(app, session, actor, json!({ "records": records }), records).await
}

async fn tell_revoked(app: &App, session: &mut Session, actor: Actor<'_>, data: Value, records: u64) -> Result<()> {
    if records == 0 { Ok(()) } else { audit::write(app, session, "verification.revoked", actor, data).await }
}

/// What a record has proved so far: its own method, or those of its parts.
pub async fn proofs(
    session: &mut Session,
    key: &RecordKey,
    method: &str,
    verified_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Proof>> {
    let proof = |method: &str, at| Method::parse(method).ok().map(|method| Proof { method, at });
    if method != rows::OPENED {
        return Ok(verified_at.and_then(|at| proof(method, at)).into_iter().collect());
    }
    let parts = rows::list_parts(session, key, now).await?;
    Ok(parts.iter().filter_map(|part| proof(&part.method, part.verified_at)).collect())
}

/// A record that is about to be stored.
pub struct Fresh {
    /// For its owner alone.
    pub id: RecordId,
    /// For the database.
    pub key: RecordKey,
    /// Creation.
    pub created_at: Timestamp,
    /// When it dies.
    pub expires_at: Timestamp,
    /// The record that was opened first, whose id this one is known by.
    pub part_of: Option<RecordKey>,
}

impl Fresh {
    /// A new id with its life.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let id = RecordId::random(&*app.random);
        let created_at = app.now();
        Self { key: record_key(&id), id, created_at, expires_at: created_at.plus(LIFE), part_of: None }
    }

    /// A new one, or the part of `whole` that is to prove `method`.
    #[must_use]
    pub fn new_or_part(app: &App, whole: Option<&Whole>, method: Method) -> Self {
        whole.map_or_else(|| Self::new(app), |whole| Self::part(app, whole, method))
    }

    /// The part of an opened record that is to prove `method`: it dies with the whole.
    fn part(app: &App, whole: &Whole, method: Method) -> Self {
        let (id, part_of) = (whole.id.clone(), Some(whole.key));
        Self {
            key: part_key(&whole.key, method),
            id,
            created_at: app.now(),
            expires_at: whole.standing.expires_at,
            part_of,
        }
    }

    /// Stores it; a part takes the place of an earlier one of its method.
    pub async fn store(&self, session: &mut Session, row: NewRecord<'_>) -> Result<()> {
        if self.part_of.is_some() {
            rows::delete(session, &self.key).await?;
        }
        Ok(rows::add(session, row).await?)
    }

    /// What the owner is told.
    #[must_use]
    pub fn created(&self) -> RecordCreated {
        RecordCreated { verification_record_id: self.id.expose().to_owned(), expires_at: self.expires_at.to_iso() }
    }
}

/// A verification record was created.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordCreated {
    /// Send it in the `Verification-Id` header of what needs the verification. A secret.
    #[schema(example = "5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    pub verification_record_id: String,
    /// When the record dies: ISO 8601, UTC.
    #[schema(example = "2026-11-20T12:10:00.000Z", format = DateTime)]
    pub expires_at: String,
}

/// A verification record was verified.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordVerified {
    /// The record's id, as it was sent.
    #[schema(example = "5f0wq8sn0b6c2x7k1r9tz3ydhm4vgpaj")]
    pub verification_record_id: String,
}
