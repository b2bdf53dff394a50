//! Sweeps away what is over: in small batches, each a short transaction, with pauses that leave the writer to requests.

use std::time::{Duration, Instant};

use actix_web::web::Data;

use super::{Stop, stopped};
use crate::{
    app::App,
    config::RetentionConfig,
    domain::time::Timestamp,
    error::Result,
    storage::{
        chores,
        sweeping::{self, BATCH, Sweep},
    },
};

/// How often a node asks whether it is its turn.
const LOOK: Duration = Duration::from_secs(60);
/// From one sweep of one node to the next of any.
const PERIOD: Duration = Duration::from_secs(600);
/// After each batch, a pause this many times as long as the batch took: requests get four fifths of the writer's time at the least,
/// and more when it is busy.
const SHARE: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

type Hours = fn(&RetentionConfig) -> u32;

/// What is swept, and how long it is kept.
const SWEEPS: &[(Sweep, Hours)] = &[
    (sweeping::RECORDS, |retention| retention.records_hours),
    (sweeping::IDEMPOTENT_ANSWERS, |_| 0),
    (sweeping::GUESSES, |retention| retention.guesses_hours),
    (sweeping::SENDS, |retention| retention.sends_hours),
    (sweeping::SEND_GUARDS, |retention| retention.sends_hours),
    (sweeping::SEND_COUNTERS, |retention| retention.sends_hours),
    (sweeping::DELIVERED, |retention| retention.messages_hours),
    (sweeping::GIVEN_UP, |retention| retention.messages_hours),
    (sweeping::SUBJECT_TOKENS, |retention| retention.subject_tokens_hours),
    (sweeping::SIGN_IN_CODES, |retention| retention.sign_in_hours),
    (sweeping::CODE_FAILURES, |retention| retention.guesses_hours),
    (sweeping::CODE_GUARDS, |_| 0),
    (sweeping::SIGN_IN_FLOWS, |retention| retention.sign_in_hours),
    (sweeping::AUTHORIZATION_CODES, |retention| retention.sign_in_hours),
    (sweeping::REFRESH_TOKENS, |retention| retention.sign_in_hours),
    (sweeping::SEEN_IDS, |_| 0),
    (sweeping::RATES, |_| 0),
    (sweeping::LOGIN_TICKETS, |retention| retention.sign_in_hours),
    (sweeping::SESSIONS, |retention| retention.sessions_hours),
    (sweeping::EXPIRED_SESSIONS, |retention| retention.sessions_hours),
];

/// Sweeps now and then, until told to stop.
pub(super) async fn run(app: Data<App>, mut stop: Stop) {
    loop {
        let work = async {
            tokio::time::sleep(LOOK).await;
            take_turn(&app).await
        };
        tokio::select! {
            // A batch that is cut off is undone.
            () = stopped(&mut stop) => return,
            outcome = work => {
                if let Err(error) = outcome {
                    tracing::error!(%error, "sweeping broke off; it goes on later");
                }
            }
        }
    }
}

/// One node sweeps at a time. Two would not get into each other's way, but would take twice the time of the database.
async fn take_turn(app: &App) -> Result<()> {
    if !app.clock.is_sound() {
        return Ok(());
    }
    let now = app.now();
    let mut session = app.db.write().await?;
    let is_ours = chores::claim(&mut session, "sweeping", now, now.plus(PERIOD)).await?;
    session.commit().await?;
    if is_ours {
        sweep(app).await?;
    }
    Ok(())
}

/// Sweeps everything that is over; gives the number of rows.
pub async fn sweep(app: &App) -> Result<u64> {
    let mut total = 0;
    for (sweep, hours) in SWEEPS {
        let before = before(app, hours);
        let mut rows = 0;
        loop {
            let start = Instant::now();
            let mut session = app.db.write().await?;
            let gone = sweep.delete(&mut session, before).await?;
            session.commit().await?;
            rows += gone;
            if gone < BATCH {
                break;
            }
            pause(start).await;
        }
        report(sweep.table, rows);
        total += rows;
    }
    Ok(total + sweep_guess_guards(app).await?)
}

async fn sweep_guess_guards(app: &App) -> Result<u64> {
    let before = before(app, &|retention| retention.guesses_hours);
    let (mut after, mut rows) = (String::new(), 0);
    loop {
        let start = Instant::now();
        let until = sweeping::guess_guards_until(&mut app.db.read().await?, &after).await?;
        let mut session = app.db.write().await?;
        rows += sweeping::delete_guess_guards(&mut session, &after, until.as_deref(), before).await?;
        session.commit().await?;
        match until {
            Some(until) => after = until,
            None => break,
        }
        pause(start).await;
    }
    report("guess_guards", rows);
    Ok(rows)
}

fn before(app: &App, hours: &dyn Fn(&RetentionConfig) -> u32) -> Timestamp {
    app.now().minus(Duration::from_secs(u64::from(hours(&app.config.retention)) * 3600))
}

async fn pause(start: Instant) {
    tokio::time::sleep((start.elapsed() * SHARE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
}

fn report(table: &'static str, rows: u64) {
    if rows > 0 {
        metrics::counter!("countersign_swept_total", "table" => table).increment(rows);
        tracing::info!(table, rows, "swept");
    }
}
