//! Webhooks: others are told of what happens here (contract 6.4, 6.5).
//!
//! `audit::write` tells of each fact in the transaction of the change; what is to be told waits in the outbox, one row for each hook
//! that asked for the event, until some node has delivered it. `docs/webhooks.md` tells receivers what they get.

pub mod config;
pub mod delivery;
mod sample;

use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::sample::sample;
use crate::{
    app::App,
    domain::{
        hook::{Content, HookEvent},
        id::{ApplicationId, HookId, UserId, random_text},
        user::User,
    },
    error::Result,
    storage::{Session, outbox, users},
    web::client::Client,
};

/// The queue of the outbox.
pub const QUEUE: &str = "hook";

/// How long an event is worth telling.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A fact that others may have asked for.
pub struct Fact<'a> {
    /// The events it is.
    pub events: &'static [HookEvent],
    /// Whose account it is about.
    pub user: Option<&'a UserId>,
    /// Through which application.
    pub application: Option<&'a ApplicationId>,
    /// From where.
    pub client: Option<&'a Client>,
    /// What the audit log has.
    pub data: &'a Map<String, Value>,
    /// Members of [`Content::Members`].
    pub members: Map<String, Value>,
}

/// What waits in the outbox, sealed.
#[derive(Serialize, Deserialize)]
struct Stored {
    hook: HookId,
    /// As it is sent each time, to the byte.
    body: String,
}

/// Stores the events of a fact for every hook that asked for them, in the transaction of the fact. `mark` is that of the hooks, read
/// in this transaction.
pub async fn tell(app: &App, session: &mut Session, mark: &str, fact: &Fact<'_>) -> Result<()> {
    for event in fact.events {
        let hooks = app.hooks.asking_for(session, mark, *event).await?;
        if hooks.is_empty() {
            continue;
        }
        let mut body = content(session, *event, fact).await?;
        body.insert("event".to_owned(), json!(event));
        body.insert("createdAt".to_owned(), json!(app.now().to_iso()));
        if let Some(client) = fact.client {
            body.insert("ip".to_owned(), json!(client.ip_text()));
            if let Some(name) = client.user_agent_text() {
                body.insert("userAgent".to_owned(), json!(name));
            }
        }
        for hook in hooks {
            body.insert("hookId".to_owned(), json!(hook));
            store(app, session, *event, hook, fact.user, &body).await?;
        }
    }
    Ok(())
}

async fn content(session: &mut Session, event: HookEvent, fact: &Fact<'_>) -> Result<Map<String, Value>> {
    let data = match event.content() {
        Content::Members => return Ok(fact.members.clone()),
        Content::User => match fact.user {
            Some(user) => users::find(session, user).await?.as_ref().map_or(Value::Null, about),
            None => Value::Null,
        },
        Content::Fact => {
            let mut data = fact.data.clone();
            data.insert("userId".to_owned(), json!(fact.user));
            data.insert("applicationId".to_owned(), json!(fact.application));
            Value::Object(data)
        }
    };
    Ok(Map::from_iter([("data".to_owned(), data)]))
}

/// A user as webhooks show them (contract 6.4).
fn about(user: &User) -> Value {
    let mut user = user.to_json();
    if let Some(members) = user.as_object_mut() {
        members.remove("externalId");
        members.remove("hasPassword");
    }
    user
}

async fn store(
    app: &App,
    session: &mut Session,
    event: HookEvent,
    hook: HookId,
    user: Option<&UserId>,
    body: &Map<String, Value>,
) -> Result<()> {
    let (id, now) = (random_text(&*app.random, 24), app.now());
    let body = serde_json::to_string(body).context("the body of a webhook")?;
    let plain = serde_json::to_vec(&Stored { hook, body }).context("a webhook for the outbox")?;
    let sealed = app.sealer.seal("outbox", &id, "sealed", &plain)?;
    session.wake_on_commit(&app.outbox);
    let row = outbox::NewMessage {
        id: &id,
        kind: QUEUE,
        template: event.name(),
        user,
        sealed: &sealed,
        now,
        next_attempt_at: now,
        expires_at: now.plus(LIFE),
        given_up_at: None,
    };
    Ok(outbox::add(session, row).await?)
}
