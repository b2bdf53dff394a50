//! Records that are opened first, for one operation and perhaps one payload, and then collect methods (contract `operations.md`).

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    gate::{names, sets},
    records::Fresh,
};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::{payload_digest, record_key},
    domain::{
        id::{RecordId, RecordKey, random_text},
        message::Locale,
        payload::{Payload, Problem},
        policy::{Acr, Policy},
        refusal::Code,
        time::Timestamp,
        user::User,
    },
    error::{Error, Result},
    storage::{
        Session,
        openings::{self, NewOpening, Standing},
        records::{Holder, OPENED},
    },
    texts::statement,
    web::caller::Caller,
};

/// A record that is bound to a payload lives five minutes (PSD2 RTS 4(3)(d)).
const BOUND_LIFE: Duration = Duration::from_secs(300);

/// What an owner is shown, in every language there is.
pub type Displays = BTreeMap<Locale, String>;

/// What is to be opened.
pub struct Opening<'a> {
    /// For which operation.
    pub policy: &'a Policy,
    /// What it is bound to.
    pub payload: Option<&'a Payload>,
    /// Whose it is to be.
    pub user: &'a User,
    /// Thumbprint of the owner's key, when they open it under one.
    pub jkt: Option<&'a str>,
    /// Who opens it: the owner, or a service.
    pub actor: Actor<'a>,
    /// Whether that is a service.
    pub is_by_service: bool,
}

impl Opening<'_> {
    /// Opens the record and commits.
    ///
    /// # Errors
    /// `403 operation.enrolment_required` when the user cannot satisfy the policy; `400 operation.payload_required`,
    /// `422 operation.payload_unfit`.
    pub async fn open(&self, app: &App) -> Result<RecordId> {
        let policy = self.policy;
        if policy.binds_payload && self.payload.is_none() {
            return Err(Code::PayloadRequired.into());
        }
        if !policy.binds_payload && self.payload.is_some() {
            // Nobody would be shown it, nor ask for it.
            return Err(Code::PayloadUnexpected.into());
        }
        policy.require_enrolled(&self.user.methods()).map_err(|missing| {
            Code::EnrolmentRequired.with(json!({
                "operation": policy.operation,
                "methods": sets(&policy.methods),
                "userMethods": names(&self.user.methods()),
                "missing": sets(&missing),
            }))
        })?;
        let mut record = Fresh::new(app);
        if self.payload.is_some() {
            record.expires_at = record.created_at.plus(BOUND_LIFE);
        }
        let handle = random_text(&*app.random, 21);
        let digest = self.payload.map(payload_digest);
        let display = self.displays()?.map(|displays| seal(app, &handle, &displays)).transpose()?;
        let new = NewOpening {
            key: &record.key,
            holder: Holder { user: &self.user.id, jkt: self.jkt },
            operation: Some(&policy.operation),
            payload_digest: digest.as_ref().map(<[u8; 32]>::as_slice),
            handle: &handle,
            display: display.as_deref(),
            opened_by: self.actor.application.filter(|_| self.is_by_service),
            created_at: record.created_at,
            expires_at: record.expires_at,
        };
        let mut session = app.db.write().await?;
        openings::add(&mut session, new).await?;
        let data = json!({ "operation": policy.operation, "record": handle });
        audit::write(app, &mut session, "operation.opened", self.actor, data).await?;
        session.commit().await?;
        metrics::counter!("countersign_operations_opened_total", "operation" => policy.operation.clone()).increment(1);
        Ok(record.id)
    }

    /// What the owner is shown, in every language: as the policy says it now, whatever it says later.
    fn displays(&self) -> Result<Option<Displays>> {
        let (Some(payload), Some(statement)) = (self.payload, &self.policy.statement) else { return Ok(None) };
        let render = |locale: &Locale| {
            Ok((*locale, statement::render(statement, payload, *locale).map_err(|problems| unfit(&problems))?))
        };
        Locale::ALL.iter().map(render).collect::<Result<_>>().map(Some)
    }
}

fn unfit(problems: &[Problem]) -> Error {
    let issue = |problem: &Problem| json!({ "path": problem.path, "message": problem.sentence });
    Code::PayloadUnfit.with(json!({ "issues": problems.iter().map(issue).collect::<Vec<_>>() })).into()
}

fn seal(app: &App, handle: &str, displays: &Displays) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(displays).context("what is shown, as JSON")?;
    app.sealer.seal("verification_records", handle, "display", &text)
}

/// What the owner of the record is shown, in that language.
pub fn display(app: &App, standing: &Standing, locale: Locale) -> Result<Option<String>> {
    let (Some(handle), Some(sealed)) = (&standing.handle, &standing.display) else { return Ok(None) };
    let text = app.sealer.open("verification_records", handle, "display", sealed)?;
    let mut displays: Displays = serde_json::from_slice(&text).context("what is shown")?;
    Ok(displays.remove(&locale))
}

/// A caller's own living record that was opened first, and may collect methods.
pub struct Whole {
    /// What the owner knows it by.
    pub id: RecordId,
    /// Where it is stored.
    pub key: RecordKey,
    /// As it stands.
    pub standing: Standing,
}

impl Whole {
    /// The one a body names, if it names one. Holds nothing: [`collect`] asks again.
    ///
    /// # Errors
    /// `400 verification_record.not_found`.
    pub async fn named(app: &App, caller: &Caller, id: Option<&SecretString>) -> Result<Option<Self>> {
        let Some(id) = id else { return Ok(None) };
        let id = RecordId::parse(id.expose_secret()).ok_or(Code::RecordNotFound)?;
        let key = record_key(&id);
        let standing = openings::find(&mut app.db.read().await?, &key).await?;
        let standing = standing.filter(|standing| collects(standing, caller, app.now())).ok_or(Code::RecordNotFound)?;
        Ok(Some(Self { id, key, standing }))
    }
}

fn collects(standing: &Standing, caller: &Caller, now: Timestamp) -> bool {
    standing.method == OPENED && standing.is_of(caller.holder()) && standing.is_alive(now)
}

/// A method of the caller's was just proved to the opened record at `key`, in this transaction: asks once more whether the record
/// lives, and says so in log and metrics when its policy is met now. Whoever redeems it judges again.
///
/// # Errors
/// `400 verification_record.not_found` when it died meanwhile: then nothing is to be committed.
pub async fn collect(app: &App, session: &mut Session, caller: &Caller, key: &RecordKey) -> Result<()> {
    let now = app.now();
    let standing = openings::hold(session, key, &caller.user.id).await?;
    let standing = standing.filter(|standing| collects(standing, caller, now)).ok_or(Code::RecordNotFound)?;
    let operation = standing.operation.as_deref().unwrap_or_default();
    let Some(policy) = app.policies.find(operation) else { return Ok(()) };
    let proofs = standing.proofs(session, key, now).await?;
    let Ok(met) = policy.judge(&proofs, now) else { return Ok(()) };
    if openings::set_satisfied(session, key, now).await? {
        let methods = names(&met.methods);
        let data = json!({ "operation": operation, "record": standing.handle, "methods": methods, "acr": Acr::of(&met.methods).urn() });
        audit::write(app, session, "operation.satisfied", caller, data).await?;
        metrics::counter!("countersign_operations_satisfied_total", "operation" => operation.to_owned()).increment(1);
    }
    Ok(())
}
