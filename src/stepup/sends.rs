//! Counting messages: a gap for each pair of user and recipient, caps for each of them (contract D14). Fails closed.

use std::time::Duration;

use serde_json::json;

use super::challenges::Target;
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::digest,
    domain::{
        id::{UserId, random_text},
        refusal::Code,
        time::Timestamp,
    },
    error::Result,
    storage::{Session, sends as rows},
    web::caller::Caller,
};

const RECIPIENT_WINDOW: Duration = Duration::from_secs(600);
const USER_WINDOW: Duration = Duration::from_secs(3600);

/// Counts a message to `recipient` (canonical form) in this transaction; gives the id to take it back with.
///
/// # Errors
/// `429 request.message_rate_limited` with the time to wait.
pub async fn count(app: &App, session: &mut Session, user: &UserId, recipient: &str, now: Timestamp) -> Result<String> {
    let hash = digest(recipient.as_bytes());
    // Sorted, so that two transactions never wait for each other.
    let mut subjects = [format!("to {recipient}"), format!("by {user}")];
    subjects.sort();
    for subject in &subjects {
        rows::hold(session, subject, now).await?;
    }
    let limits = &app.config.limits;
    let tally = rows::count(session, &hash, user, now.minus(RECIPIENT_WINDOW), now.minus(USER_WINDOW)).await?;
    let gap = Duration::from_secs(limits.send_gap_seconds);
    let waits = [
        // Without a gap, a message that was counted while this one waited its turn is no reason to wait longer.
        tally.latest_of_pair.filter(|_| !gap.is_zero()).map(|latest| latest.plus(gap)),
        tally
            .first_to_recipient
            .filter(|_| tally.to_recipient >= limits.sends_per_recipient)
            .map(|at| at.plus(RECIPIENT_WINDOW)),
        tally.first_by_user.filter(|_| tally.by_user >= limits.sends_per_user).map(|at| at.plus(USER_WINDOW)),
    ];
    if let Some(until) = waits.into_iter().flatten().max().filter(|until| *until > now) {
        return Err(Code::MessageRateLimited.refuse().retry_after(until.since(now)).into());
    }
    let id = random_text(&*app.random, 21);
    rows::add(session, &id, &hash, user, now).await?;
    Ok(id)
}

/// The same for a message that no user causes: a code to sign in with. `sender` is what the gap is kept for, together with the
/// recipient; whoever holds one sends from there in turn.
///
/// # Errors
/// `429 request.message_rate_limited` with the time to wait.
pub async fn count_anonymous(
    app: &App,
    session: &mut Session,
    sender: &str,
    recipient: &str,
    now: Timestamp,
) -> Result<()> {
    let hash = digest(recipient.as_bytes());
    let mut subjects = [format!("to {recipient}"), format!("by {sender}")];
    subjects.sort();
    for subject in &subjects {
        rows::hold(session, subject, now).await?;
    }
    let limits = &app.config.limits;
    let tally = rows::count_anonymous(session, &hash, sender, now.minus(RECIPIENT_WINDOW)).await?;
    let gap = Duration::from_secs(limits.send_gap_seconds);
    let waits = [
        tally.latest_of_pair.filter(|_| !gap.is_zero()).map(|latest| latest.plus(gap)),
        tally
            .first_to_recipient
            .filter(|_| tally.to_recipient >= limits.sends_per_recipient)
            .map(|at| at.plus(RECIPIENT_WINDOW)),
    ];
    if let Some(until) = waits.into_iter().flatten().max().filter(|until| *until > now) {
        return Err(Code::MessageRateLimited.refuse().retry_after(until.since(now)).into());
    }
    Ok(rows::add_anonymous(session, &random_text(&*app.random, 21), &hash, sender, now).await?)
}

/// More was asked for than may be sent: the log and webhooks are told, once for each pair of user and recipient within a window, so
/// that asking again and again does not fill the one and flood the others. In a transaction of its own: that of the message is undone.
pub async fn tell_limited(app: &App, caller: &Caller, target: &Target) -> Result<()> {
    let now = app.now();
    let mut session = app.db.write().await?;
    let subject = format!("told {} {}", caller.user.id, target.key);
    if !rows::hold_once(&mut session, &subject, now, now.minus(RECIPIENT_WINDOW)).await? {
        return Ok(());
    }
    let told = json!({ "action": "VerificationCodeSend", "recipient": target.given() });
    audit::write_telling(app, &mut session, "message.rate_limited", caller, json!({ "to": target.masked }), told)
        .await?;
    Ok(session.commit().await?)
}

/// The same for a message that no user causes: the log is told.
pub async fn tell_limited_anonymous(
    app: &App,
    sender: &str,
    recipient: &str,
    masked: &str,
    actor: Actor<'_>,
) -> Result<()> {
    let now = app.now();
    let mut session = app.db.write().await?;
    let subject = format!("told {sender} {recipient}");
    if !rows::hold_once(&mut session, &subject, now, now.minus(RECIPIENT_WINDOW)).await? {
        return Ok(());
    }
    audit::write(app, &mut session, "message.rate_limited", actor, json!({ "to": masked })).await?;
    Ok(session.commit().await?)
}
