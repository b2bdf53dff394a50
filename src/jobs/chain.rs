//! Keeps the audit log's chain: events get their places, the head is signed, what is too old goes. Any node, any number of them.

use std::time::Duration;

use actix_web::web::Data;
use tokio::time::Instant;

use super::{Stop, stopped};
use crate::{
    app::App,
    audit::{
        chain::{self, Extended},
        sweep,
    },
    error::Result,
};

/// How long events gather before they are chained together.
const PERIOD: Duration = Duration::from_secs(1);
/// How often old events are looked for.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);
/// Between two batches, so that requests come in between.
const BREATH: Duration = Duration::from_millis(20);

/// Runs until told to stop.
pub(super) async fn run(app: Data<App>, mut stop: Stop) {
    let mut next_sweep = Instant::now();
    loop {
        let pause = match round(&app, &mut next_sweep).await {
            Ok(true) => BREATH,
            Ok(false) => PERIOD,
            Err(error) => {
                metrics::counter!("countersign_audit_chain_errors_total").increment(1);
                tracing::error!(%error, "the audit log cannot be chained");
                PERIOD
            }
        };
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One batch of each; says whether there is more to do at once.
async fn round(app: &App, next_sweep: &mut Instant) -> Result<bool> {
    if !app.clock.is_sound() {
        return Ok(false);
    }
    let extended = chain::extend(app).await?;
    chain::checkpoint(app, false).await?;
    let is_time = *next_sweep <= Instant::now();
    let has_swept = is_time && sweep::sweep(app).await?;
    if is_time && !has_swept {
        *next_sweep = Instant::now() + SWEEP_PERIOD;
    }
    Ok(has_swept || matches!(extended, Extended::By(events) if events >= usize::from(chain::BATCH)))
}
