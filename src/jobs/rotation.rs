//! New signing keys take over from old ones; see `app::keys` for what a key does when.

use std::{collections::BTreeSet, time::Duration};

use actix_web::web::Data;
use serde_json::json;

use super::{Stop, stopped};
use crate::{
    app::{
        App,
        keys::{self, LEAD, State},
    },
    audit::{self, Actor},
    crypto::signing::{SigningAlgorithm, SigningKey},
    domain::time::Timestamp,
    error::Result,
    storage::{self, keys::StoredKey},
};

/// How often keys are looked at.
const PERIOD: Duration = Duration::from_secs(10);

const NOBODY: Actor<'static> = Actor { user: None, application: None, client: None };

/// When a new key begins to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Once nobody keeps an older list of keys.
    AfterLead,
    /// At once. Others who verify our tokens refuse those of the new key until they have fetched it.
    Now,
}

/// A key that takes over.
#[derive(Clone, Debug)]
pub struct Successor {
    /// Its id.
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// From when on.
    pub signs_from: Timestamp,
}

/// Keeps the keys in order until told to stop.
pub(super) async fn run(app: Data<App>, mut stop: Stop) {
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        if !app.clock.is_sound() {
            continue;
        }
        if let Err(error) = keep(&app).await {
            tracing::error!(%error, "the signing keys cannot be looked after");
        }
    }
}

/// Reads the keys again, lets new ones take over when it is time for that, retires those that are over.
pub async fn keep(app: &App) -> Result<()> {
    app.refresh_keys().await?;
    let rows = storage::keys::list(&mut app.db.read().await?).await?;
    let now = app.now();
    if keys::states(&rows, now).contains(&State::Over) {
        retire(app).await?;
    }
    let days = app.config.keys.signing_rotation_days;
    let age = Duration::from_secs(u64::from(days) * 24 * 3600);
    if days > 0 && algorithms(&rows).into_iter().any(|algorithm| is_due(&rows, algorithm, age, now)) {
        rotate(app, Start::AfterLead, Some(age)).await?;
    }
    Ok(())
}

/// Makes a new key for each algorithm in use, or, with `age`, for those whose newest key is older. A key that waits already is the new
/// one; `Start::Now` lets it sign at once.
pub async fn rotate(app: &App, start: Start, age: Option<Duration>) -> Result<Vec<Successor>> {
    // Made outside the transaction: some take a while.
    let used = algorithms(&storage::keys::list(&mut app.db.read().await?).await?);
    let made = used.into_iter().map(|algorithm| SigningKey::generate(algorithm, app.now()));
    let made = made.collect::<Result<Vec<_>>>()?;
    let mut session = app.db.write().await?;
    // One at a time; and the version it raises tells every node to read the keys.
    storage::settings::lock(&mut session).await?;
    let rows = storage::keys::list(&mut session).await?;
    let now = app.now();
    let signs_from = if start == Start::Now { now } else { now.plus(LEAD) };
    let mut successors = Vec::new();
    for key in made {
        let algorithm = key.algorithm();
        if age.is_some_and(|age| !is_due(&rows, algorithm, age, now)) {
            continue;
        }
        if let Some(waiting) = of(&rows, algorithm).find(|row| row.signs_from > now) {
            let signs_from = waiting.signs_from.min(signs_from);
            storage::keys::set_signs_from(&mut session, &waiting.kid, signs_from).await?;
            successors.push(Successor { kid: waiting.kid.clone(), algorithm, signs_from });
            continue;
        }
        // The master key must be the one the others are sealed under.
        of(&rows, algorithm).try_for_each(|row| keys::open(row, &app.sealer).map(drop))?;
        storage::keys::add(&mut session, &keys::sealed(&key, signs_from, &app.sealer)?).await?;
        successors.push(Successor { kid: key.kid().to_owned(), algorithm, signs_from });
    }
    for successor in &successors {
        let data = json!({ "kid": successor.kid, "signsFrom": successor.signs_from.to_iso() });
        audit::write(app, &mut session, "signing_key.rotated", NOBODY, data).await?;
    }
    session.commit().await?;
    Ok(successors)
}

/// Takes away the private half of every key whose last token has expired.
async fn retire(app: &App) -> Result<()> {
    let mut session = app.db.write().await?;
    storage::settings::lock(&mut session).await?;
    let rows = storage::keys::list(&mut session).await?;
    let now = app.now();
    for (row, state) in rows.iter().zip(keys::states(&rows, now)) {
        if state != State::Over {
            continue;
        }
        let key = keys::open(row, &app.sealer)?;
        if storage::keys::retire(&mut session, &row.kid, key.jwk(), now).await? {
            audit::write(app, &mut session, "signing_key.retired", NOBODY, json!({ "kid": row.kid })).await?;
        }
    }
    session.commit().await?;
    app.refresh_keys().await
}

fn algorithms(rows: &[StoredKey]) -> Vec<SigningAlgorithm> {
    let names: BTreeSet<_> = rows.iter().filter(|row| row.retired_at.is_none()).map(|row| &row.algorithm).collect();
    names.into_iter().filter_map(|name| SigningAlgorithm::parse(name)).collect()
}

fn of(rows: &[StoredKey], algorithm: SigningAlgorithm) -> impl Iterator<Item = &StoredKey> {
    rows.iter().filter(move |row| row.retired_at.is_none() && row.algorithm == algorithm.name())
}

/// Whether the newest key of that algorithm has signed for longer than `age`.
fn is_due(rows: &[StoredKey], algorithm: SigningAlgorithm, age: Duration, now: Timestamp) -> bool {
    let newest = of(rows, algorithm).map(|row| row.signs_from.max(row.created_at)).max();
    newest.is_some_and(|newest| newest.plus(age) <= now)
}
