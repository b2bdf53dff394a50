//! The way of a message: rendered, sealed, stored in the transaction that causes it, handed to a channel, marked.

pub mod budgets;

use std::{borrow::Cow, time::Duration};

use anyhow::Context;

use crate::{
    app::App,
    channels::SendError,
    domain::{
        id::{UserId, random_text},
        message::{Kind, Locale, Message, Payload, Template},
        time::Timestamp,
        user::User,
    },
    error::Result,
    storage::{Session, outbox},
    texts::{self, Values},
};

/// What a try may take longer than the channel's own timeout: the wait for a free connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a try.
pub enum Outcome {
    /// It was taken.
    Delivered,
    /// It is not tried again.
    GivenUp {
        /// Why, for the audit log.
        reason: Cow<'static, str>,
    },
    /// It is tried again.
    Later {
        /// After that time.
        wait: Duration,
    },
}

/// What a lease lasts longer than the try it is for: time to mark the outcome.
const MARGIN: Duration = Duration::from_secs(20);

/// How long a notice is worth sending.
const NOTICE_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Refuses with `501 connector.not_found` when there is no channel for that kind of message.
pub fn require_channel(app: &App, kind: Kind) -> Result<()> {
    app.channels.of(kind).map(drop).map_err(|error| error.refusal().into())
}

/// A new id for a message.
pub fn new_id(app: &App) -> String {
    random_text(&*app.random, 21)
}

/// The longest a try may take.
fn longest_try(app: &App) -> Duration {
    app.config.email.timeout().max(app.config.sms.timeout()).saturating_add(PATIENCE)
}

/// How long a message belongs to whoever tries it: longer than a try may take.
#[must_use]
pub fn lease(app: &App) -> Duration {
    longest_try(app).saturating_add(MARGIN)
}

/// Stores a message in the caller's transaction. When the caller tries it first (`is_leased`), nobody else does before [`lease`] has
/// passed; that try has the number 0.
pub async fn store(
    app: &App,
    session: &mut Session,
    message: &Message,
    user: Option<&UserId>,
    expires_at: Timestamp,
    is_leased: bool,
) -> Result<()> {
    let next_attempt_at = if is_leased { app.now().plus(lease(app)) } else { app.now() };
    add(app, session, message, user, expires_at, next_attempt_at, None).await
}

/// Does all that [`store`] does for a message that is not to be sent: neither the time it takes nor the statements tell the two apart.
pub async fn withhold(app: &App, session: &mut Session, message: &Message, expires_at: Timestamp) -> Result<()> {
    let now = app.now();
    add(app, session, message, None, expires_at, now, Some(now)).await
}

async fn add(
    app: &App,
    session: &mut Session,
    message: &Message,
    user: Option<&UserId>,
    expires_at: Timestamp,
    next_attempt_at: Timestamp,
    given_up_at: Option<Timestamp>,
) -> Result<()> {
    let plain = serde_json::to_vec(message).context("a message for the outbox")?;
    let sealed = app.sealer.seal("outbox", &message.id, "sealed", &plain)?;
    // What is not to be sent is not kept either.
    let sealed = if given_up_at.is_some() { Vec::new() } else { sealed };
    let row = outbox::NewMessage {
        id: &message.id,
        kind: message.kind.name(),
        template: message.template.name(),
        user,
        sealed: &sealed,
        now: message.created_at,
        next_attempt_at,
        expires_at,
        given_up_at,
    };
    if next_attempt_at <= app.now() {
        session.wake_on_commit(&app.outbox);
    }
    Ok(outbox::add(session, row).await?)
}

/// Reads a stored message.
pub fn unseal(app: &App, id: &str, sealed: &[u8]) -> Result<Message> {
    let plain = app.sealer.open("outbox", id, "sealed", sealed)?;
    Ok(serde_json::from_slice(&plain).context("a message from the outbox")?)
}

/// Hands a message to its channel, in time; counts the outcome.
pub async fn hand_over(app: &App, message: &Message) -> Result<(), SendError> {
    let limit = longest_try(app);
    let outcome = tokio::time::timeout(limit, app.channels.send(message)).await.unwrap_or_else(|_| {
        let detail = format!("the channel for {} did not finish within {} ms", message.kind.name(), limit.as_millis());
        Err(SendError::Failed { detail, is_final: false })
    });
    let result = if outcome.is_ok() { "sent" } else { "refused" };
    metrics::counter!("countersign_messages_total", "kind" => message.kind.name(), "result" => result).increment(1);
    if let Err(error) = &outcome {
        tracing::warn!(kind = message.kind.name(), template = message.template.name(), %error, "a message was not taken");
    }
    outcome
}

/// Where a notice goes.
#[derive(Clone, Copy)]
pub enum Address<'a> {
    /// An e-mail address.
    Email(&'a str),
    /// E.164 digits.
    Phone(&'a str),
}

/// Tells a user, as they were before the change, in the caller's transaction that something changed (contract D15): at `previous`, the
/// address that was replaced or removed; where there was none, or nothing can be sent to it, at another address they had.
pub async fn notify(
    app: &App,
    session: &mut Session,
    user: &User,
    template: Template,
    previous: Option<Address<'_>>,
) -> Result<()> {
    let email = user.primary_email.as_deref().map(Address::Email);
    let phone = user.primary_phone.as_deref().map(Address::Phone);
    for address in [previous, email, phone].into_iter().flatten() {
        if notify_at(app, session, user, template, address).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Stores the notice; false when there is no channel for it, or it would cost too much.
async fn notify_at(
    app: &App,
    session: &mut Session,
    user: &User,
    template: Template,
    address: Address<'_>,
) -> Result<bool> {
    let (kind, to) = match address {
        Address::Email(address) => (Kind::Email, address.to_owned()),
        Address::Phone(digits) => (Kind::Sms, format!("+{digits}")),
    };
    if app.channels.of(kind).is_err() {
        return Ok(false);
    }
    let now = app.now();
    if let Address::Phone(digits) = address
        && !budgets::may_text_notice(app, session, &user.id, digits, now).await?
    {
        return Ok(false);
    }
    let locale = language_of(user);
    let values = Values { user: user.name.as_deref(), time: Some(now), ..Values::default() };
    let message = Message {
        id: new_id(app),
        created_at: now,
        kind,
        to,
        template,
        rendered: texts::render(&app.templates, template, kind, locale, &values),
        payload: Payload { code: None, locale, ui_locales: None, application: None, user: None },
        ip: None,
    };
    store(app, session, &message, Some(&user.id), now.plus(NOTICE_LIFE), false).await?;
    Ok(true)
}

/// The language a user's profile names, else English.
fn language_of(user: &User) -> Locale {
    let tag = user.profile.get("locale").and_then(serde_json::Value::as_str);
    tag.and_then(Locale::parse).unwrap_or(Locale::En)
}
