//! After a change of master keys: everything sealed under another one is sealed anew.

use serde_json::json;

use crate::{
    app::App,
    audit::{self, Actor},
    crypto::sealer::Sealer,
    error::Result,
    storage::sealed::{self, SealedColumn},
};

const BATCH: i64 = 100;

/// While nodes still seal under an older key there is always something left; they are not waited for.
const ROUNDS: u32 = 10;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed anew.
    pub values: u64,
    /// Values that none of the keys opens: damaged, or sealed under a key that is not here.
    pub unreadable: u64,
}

/// Seals under the current key of `sealer` what was sealed under an older one; Each batch is a transaction of its own:
/// broken off, it is simply run again. Values that change meanwhile stay as they are, and are looked at
/// again in the next round.
pub async fn reseal(app: &App, sealer: &Sealer) -> Result<Resealed> {
    let mut total = Resealed::default();
    for _ in 0..ROUNDS {
        let mut round = Resealed::default();
        for column in sealed::ALL {
            reseal_column(app, sealer, column, &mut round).await?;
        }
        total = Resealed { values: total.values + round.values, unreadable: round.unreadable };
        if round.values == 0 {
            break;
        }
    }
    let mut session = app.db.write().await?;
    let actor = Actor { user: None, application: None, client: None };
    audit::write(app, &mut session, "master_key.rotated", actor, json!({ "values": total.values })).await?;
    session.commit().await?;
    Ok(total)
}

async fn reseal_column(app: &App, sealer: &Sealer, column: &SealedColumn, done: &mut Resealed) -> Result<()> {
    let mut after = String::new();
    loop {
        let values = column.list(&mut app.db.read().await?, &after, BATCH).await?;
        let Some(last) = values.last() else { return Ok(()) };
        after.clone_from(&last.key);
        if values.iter().all(|value| sealer.is_current(&value.value)) {
            continue;
        }
        let mut session = app.db.write().await?;
        for old in values.iter().filter(|value| !sealer.is_current(&value.value)) {
            let plain = match sealer.open(column.table, &old.key, column.column, &old.value) {
                Ok(plain) => plain,
                Err(error) => {
                    tracing::warn!(row = old.key, %error, "a sealed value stays as it is");
                    done.unreadable += 1;
                    continue;
                }
            };
            let fresh = sealer.seal(column.table, &old.key, column.column, &plain)?;
            done.values += u64::from(column.replace(&mut session, old, &fresh).await?);
        }
        session.commit().await?;
    }
}
