//! Redemption: a relying service consumes a record, once, for its own operation and payload (contract `operations.md`).
//!
//! Everything is judged inside the transaction that spends, with the user's row and the record's row held: whatever the concurrency and
//! the number of nodes, one redemption succeeds.

use std::time::Duration;

use serde_json::{Value, json};

use super::gate::{names, sets};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::base64url,
    domain::{
        id::{ApplicationId, RecordKey, UserId},
        method::Method,
        policy::{Acr, Met, Policy, Proof},
        refusal::{Code, Refusal},
        time::Timestamp,
    },
    error::Result,
    storage::{
        Session,
        openings::{self, NewReservation, Standing},
        records, users,
    },
    web::client::Client,
};

/// Who asks for which record.
#[derive(Clone, Copy)]
pub struct Redeemer<'a> {
    /// The relying service; for a proxy the host that it asks for.
    pub service: &'a ApplicationId,
    /// From where.
    pub client: &'a Client,
    /// The record.
    pub key: RecordKey,
}

/// What the service is about to do.
#[derive(Clone, Copy)]
pub struct Action<'a> {
    /// For whom: the user's id.
    pub subject: &'a UserId,
    /// What.
    pub operation: &'a str,
    /// On what: SHA-256 of the canonical payload.
    pub payload_digest: Option<[u8; 32]>,
}

/// A record that may be redeemed: its row and its owner's are held until the transaction ends.
pub struct Admitted<'a> {
    /// What the operation demands.
    pub policy: &'a Policy,
    /// What was proved.
    pub met: Met,
    /// The record.
    pub standing: Standing,
}

/// A refusal, and whether something is to be committed all the same.
pub struct Refused {
    /// What to answer.
    pub refusal: Refusal,
    /// Whether it changed the state of the record, so that asking again would be answered otherwise.
    pub is_final: bool,
}

impl Redeemer<'_> {
    /// Judges, in the contract's order. A refusal is written into the log of the transaction: commit it.
    ///
    /// # Errors
    /// `404 verification_record.not_found`; nothing is to be committed then.
    pub async fn admit<'p>(
        &self,
        app: &'p App,
        session: &mut Session,
        action: Action<'_>,
    ) -> Result<Result<Admitted<'p>, Refused>> {
        let policy = app.policies.find(action.operation).filter(|policy| policy.is_redeemed_by(self.service));
        self.admit_under(app, session, policy.ok_or(Code::UnknownRecord)?, action).await
    }

    /// The same under the policy of that operation, which the redeemer is known to be let at.
    ///
    /// # Errors
    /// As for [`Redeemer::admit`].
    pub async fn admit_under<'p>(
        &self,
        app: &App,
        session: &mut Session,
        policy: &'p Policy,
        action: Action<'_>,
    ) -> Result<Result<Admitted<'p>, Refused>> {
        let standing = self.hold(session, action.subject).await?;
        let standing = standing.filter(|standing| standing.is_for(policy)).ok_or(Code::UnknownRecord)?;
        let now = app.now();
        let proofs = standing.proofs(session, &self.key, now).await?;
        match judge(policy, &standing, &proofs, action.payload_digest, now) {
            Ok(met) => Ok(Ok(Admitted { policy, met, standing })),
            Err(refusal) => self.refuse(app, session, &standing, action, refusal).await.map(Err),
        }
    }

    /// The record as it stands, with the rows of its owner, who is welcome, and of itself held, in this order as everywhere.
    pub async fn hold(&self, session: &mut Session, user: &UserId) -> Result<Option<Standing>> {
        if users::lock(session, user).await?.is_none_or(|user| user.is_suspended) {
            return Ok(None);
        }
        Ok(openings::hold(session, &self.key, user).await?)
    }

    async fn refuse(
        &self,
        app: &App,
        session: &mut Session,
        standing: &Standing,
        action: Action<'_>,
        refusal: Refusal,
    ) -> Result<Refused> {
        let operation = action.operation;
        let is_mismatch = refusal.code == Code::PayloadMismatch;
        let (kind, data) = if is_mismatch {
            openings::revoke(session, &self.key, app.now()).await?;
            metrics::counter!("countersign_payload_mismatches_total", "operation" => operation.to_owned()).increment(1);
            let bound = standing.payload_digest.as_deref().map(base64url);
            let shown = action.payload_digest.as_ref().map(|digest| base64url(digest));
            (
                "operation.payload_mismatch",
                json!({ "operation": operation, "record": standing.handle, "payloadDigest": bound, "shownDigest": shown }),
            )
        } else {
            (
                "operation.refused",
                json!({ "operation": operation, "record": standing.handle, "reason": refusal.code.code() }),
            )
        };
        self.write(app, session, kind, &standing.user_id, data).await?;
        let reason = refusal.code.code();
        metrics::counter!("countersign_operations_refused_total", "operation" => operation.to_owned(), "reason" => reason).increment(1);
        Ok(Refused { refusal, is_final: is_mismatch })
    }

    /// Consumes an admitted record, where its policy says once.
    pub async fn spend(
        &self,
        app: &App,
        session: &mut Session,
        admitted: &Admitted<'_>,
        redemption: &str,
    ) -> Result<()> {
        let Admitted { policy, met, standing } = admitted;
        let now = app.now();
        if policy.is_single_use {
            if !records::spend(session, &self.key, now).await? {
                return Err(Code::AlreadyRedeemed.into());
            }
        } else {
            openings::release(session, &self.key).await?;
        }
        let data = json!({
            "operation": policy.operation, "record": standing.handle, "redemption": redemption, "methods": names(&met.methods),
            "acr": Acr::of(&met.methods).urn(), "payloadDigest": standing.payload_digest.as_deref().map(base64url),
        });
        self.write(app, session, "operation.redeemed", &standing.user_id, data).await
    }

    /// Reserves an admitted record; gives the fence.
    pub async fn reserve(
        &self,
        app: &App,
        session: &mut Session,
        admitted: &Admitted<'_>,
        reservation: &str,
        until: Timestamp,
    ) -> Result<i64> {
        let operation = &admitted.policy.operation;
        let new = NewReservation { id: reservation, application: self.service, operation, until };
        let fence = openings::reserve(session, &self.key, new).await?;
        let data = json!({ "operation": operation, "record": admitted.standing.handle, "reservation": reservation, "fence": fence });
        self.write(app, session, "operation.reserved", &admitted.standing.user_id, data).await?;
        Ok(fence)
    }

    /// An event about the record's owner, by the service.
    pub async fn write(
        &self,
        app: &App,
        session: &mut Session,
        kind: &'static str,
        user: &UserId,
        data: Value,
    ) -> Result<()> {
        let actor = Actor { user: Some(user), application: Some(self.service), client: Some(self.client) };
        audit::write(app, session, kind, actor, data).await
    }
}

/// A lease on a record: nobody else redeems it meanwhile.
#[derive(Clone, Copy)]
pub struct Reservation<'a> {
    /// Its id.
    pub id: &'a str,
    /// The number it was given.
    pub fence: i64,
}

impl Redeemer<'_> {
    /// The record this reservation of the service's is on, held, and the policy it was reserved under. Refused with `409
    /// verification_record.reservation_lost` when the lease has ended or another took its place; `.already_redeemed`, `.revoked`. A refusal
    /// is written into the log of the transaction: commit it.
    ///
    /// # Errors
    /// `404 verification_record.not_found` unless it was reserved for an operation of the service's; nothing is to be committed then.
    pub async fn reserved<'p>(
        &self,
        app: &'p App,
        session: &mut Session,
        lease: Reservation<'_>,
    ) -> Result<Result<(Standing, &'p Policy), Refused>> {
        let found = openings::find(session, &self.key).await?.ok_or(Code::UnknownRecord)?;
        let standing = self.hold(session, &found.user_id).await?.ok_or(Code::UnknownRecord)?;
        let operation = standing.reserved_for.as_deref().unwrap_or_default();
        let policy = app.policies.find(operation).filter(|policy| policy.is_redeemed_by(self.service));
        let policy = policy.ok_or(Code::UnknownRecord)?;
        let is_same = standing.reserved_by.as_ref() == Some(self.service)
            && standing.reservation_id.as_deref() == Some(lease.id)
            && standing.fence == lease.fence;
        let code = match () {
            () if standing.revoked_at.is_some() => Code::RecordRevoked,
            () if standing.spent_at.is_some() => Code::AlreadyRedeemed,
            () if !is_same || standing.lease_left(app.now()).is_zero() => Code::ReservationLost,
            () => return Ok(Ok((standing, policy))),
        };
        self.refuse(app, session, &standing, held_for(policy, &standing), code.refuse()).await.map(Err)
    }

    /// What a reserved record was reserved with. Its age was judged then: the lease may outlast it. A method that has died since, or a
    /// policy that has become stricter, counts; such a refusal is written into the log of the transaction, too.
    ///
    /// # Errors
    /// As for [`Redeemer::reserved`].
    pub async fn admit_reserved<'p>(
        &self,
        app: &'p App,
        session: &mut Session,
        lease: Reservation<'_>,
    ) -> Result<Result<Admitted<'p>, Refused>> {
        let (standing, policy) = match self.reserved(app, session, lease).await? {
            Ok(reserved) => reserved,
            Err(refused) => return Ok(Err(refused)),
        };
        let proofs = standing.proofs(session, &self.key, app.now()).await?;
        let newest = proofs.iter().map(|proof| proof.at).max().unwrap_or_else(|| app.now());
        match policy.judge(&proofs, newest) {
            Ok(met) => Ok(Ok(Admitted { policy, met, standing })),
            Err(missing) => {
                let refusal = not_satisfied(policy, &missing);
                self.refuse(app, session, &standing, held_for(policy, &standing), refusal).await.map(Err)
            }
        }
    }
}

/// What a reservation was made for; its payload was judged then.
fn held_for<'a>(policy: &'a Policy, standing: &'a Standing) -> Action<'a> {
    Action { subject: &standing.user_id, operation: &policy.operation, payload_digest: None }
}

/// The contract's order: expired or revoked, not satisfied, another payload, already redeemed; then reserved.
fn judge(
    policy: &Policy,
    standing: &Standing,
    proofs: &[Proof],
    shown_digest: Option<[u8; 32]>,
    now: Timestamp,
) -> Result<Met, Refusal> {
    if standing.revoked_at.is_some() {
        return Err(Code::RecordRevoked.refuse());
    }
    if standing.is_expired(now) {
        return Err(Code::RecordExpired.refuse());
    }
    let met = policy.judge(proofs, now).map_err(|missing| not_satisfied(policy, &missing))?;
    // What the owner saw is what is done, bound by the policy or by whoever opened the record.
    if standing.payload_digest.as_deref() != shown_digest.as_ref().map(<[u8; 32]>::as_slice) {
        return Err(Code::PayloadMismatch.refuse());
    }
    if standing.spent_at.is_some() {
        return Err(Code::AlreadyRedeemed.refuse());
    }
    match standing.lease_left(now) {
        Duration::ZERO => Ok(met),
        wait => Err(Code::RecordReserved.refuse().retry_after(wait)),
    }
}

fn not_satisfied(policy: &Policy, missing: &[Vec<Method>]) -> Refusal {
    Code::NotSatisfied.with(json!({
        "operation": policy.operation,
        "methods": sets(&policy.methods),
        "missing": sets(missing),
        "maxAge": policy.max_age.as_secs(),
    }))
}
