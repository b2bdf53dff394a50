//! Taking old events away, the honest way: up to a signed checkpoint, which stays, so that what is left can still be checked; and
//! with an event that says so.

use std::time::Duration;

use serde_json::json;

use super::Actor;
use crate::{
    app::App,
    domain::time::Timestamp,
    error::Result,
    storage::{audit, audit_chain},
};

/// Rows deleted in one transaction.
const BATCH: i64 = 500;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes a batch of what is older than `audit.retention_days`; says whether there may be more.
pub async fn sweep(app: &App) -> Result<bool> {
    let Some(days) = app.config.audit.retention_days else { return Ok(false) };
    let cutoff = app.now().minus(DAY.saturating_mul(days));
    if let Some(through) = begin(app, cutoff).await? {
        tracing::info!(through, "the audit log is swept");
    }
    let mut session = app.db.write().await?;
    let through = audit_chain::head(&mut session).await?.swept_through;
    let events = audit::delete_through(&mut session, through, BATCH).await?;
    let checkpoints = audit_chain::delete_checkpoints_below(&mut session, through, BATCH).await?;
    if events + checkpoints > 0 {
        session.commit().await?;
    }
    Ok(events + checkpoints > 0)
}

/// Moves the place up to which may be deleted.
async fn begin(app: &App, cutoff: Timestamp) -> Result<Option<i64>> {
    let mut session = app.db.write().await?;
    let Some(through) = audit_chain::sweep_to(&mut session, cutoff).await? else { return Ok(None) };
    let nobody = Actor { user: None, application: None, client: None };
    super::write(app, &mut session, "audit.swept", nobody, json!({ "through": through })).await?;
    session.commit().await?;
    Ok(Some(through))
}
