//! What a record is good for, as it stands: whose it is, whether it lives, for what, and what it has proved. One place for all who ask.

use std::time::Duration;

use super::records;
use crate::{
    clock::LEEWAY,
    domain::{
        id::RecordKey,
        policy::{Policy, Proof},
        time::Timestamp,
    },
    error::Result,
    storage::{Session, openings::Standing, records::Holder},
};

impl Standing {
    /// Whether it is the holder's; where it is bound to a key, they must have proved to hold that (RFC 9449).
    #[must_use]
    pub fn is_of(&self, holder: Holder<'_>) -> bool {
        self.user_id == *holder.user && self.dpop_jkt.as_deref().is_none_or(|jkt| holder.jkt == Some(jkt))
    }

    /// Whether its time is over; or it was made when the clock was ahead, and would live until the time comes.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now || self.created_at > now.plus(LEEWAY)
    }

    /// Neither expired, nor used, nor revoked.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.is_expired(now) && self.spent_at.is_none() && self.revoked_at.is_none()
    }

    /// How long it is still reserved.
    #[must_use]
    pub fn lease_left(&self, now: Timestamp) -> Duration {
        self.reserved_until.map_or(Duration::ZERO, |until| until.since(now))
    }

    /// Whether it was opened for the operation of that policy; or for none, which will do where nothing is bound.
    #[must_use]
    pub fn is_for(&self, policy: &Policy) -> bool {
        self.operation.as_ref().map_or(!policy.binds_payload, |operation| *operation == policy.operation)
    }

    /// What it has proved so far.
    pub async fn proofs(&self, session: &mut Session, key: &RecordKey, now: Timestamp) -> Result<Vec<Proof>> {
        records::proofs(session, key, &self.method, self.verified_at, now).await
    }
}
