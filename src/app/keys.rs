//! The keys that sign tokens, as the database has them.
//!
//! Which key signs follows from the clock alone: of those whose moment has come, the last. A new key is published at once and
//! signs once nobody keeps an older list of keys; an old one verifies until the last token it signed has expired. Nodes read the
//! keys again when the settings' version changes (whoever changes keys raises it), when a token names a key they do not know, and
//! every few seconds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::App;
use crate::{
    clock::Clock,
    crypto::{
        sealer::Sealer,
        signing::{KeyRing, RingKey, SigningAlgorithm, SigningKey},
        tokens,
    },
    domain::{refusal::Code, time::Timestamp},
    error::Result,
    storage::{self, Db, keys::StoredKey},
};

/// From publishing a key to its first signature: twice as long as answers with our keys may be cached (`signin::discovery`), which
/// leaves as long again for nodes and clients that are slow.
pub const LEAD: Duration = Duration::from_secs(600);

/// How long a key verifies after another took over: its last token lives that long, and nodes may be late to change.
const VERIFIES: Duration = tokens::LIFE.saturating_add(Duration::from_secs(600));

/// What a key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Published; signs later.
    Waiting,
    /// Signs.
    Signing,
    /// Another signs; tokens it signed are still about.
    Verifying {
        /// Until then.
        until: Timestamp,
    },
    /// Every token it signed has expired: to be retired.
    Over,
    /// Its private half is gone.
    Retired,
}

/// What each key is doing at `now`, in the order of `rows`.
#[must_use]
pub fn states(rows: &[StoredKey], now: Timestamp) -> Vec<State> {
    let state = |row: &StoredKey| {
        if row.retired_at.is_some() {
            return State::Retired;
        }
        if row.signs_from > now {
            return State::Waiting;
        }
        let took_over = rows.iter().filter(|other| {
            let is_later = (other.signs_from, &other.kid) > (row.signs_from, &row.kid);
            other.algorithm == row.algorithm && other.retired_at.is_none() && is_later && other.signs_from <= now
        });
        match took_over.map(|other| other.signs_from.plus(VERIFIES)).min() {
            None => State::Signing,
            Some(until) if until > now => State::Verifying { until },
            Some(_) => State::Over,
        }
    };
    rows.iter().map(state).collect()
}

/// Reads the signing keys; where an algorithm has none yet, one of `first` or a fresh one is added under the lock of the settings row,
/// so that nodes agree.
pub async fn load(db: &Db, sealer: &Sealer, clock: Arc<dyn Clock>, first: Vec<SigningKey>) -> Result<Arc<KeyRing>> {
    let mut rows = storage::keys::list(&mut db.read().await?).await?;
    let is_there = |algorithm: SigningAlgorithm| {
        rows.iter().any(|row| row.retired_at.is_none() && row.algorithm == algorithm.name())
    };
    let missing: Vec<_> = SigningAlgorithm::ALL.iter().copied().filter(|algorithm| !is_there(*algorithm)).collect();
    if !missing.is_empty() {
        let now = clock.now();
        let mut made = first;
        for algorithm in missing {
            // Outside the transaction: some take a while.
            if !made.iter().any(|key| key.algorithm() == algorithm) {
                made.push(SigningKey::generate(algorithm, now)?);
            }
        }
        let mut session = db.write().await?;
        storage::settings::add_default(&mut session).await?;
        storage::settings::lock(&mut session).await?;
        for key in &made {
            storage::keys::add_first(&mut session, &sealed(key, now, sealer)?).await?;
        }
        rows = storage::keys::list(&mut session).await?;
        session.commit().await?;
    }
    Ok(Arc::new(KeyRing::new(ring(&rows, &[], sealer)?, clock)?))
}

/// A key as it is stored.
pub fn sealed(key: &SigningKey, signs_from: Timestamp, sealer: &Sealer) -> Result<StoredKey> {
    Ok(StoredKey {
        kid: key.kid().to_owned(),
        algorithm: key.algorithm().name().to_owned(),
        private_key: sealer.seal("signing_keys", key.kid(), "private_key", &key.to_pkcs8()?)?,
        created_at: key.created_at(),
        signs_from,
        retired_at: None,
        public_key: None,
    })
}

/// A stored key, unsealed.
pub fn open(row: &StoredKey, sealer: &Sealer) -> Result<SigningKey> {
    let algorithm = SigningAlgorithm::parse(&row.algorithm)
        .ok_or_else(|| anyhow::anyhow!("signing_keys: row {} has the unknown algorithm {}", row.kid, row.algorithm))?;
    let pkcs8 = sealer.open("signing_keys", &row.kid, "private_key", &row.private_key)?;
    SigningKey::from_pkcs8(algorithm, row.created_at, &pkcs8)
}

/// A key that lives as long as this process, for work that signs nothing; the settings row is made where it is missing.
pub async fn throw_away(db: &Db, clock: Arc<dyn Clock>) -> Result<Arc<KeyRing>> {
    let mut session = db.write().await?;
    storage::settings::add_default(&mut session).await?;
    session.commit().await?;
    let key = SigningKey::generate(SigningAlgorithm::Es256, clock.now())?;
    Ok(Arc::new(KeyRing::new(vec![RingKey::now(key)], clock)?))
}

/// The keys that are not retired, opened unless they are among `known`.
fn ring(rows: &[StoredKey], known: &[RingKey], sealer: &Sealer) -> Result<Vec<RingKey>> {
    let entry = |row: &StoredKey| {
        let known = known.iter().find(|known| known.key.kid() == row.kid);
        let key = known.map_or_else(|| open(row, sealer).map(Arc::new), |known| Ok(Arc::clone(&known.key)))?;
        Ok(RingKey { key, signs_from: row.signs_from })
    };
    rows.iter().filter(|row| row.retired_at.is_none()).map(entry).collect()
}

/// Turns of reading the keys again.
#[derive(Default)]
pub struct Refresh {
    turn: tokio::sync::Mutex<()>,
    begun: AtomicU64,
    /// The last reading that failed.
    failed: AtomicU64,
}

impl App {
    /// Reads the signing keys again. Of many who ask at once, each waits for a reading that began after it asked, and one reads for
    /// all: whatever tokens strangers send, a node asks the database no more than once at a time. When that fails it fails for all,
    /// or each would wait in turn for a database that does not answer.
    pub async fn refresh_keys(&self) -> Result<()> {
        let refresh = &self.keys_refresh;
        let before = refresh.begun.load(Ordering::SeqCst);
        let _turn = refresh.turn.lock().await;
        if refresh.failed.load(Ordering::SeqCst) > before {
            return Err(Code::Unavailable.refuse().retry_after(Duration::from_secs(1)).into());
        }
        if refresh.begun.load(Ordering::SeqCst) > before {
            return Ok(());
        }
        let number = refresh.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = self.read_keys().await;
        if outcome.is_err() {
            refresh.failed.store(number, Ordering::SeqCst);
        }
        outcome
    }

    async fn read_keys(&self) -> Result<()> {
        let rows = storage::keys::list(&mut self.db.read().await?).await?;
        let known = self.keys.list();
        let fresh = ring(&rows, &known, &self.sealer)?;
        let same =
            |one: &RingKey, other: &RingKey| one.key.kid() == other.key.kid() && one.signs_from == other.signs_from;
        let is_known = |entry: &RingKey| known.iter().any(|known| same(known, entry));
        if fresh.len() == known.len() && fresh.iter().all(is_known) {
            return Ok(());
        }
        self.keys.replace(fresh)?;
        tracing::info!("the signing keys have changed");
        Ok(())
    }
}
