//! What runs beside requests.

mod chain;
mod delivery;
pub mod resealing;
pub mod rotation;
pub mod sweeping;

use actix_web::web::Data;
use tokio::{sync::watch, task::JoinSet};

use self::delivery::Queue;
use crate::{app::App, domain::message::Kind};

/// Told `true` when the jobs are to end.
pub type Stop = watch::Receiver<bool>;

/// Runs every job until told to stop, and until what is at hand is finished. Each is a task of its own: one that breaks takes no other
/// along.
pub async fn run(app: Data<App>, stop: Stop) {
    let mut jobs = JoinSet::new();
    for kind in Kind::ALL {
        jobs.spawn(delivery::run(app.clone(), Queue::Messages(*kind), stop.clone()));
    }
    jobs.spawn(delivery::run(app.clone(), Queue::Hooks, stop.clone()));
    jobs.spawn(rotation::run(app.clone(), stop.clone()));
    jobs.spawn(chain::run(app.clone(), stop.clone()));
    jobs.spawn(sweeping::run(app, stop));
    while let Some(ended) = jobs.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a job broke off");
        }
    }
}

/// Resolves when the jobs are to end.
async fn stopped(stop: &mut Stop) {
    // Whoever would tell is gone: stop, too.
    let _ = stop.wait_for(|is_over| *is_over).await;
}
