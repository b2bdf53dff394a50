//! A service from ready to gone: signals, deadlines.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Running;

/// The signals that ask a process to end.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they are ours: take them before saying that the service is ready.
    pub fn take() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Serves until a signal asks to end; lets running requests finish, unless a second signal comes.
pub async fn until_told(mut running: Running, mut signals: Signals) -> anyhow::Result<ExitCode> {
    let signal = tokio::select! {
        signal = signals.next() => signal,
        outcome = running.ended() => {
            outcome.context("the server ended")?;
            anyhow::bail!("the server ended by itself");
        }
    };
    tracing::info!(signal, "stopping: requests under way are finished, no new ones are taken");
    tokio::select! {
        () = running.stop() => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        signal = signals.next() => {
            tracing::warn!(signal, "told twice: ending at once");
            // Threads that answer requests would be waited for otherwise.
            std::process::exit(1)
        }
    }
}
