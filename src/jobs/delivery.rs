//! Delivers what waits in the outbox: any node, at least once, with back-off.
//!
//! A message belongs to whoever claimed it until the lease runs out; the number of the try fences off whoever is later than that.

use std::time::Duration;

use actix_web::web::Data;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Stop, stopped};
use crate::{
    app::App,
    audit::{self, Actor},
    channels::SendError,
    domain::message::Kind,
    error::Result,
    hooks,
    post::{self, Outcome},
    storage::outbox::{self, Due},
};

/// One queue of the outbox. Each has a loop of its own: a mail server that hangs delays no text message, and no webhook.
#[derive(Clone, Copy, Debug)]
pub(super) enum Queue {
    /// Messages to people.
    Messages(Kind),
    /// What webhooks are told.
    Hooks,
}

impl Queue {
    const fn name(self) -> &'static str {
        match self {
            Self::Messages(kind) => kind.name(),
            Self::Hooks => hooks::QUEUE,
        }
    }

    /// The most of it under way in this process.
    const fn at_a_time(self) -> usize {
        match self {
            Self::Messages(_) => 8,
            // Contract 6.5.
            Self::Hooks => 10,
        }
    }

    /// How long what was claimed belongs to whoever tries it.
    fn lease(self, app: &App) -> Duration {
        match self {
            Self::Messages(_) => post::lease(app),
            Self::Hooks => hooks::delivery::LEASE,
        }
    }

    /// The audit event of what is given up.
    const fn given_up(self) -> (&'static str, &'static str) {
        match self {
            Self::Messages(_) => ("message.given_up", "template"),
            Self::Hooks => ("hook.given_up", "event"),
        }
    }
}

/// After it was told. By then the answer is out to whoever caused it: how long that took must not tell whether there is something to
/// deliver, which there is not for an address where nobody may sign in.
const BREATH: Duration = Duration::from_millis(20);
/// How often to look without being told.
const PERIOD: Duration = Duration::from_secs(5);
/// The first pause after a failure; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Runs until told to stop, then finishes the messages at hand.
pub(super) async fn run(app: Data<App>, queue: Queue, mut stop: Stop) {
    let mut under_way = JoinSet::new();
    loop {
        // Listening before looking: what is stored in between is not missed.
        let told = app.outbox.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        while under_way.len() < queue.at_a_time() && !*stop.borrow() && app.clock.is_sound() {
            match claim(&app, queue).await {
                Ok(Some(due)) => drop(under_way.spawn(deliver(app.clone(), queue, due))),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be worked on");
                    break;
                }
            }
        }
        tokio::select! {
            () = stopped(&mut stop) => break,
            () = told => tokio::time::sleep(BREATH).await,
            Some(ended) = under_way.join_next() => look(ended),
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
    while let Some(ended) = under_way.join_next().await {
        look(ended);
    }
}

/// A try that broke off leaves its message leased: it is tried again when that runs out, until its life is over.
fn look(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "delivering a message broke off");
    }
}

async fn claim(app: &App, queue: Queue) -> Result<Option<Due>> {
    let now = app.now();
    let mut session = app.db.write().await?;
    let due = outbox::claim(&mut session, queue.name(), now, now.plus(queue.lease(app))).await?;
    session.commit().await?;
    Ok(due)
}

async fn deliver(app: Data<App>, queue: Queue, due: Due) {
    let outcome = if due.expires_at <= app.now() {
        Outcome::GivenUp { reason: "expired".into() }
    } else {
        match queue {
            Queue::Messages(_) => send(&app, &due).await,
            Queue::Hooks => hooks::delivery::deliver(&app, &due).await,
        }
    };
    if let Err(error) = mark(&app, queue, &due, outcome).await {
        tracing::error!(id = due.id, %error, "what became of a message cannot be stored; it will be tried again");
    }
}

/// One try of a message to somebody.
async fn send(app: &App, due: &Due) -> Outcome {
    let later = |wait: Option<Duration>| Outcome::Later { wait: pause(due.attempts).max(wait.unwrap_or_default()) };
    let message = match post::unseal(app, &due.id, &due.sealed) {
        Ok(message) => message,
        Err(error) => {
            // Another node may have the key that is missing here.
            tracing::error!(id = due.id, %error, "a message cannot be read");
            return later(None);
        }
    };
    match post::hand_over(app, &message).await {
        Ok(()) => Outcome::Delivered,
        Err(error) if error.is_final() => Outcome::GivenUp { reason: error.refusal().code.code().into() },
        Err(SendError::RateLimited { retry_after, .. }) => later(retry_after),
        Err(_) => later(None),
    }
}

async fn mark(app: &App, queue: Queue, due: &Due, outcome: Outcome) -> Result<()> {
    let now = app.now();
    let mut session = app.db.write().await?;
    let is_ours = match outcome {
        Outcome::Delivered => outbox::set_delivered(&mut session, &due.id, due.attempts, now).await?,
        Outcome::GivenUp { reason } => {
            let is_ours = outbox::set_given_up(&mut session, &due.id, due.attempts, now).await?;
            if is_ours {
                let (kind, what) = queue.given_up();
                tracing::warn!(id = due.id, queue = queue.name(), what = due.template, %reason, "given up");
                let actor = Actor { user: due.user_id.as_ref(), application: None, client: None };
                let data = json!({ what: due.template, "attempts": due.attempts, "reason": reason });
                audit::write(app, &mut session, kind, actor, data).await?;
            }
            is_ours
        }
        Outcome::Later { wait } => {
            // No later than its end, so that it is given up in time.
            let at = now.plus(wait).min(due.expires_at.max(now));
            outbox::set_next_attempt(&mut session, &due.id, due.attempts, at).await?
        }
    };
    session.commit().await?;
    if !is_ours {
        tracing::warn!(
            id = due.id,
            attempt = due.attempts,
            "a message was taken over by another before this try ended"
        );
    }
    Ok(())
}

fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 10)).unwrap_or(0);
    FIRST_PAUSE.saturating_mul(2_u32.pow(doublings)).min(LONGEST_PAUSE)
}
