//! What the process holds: made once at start, handed to everything that runs.

pub mod callers;
pub mod hooks;
pub mod keys;
pub mod readiness;
pub mod turns;

use std::{
    ops::Deref,
    sync::{Arc, RwLock},
};

use tokio::sync::Notify;

use self::{callers::Callers, hooks::Hooks, keys::Refresh, readiness::Readiness, turns::Turns};

use crate::{
    channels::{Channels, webhook::Webhooks},
    clock::Clock,
    config::Config,
    crypto::{
        digest::{CodeKey, DerivedCodes, Successors},
        dpop::Nonces,
        hasher::Hasher,
        issuers::TrustedIssuers,
        sealer::Sealer,
        signing::KeyRing,
    },
    domain::{id::Random, policy::Policies, settings::Settings, target_route::Route, time::Timestamp},
    error::Result,
    storage::{self, Db},
    texts::Templates,
};

/// What is made at start and never changes.
pub struct Parts {
    /// As it was read at start.
    pub config: Config,
    /// Names and URLs that follow from the configuration.
    pub urls: Urls,
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The pool that hashes passwords.
    pub hasher: Hasher,
    /// Keys that sign our tokens.
    pub keys: Arc<KeyRing>,
    /// Issuers we trust beside ourselves.
    pub issuers: TrustedIssuers,
    /// Seals what the database must not show.
    pub sealer: Sealer,
    /// Recognises codes.
    pub codes: CodeKey,
    /// Makes and recognises the codes people sign in with.
    pub sign_in_codes: DerivedCodes,
    /// Makes the tokens that follow from others.
    pub successors: Successors,
    /// Makes and recognises the nonces of DPoP proofs.
    pub dpop_nonces: Nonces,
    /// Ways out for messages.
    pub channels: Channels,
    /// The way out for webhooks.
    pub webhooks: Webhooks,
    /// What messages say.
    pub templates: Templates,
    /// What operations demand.
    pub policies: Policies,
    /// Requests at other back ends that proxies ask about.
    pub forward_routes: Vec<Route>,
}

/// Everything a request or a job may need: the [`Parts`], and what changes while the process runs.
pub struct App {
    parts: Parts,
    /// Reads of callers in this process.
    pub callers: Callers,
    /// Turns of guesses in this process.
    pub turns: Turns,
    /// Which webhooks are enabled, as far as this process knows.
    pub hooks: Hooks,
    /// Told when something waits in the outbox.
    pub outbox: Arc<Notify>,
    settings: RwLock<Arc<Settings>>,
    keys_refresh: Refresh,
    readiness: Readiness,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// Names and URLs that follow from `server.public_url`.
#[derive(Clone, Debug)]
pub struct Urls {
    /// Without a slash at the end.
    pub root: String,
    /// Issuers of our tokens: `<root>/` and `<root>/oidc`.
    pub issuers: [String; 2],
    /// Audience of tokens for the account and verification API.
    pub account_audience: String,
    /// Audience of relying services' own tokens.
    pub redeemer_audience: String,
    /// Audiences of tokens for the management API.
    pub management_audiences: [String; 2],
}

impl Urls {
    /// From the public URL, with or without its slash.
    #[must_use]
    pub fn new(public_url: &str) -> Self {
        let root = public_url.trim_end_matches('/').to_owned();
        Self {
            issuers: [format!("{root}/"), format!("{root}/oidc")],
            account_audience: format!("{root}/api/my-account"),
            redeemer_audience: format!("{root}/api/verifications"),
            management_audiences: [format!("{root}/api"), "https://default.logto.app/api".to_owned()],
            root,
        }
    }
}

impl App {
    /// From its parts, and the settings as they are now.
    #[must_use]
    pub fn new(parts: Parts, settings: Settings) -> Self {
        Self {
            parts,
            callers: Callers::default(),
            turns: Turns::default(),
            hooks: Hooks::default(),
            outbox: Arc::new(Notify::new()),
            settings: RwLock::new(Arc::new(settings)),
            keys_refresh: Refresh::default(),
            readiness: Readiness::default(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The settings of that version: kept ones when they are, else read again. Every request brings the version it saw,
    /// so a change counts on every node with the request that follows it. Whoever changes the signing keys raises it, too.
    pub async fn settings(&self, version: i64) -> Result<Arc<Settings>> {
        let kept = self.kept_settings();
        if kept.version == version {
            return Ok(kept);
        }
        self.refresh_keys().await?;
        self.reload_settings().await
    }

    /// The settings, read again.
    pub async fn reload_settings(&self) -> Result<Arc<Settings>> {
        let fresh = Arc::new(storage::settings::find(&mut self.db.read().await?).await?);
        let mut kept = self.settings.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if fresh.version > kept.version {
            *kept = Arc::clone(&fresh);
        }
        Ok(fresh)
    }

    fn kept_settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
