//! Delivers what waits in the outbox: any node, at least once, with back-off.

use std::time::Duration;

use actix_web::web::Data;
use serde_json::json;

use crate::{
    app::App,
    audit::{self, Actor},
    error::Result,
    post,
    storage::outbox::{self, Due},
};

/// How long one try may take before another node may try.
const LEASE: Duration = Duration::from_secs(60);
/// How often to look without being told.
const PERIOD: Duration = Duration::from_secs(5);
/// The first pause after a failure; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Runs until `stop` resolves, then finishes the message at hand.
pub async fn run(app: Data<App>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        loop {
            match deliver_one(&app).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be worked on");
                    break;
                }
            }
        }
        tokio::select! {
            () = &mut stop => return,
            () = app.outbox.notified() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// Delivers one message that is due; false when there is none.
async fn deliver_one(app: &App) -> Result<bool> {
    let now = app.now();
    let mut session = app.db.write().await?;
    let Some(due) = outbox::claim(&mut session, now, now.plus(LEASE)).await? else { return Ok(false) };
    session.commit().await?;
    if due.expires_at <= now {
        tracing::warn!(id = due.id, "a message was given up: its life is over");
        mark(app, &due, Outcome::GivenUp).await?;
        return Ok(true);
    }
    let outcome = match post::unseal(app, &due.id, &due.sealed) {
        Ok(message) => match post::hand_over(app, &message).await {
            Ok(()) => Outcome::Delivered,
            Err(error) if error.is_final() => Outcome::GivenUp,
            Err(_) => Outcome::Later,
        },
        Err(error) => {
            tracing::error!(id = due.id, %error, "a message cannot be read");
            Outcome::Later
        }
    };
    mark(app, &due, outcome).await?;
    Ok(true)
}

enum Outcome {
    Delivered,
    GivenUp,
    Later,
}

async fn mark(app: &App, due: &Due, outcome: Outcome) -> Result<()> {
    let now = app.now();
    let mut session = app.db.write().await?;
    match outcome {
        Outcome::Delivered => outbox::set_delivered(&mut session, &due.id, now).await?,
        Outcome::GivenUp => {
            outbox::set_given_up(&mut session, &due.id, now).await?;
            let nobody = Actor { user: due.user_id.as_ref(), application: None, client: None };
            let data = json!({ "kind": due.kind, "template": due.template });
            audit::write(app, &mut session, "message.given_up", nobody, data).await?;
        }
        Outcome::Later => outbox::set_next_attempt(&mut session, &due.id, now.plus(pause(due.attempts))).await?,
    }
    Ok(session.commit().await?)
}

fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 10)).unwrap_or(0);
    FIRST_PAUSE.saturating_mul(2_u32.pow(doublings)).min(LONGEST_PAUSE)
}
