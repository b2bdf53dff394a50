//! Counting guesses for each user and method (`security.md`, invariants 1 and 5; contract D5 to D9).
//!
//! A guess is counted before anything is evaluated. Costly methods (a password) count and commit first, judge, then report back;
//! cheap ones (a code) count, judge and report in one transaction. Either way the answer leaves after the commit.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    app::App,
    audit::{self, Actor},
    crypto::hasher::Place,
    domain::{
        guard::{Closed, Guard},
        id::{UserId, random_text},
        method::Method,
        refusal::{Code, Refusal},
        settings::SentinelPolicy,
        time::Timestamp,
    },
    error::Result,
    storage::{Session, guesses as rows},
    web::caller::Caller,
};

/// How long a guess waits for others of its user to be judged, and how often it looks.
const PATIENCE: u32 = 60;
const PAUSE: Duration = Duration::from_millis(50);
/// On a slow database, looking takes long, too.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Whose guess it is, and how many they have.
#[derive(Clone, Copy)]
pub struct Guesser<'a> {
    /// Whose account it is about.
    pub user: &'a UserId,
    /// For the audit log.
    pub actor: Actor<'a>,
    /// When they are locked out.
    pub policy: SentinelPolicy,
}

impl<'a> From<&'a Caller> for Guesser<'a> {
    fn from(caller: &'a Caller) -> Self {
        let policy = caller.settings.sign_in_experience.sentinel_policy;
        Self { user: &caller.user.id, actor: caller.into(), policy }
    }
}

/// A guess that was counted and may now be judged.
#[must_use]
pub struct Guess {
    id: String,
    method: Method,
    /// Whether a success has something to reset.
    had_failures: bool,
    _turn: OwnedSemaphorePermit,
}

impl Guess {
    /// Waits for a place of the hashing pool, counts a guess and commits; in this order, so that whoever is turned away for want of a
    /// place has not been counted.
    ///
    /// # Errors
    /// `session.verification_blocked_too_many_attempts` while the method is locked; `503` when so many guesses of this user are
    /// being judged that one more could be one too many, or when the pool has no place.
    pub async fn take<'a>(app: &'a App, guesser: impl Into<Guesser<'_>>, method: Method) -> Result<(Self, Place<'a>)> {
        let Guesser { user, policy, .. } = guesser.into();
        let busy = || Code::Unavailable.refuse().retry_after(Duration::from_secs(1));
        let turn = app.turns.take(user, method).await.ok_or_else(busy)?;
        let begun = Instant::now();
        for _ in 0..PATIENCE {
            if begun.elapsed() > LONGEST_WAIT {
                break;
            }
            let place = app.hasher.place().await?;
            let now = app.now();
            let mut session = app.db.write().await?;
            let guard = hold(&mut session, user, method, now).await?;
            if let Some(refusal) = refusal_of(guard, method, now) {
                return Err(refusal.into());
            }
            let id = random_text(&*app.random, 21);
            let most = i64::from(policy.max_attempts);
            if rows::add_judged(&mut session, &id, user, method.name(), now, most).await? {
                session.commit().await?;
                return Ok((Self { id, method, had_failures: guard.has_failures(), _turn: turn }, place));
            }
            // Others need both meanwhile.
            drop((session, place));
            tokio::time::sleep(PAUSE).await;
        }
        Err(busy().into())
    }

    /// The guess was not judged after all, for a reason that is not the guesser's: it does not count.
    pub async fn withdraw(self, app: &App) -> Result<()> {
        let mut session = app.db.write().await?;
        rows::forgive(&mut session, &self.id).await?;
        Ok(session.commit().await?)
    }

    /// The guess was right. Runs in the transaction that stores what it earned.
    pub async fn forgive(self, session: &mut Session, user: &UserId) -> Result<()> {
        rows::forgive(session, &self.id).await?;
        if self.had_failures {
            rows::set_succeeded(session, user, self.method.name()).await?;
        }
        Ok(())
    }

    /// The guess was wrong: audits, locks if it was one too many, commits. Gives what to answer: `otherwise`, or that the method is
    /// locked now (contract D8).
    pub async fn fail(self, app: &App, guesser: impl Into<Guesser<'_>>, otherwise: Code) -> Result<Refusal> {
        let guesser = guesser.into();
        let now = app.now();
        let mut session = app.db.write().await?;
        let guard = hold(&mut session, guesser.user, self.method, now).await?;
        rows::set_failed(&mut session, &self.id).await?;
        let failed = Failed { reason: otherwise, address: None };
        let refusal = after_failure(app, &mut session, guesser, self.method, guard, failed).await?;
        session.commit().await?;
        Ok(refusal)
    }
}

/// Takes the turn of one user's one method for the rest of the transaction.
///
/// # Errors
/// `session.verification_blocked_too_many_attempts` while it is locked.
pub async fn admit(session: &mut Session, user: &UserId, method: Method, now: Timestamp) -> Result<Guard> {
    let guard = hold(session, user, method, now).await?;
    match refusal_of(guard, method, now) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(guard),
    }
}

/// A guess that was wrong.
pub struct Failed<'a> {
    /// What to answer, unless it was one too many.
    pub reason: Code,
    /// The address whose code it was, for methods that have one.
    pub address: Option<&'a str>,
}

/// A guess that was judged wrong in this transaction: counts it, audits, locks if it was one too many.
pub async fn count_failure(
    app: &App,
    session: &mut Session,
    guesser: impl Into<Guesser<'_>>,
    method: Method,
    guard: Guard,
    failed: Failed<'_>,
) -> Result<Refusal> {
    let guesser = guesser.into();
    let id = random_text(&*app.random, 21);
    rows::add_failed(session, &id, guesser.user, method.name(), app.now()).await?;
    after_failure(app, session, guesser, method, guard, failed).await
}

/// A guess was right in this transaction.
pub async fn count_success(session: &mut Session, user: &UserId, method: Method, guard: Guard) -> Result<()> {
    if guard.has_failures() {
        rows::set_succeeded(session, user, method.name()).await?;
    }
    Ok(())
}

async fn after_failure(
    app: &App,
    session: &mut Session,
    guesser: Guesser<'_>,
    method: Method,
    guard: Guard,
    failed: Failed<'_>,
) -> Result<Refusal> {
    let now = app.now();
    let Guesser { user, actor, policy } = guesser;
    let Failed { reason: otherwise, address } = failed;
    let failed = rows::count_failed(session, user, method.name(), now).await?;
    let is_one_too_many = failed >= i64::from(policy.max_attempts);
    let until = is_one_too_many.then(|| now.plus(guard.next_lock(policy)));
    rows::set_failure(session, user, method.name(), until).await?;
    let data = json!({ "method": method.name(), "reason": otherwise.code() });
    audit::write(app, session, "verification.failed", actor, data).await?;
    let locked_out = json!({ "type": method.identifier(), "value": address.unwrap_or(user.as_str()) });
    if guard.is_at_its_last() {
        let data = json!({ "method": method.name() });
        audit::write_telling(app, session, "verification.disabled", actor, data, locked_out).await?;
        return Ok(disabled(method));
    }
    let Some(until) = until else { return Ok(otherwise.refuse()) };
    let data = json!({ "method": method.name(), "lockedUntil": until.to_iso() });
    audit::write_telling(app, session, "verification.locked", actor, data, locked_out).await?;
    Ok(locked(method, until, now))
}

async fn hold(session: &mut Session, user: &UserId, method: Method, now: Timestamp) -> Result<Guard> {
    Ok(rows::hold(session, user, method.name(), now).await?)
}

fn refusal_of(guard: Guard, method: Method, now: Timestamp) -> Option<Refusal> {
    guard.closed(now).map(|closed| match closed {
        Closed::Until(until) => locked(method, until, now),
        Closed::ForGood => disabled(method),
    })
}

fn locked(method: Method, until: Timestamp, now: Timestamp) -> Refusal {
    let wait = until.since(now);
    let seconds = wait.as_millis().div_ceil(1000);
    let data = json!({ "method": method.name(), "retryAfterSeconds": u64::try_from(seconds).unwrap_or(u64::MAX) });
    Code::TooManyAttempts.with(data).retry_after(wait)
}

/// No time will unlock it.
fn disabled(method: Method) -> Refusal {
    Code::TooManyAttempts.with(json!({ "method": method.name(), "disabled": true }))
}
