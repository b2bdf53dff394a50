//! The keys of one issuer over time: when they are fetched, and what is kept.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::fetch;
use super::keys::KeySet;
use crate::config::trusted_issuers::TrustedIssuer;
use crate::crypto::jws::TokenProblem;
use crate::domain::time::Timestamp;
use crate::error::Result;

/// Between two fetches while we have keys: a flood of unknown key ids is not passed on to the issuer.
const REFETCH_GAP: Duration = Duration::from_mins(1);
/// Between two fetches while we have none, so that an issuer which starts after us is soon believed.
const RETRY_GAP: Duration = Duration::from_secs(5);
/// From this age on, keys are fetched again behind a request that uses them.
const MAX_AGE: Duration = Duration::from_mins(15);

pub(super) struct KeyStore {
    config: TrustedIssuer,
    client: reqwest::Client,
    current: RwLock<Option<Arc<KeySet>>>,
    /// Held while fetching: one fetch at a time.
    fetching: Arc<Mutex<Fetching>>,
}

#[derive(Default)]
struct Fetching {
    /// The last fetch that counts against the gaps. The first that succeeds does not.
    last: Option<Timestamp>,
    /// Where the last good fetch found the keys.
    jwks_url: Option<String>,
}

impl KeyStore {
    pub(super) fn new(config: TrustedIssuer, client: reqwest::Client) -> Self {
        Self { config, client, current: RwLock::default(), fetching: Arc::default() }
    }

    /// The keys we have. When they are old, a fetch starts and the caller does not wait for it.
    pub(super) fn current(self: &Arc<Self>, now: Timestamp) -> Option<Arc<KeySet>> {
        let set = self.known()?;
        if now.since(set.fetched_at) >= MAX_AGE
            && let Ok(fetching) = Arc::clone(&self.fetching).try_lock_owned()
        {
            self.start(fetching, now);
        }
        Some(set)
    }

    /// A set with a key of this id for this algorithm, fetched when need be and when it is time.
    pub(super) async fn with_key(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, TokenProblem> {
        let fitting = |set: &Arc<KeySet>| set.find(kid, algorithm).is_some();
        if let Some(set) = self.known().filter(fitting) {
            return Ok(set);
        }
        match Arc::clone(&self.fetching).try_lock_owned() {
            Ok(fetching) => {
                if let Some(task) = self.start(fetching, now) {
                    // A task that dies leaves no keys, which is what is judged below.
                    let _ = task.await;
                }
            }
            // A fetch is under way; what it brings is what we want.
            Err(_) => drop(self.fetching.lock().await),
        }
        let set = self.known().ok_or(TokenProblem::KeysUnavailable)?;
        if fitting(&set) { Ok(set) } else { Err(TokenProblem::Key) }
    }

    /// Fetches once, changing nothing: how many keys can be used.
    pub(super) async fn probe(&self) -> Result<usize> {
        let (set, _) = fetch::keys(&self.client, &self.config, None, Timestamp(0)).await?;
        Ok(set.len())
    }

    fn known(&self) -> Option<Arc<KeySet>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a fetch if it is time. It is a task of its own: a client that hangs up must not end it, or a stranger
    /// could use up every minute's fetch.
    fn start(self: &Arc<Self>, mut fetching: OwnedMutexGuard<Fetching>, now: Timestamp) -> Option<JoinHandle<()>> {
        let is_first = self.known().is_none();
        let gap = if is_first { RETRY_GAP } else { REFETCH_GAP };
        // Either way round, so that a clock set back does not stop the fetching.
        let is_early = |last: Timestamp| now.since(last).max(last.since(now)) < gap;
        if fetching.last.is_some_and(is_early) {
            return None;
        }
        fetching.last = Some(now);
        let this = Arc::clone(self);
        Some(tokio::spawn(async move {
            if this.fetch(&mut fetching, now).await && is_first {
                fetching.last = None;
            }
        }))
    }

    async fn fetch(&self, fetching: &mut Fetching, now: Timestamp) -> bool {
        match fetch::keys(&self.client, &self.config, fetching.jwks_url.take(), now).await {
            Ok((set, url)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(set));
                fetching.jwks_url = Some(url);
                true
            }
            Err(error) => {
                tracing::warn!(
                    issuer = %self.config.issuer,
                    error = format!("{error:#}"),
                    "cannot fetch the issuer's keys; those we have stay in use"
                );
                false
            }
        }
    }
}
