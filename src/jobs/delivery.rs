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
    post,
    storage::outbox::{self, Due},
};

/// The most messages of one kind under way in this process. Each kind has a loop of its own: a mail server that hangs delays no text
/// message.
const AT_A_TIME: usize = 8;
/// How often to look without being told.
const PERIOD: Duration = Duration::from_secs(5);
/// The first pause after a failure; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Runs until told to stop, then finishes the messages at hand.
pub(super) async fn run(app: Data<App>, kind: Kind, mut stop: Stop) {
    let mut under_way = JoinSet::new();
    loop {
        // Listening before looking: what is stored in between is not missed.
        let told = app.outbox.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        while under_way.len() < AT_A_TIME && !*stop.borrow() && app.clock.is_sound() {
            match claim(&app, kind).await {
                Ok(Some(due)) => drop(under_way.spawn(deliver(app.clone(), due))),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be worked on");
                    break;
                }
            }
        }
        tokio::select! {
            () = stopped(&mut stop) => break,
            () = told => {}
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

async fn claim(app: &App, kind: Kind) -> Result<Option<Due>> {
    let now = app.now();
    let mut session = app.db.write().await?;
    let due = outbox::claim(&mut session, kind.name(), now, now.plus(post::lease(app))).await?;
    session.commit().await?;
    Ok(due)
}

async fn deliver(app: Data<App>, due: Due) {
    let outcome = attempt(&app, &due).await;
    if let Err(error) = mark(&app, &due, outcome).await {
        tracing::error!(id = due.id, %error, "what became of a message cannot be stored; it will be tried again");
    }
}

enum Outcome {
    Delivered,
    GivenUp { reason: &'static str },
    Later { wait: Option<Duration> },
}

async fn attempt(app: &App, due: &Due) -> Outcome {
    if due.expires_at <= app.now() {
        return Outcome::GivenUp { reason: "expired" };
    }
    let message = match post::unseal(app, &due.id, &due.sealed) {
        Ok(message) => message,
        Err(error) => {
            // Another node may have the key that is missing here.
            tracing::error!(id = due.id, %error, "a message cannot be read");
            return Outcome::Later { wait: None };
        }
    };
    match post::hand_over(app, &message).await {
        Ok(()) => Outcome::Delivered,
        Err(error) if error.is_final() => Outcome::GivenUp { reason: error.refusal().code.code() },
        Err(SendError::RateLimited { retry_after, .. }) => Outcome::Later { wait: retry_after },
        Err(_) => Outcome::Later { wait: None },
    }
}

async fn mark(app: &App, due: &Due, outcome: Outcome) -> Result<()> {
    let now = app.now();
    let mut session = app.db.write().await?;
    let is_ours = match outcome {
        Outcome::Delivered => outbox::set_delivered(&mut session, &due.id, due.attempts, now).await?,
        Outcome::GivenUp { reason } => {
            let is_ours = outbox::set_given_up(&mut session, &due.id, due.attempts, now).await?;
            if is_ours {
                tracing::warn!(id = due.id, reason, "a message was given up");
                let actor = Actor { user: due.user_id.as_ref(), application: None, client: None };
                let data = json!({ "template": due.template, "attempts": due.attempts, "reason": reason });
                audit::write(app, &mut session, "message.given_up", actor, data).await?;
            }
            is_ours
        }
        Outcome::Later { wait } => {
            // No later than its end, so that it is given up in time.
            let pause = pause(due.attempts).max(wait.unwrap_or_default());
            let at = now.plus(pause).min(due.expires_at.max(now));
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
