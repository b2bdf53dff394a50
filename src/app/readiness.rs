//! Whether requests can be served: found out by doing what they do, for all who ask, once a second at most.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use super::App;
use crate::{domain::refusal::Code, error::Result, storage::chores};

/// How long an answer holds: whoever asks in a flood costs one transaction a second.
const HOLDS: Duration = Duration::from_secs(1);

/// The last answer.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, bool)>>);

impl App {
    /// Refuses unless the clock is sound, the schema is up to date, and the database takes a change: it may be full, or read-only.
    pub async fn require_readiness(&self) -> Result<()> {
        let mut last = self.readiness.0.lock().await;
        let is_ready = match *last {
            Some((at, is_ready)) if at.elapsed() < HOLDS => is_ready,
            _ => {
                let outcome = self.try_out().await;
                if let Err(error) = &outcome {
                    tracing::warn!(%error, "requests cannot be served");
                }
                let is_ready = outcome.unwrap_or(false);
                *last = Some((Instant::now(), is_ready));
                is_ready
            }
        };
        if is_ready { Ok(()) } else { Err(Code::Unavailable.refuse().retry_after(HOLDS).into()) }
    }

    async fn try_out(&self) -> Result<bool> {
        if !self.db.is_migrated().await? {
            return Ok(false);
        }
        let mut session = self.db.write().await?;
        chores::touch(&mut session, "readiness", self.now()).await?;
        session.commit().await?;
        Ok(true)
    }
}
