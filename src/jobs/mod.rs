//! What runs beside requests.

mod chain;
mod delivery;

use actix_web::web::Data;
use tokio::sync::watch;

use crate::app::App;

/// Runs every job until `stop` resolves; each then finishes what is at hand.
pub async fn run(app: Data<App>, stop: impl Future<Output = ()>) {
    let (tell, told) = watch::channel(false);
    let stopping = || {
        let mut told = told.clone();
        async move {
            let _ = told.wait_for(|is_told| *is_told).await;
        }
    };
    let wait = async {
        stop.await;
        let _ = tell.send(true);
    };
    tokio::join!(wait, delivery::run(app.clone(), stopping()), chain::run(app.clone(), stopping()));
}
