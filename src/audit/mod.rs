//! The audit log: one event a fact, written in the transaction of the change (contract D15). No secrets, addresses masked.
//!
//! Events are written unchained, so that writers do not wait for each other; a job gives each committed one its place in the chain.
//! `docs/audit.md` tells outsiders how to check it.

pub mod canonical;
pub mod chain;
pub mod export;
pub mod kinds;
mod signed;
pub mod sweep;
pub mod verify;

use serde_json::{Map, Value};
use uuid::{Builder, Uuid};

use crate::{
    app::App,
    domain::id::{ApplicationId, UserId},
    error::Result,
    hooks::{self, Fact},
    storage::{Session, audit},
    web::{caller::Caller, client::Client},
};

/// Who did it, through what, from where.
#[derive(Clone, Copy)]
pub struct Actor<'a> {
    /// Whose account it is about.
    pub user: Option<&'a UserId>,
    /// Through which application.
    pub application: Option<&'a ApplicationId>,
    /// From where; `None` for what the service does by itself.
    pub client: Option<&'a Client>,
}

impl<'a> From<&'a Caller> for Actor<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self { user: Some(&caller.user.id), application: caller.application.as_ref(), client: Some(&caller.client) }
    }
}

/// Writes an event. `data` is an object, or null for none.
///
/// Webhooks that asked for it are told.
///
/// # Errors
/// Failed when [`kinds::ALL`] does not list `kind`: an undocumented event is a mistake of ours, and the change does not happen.
pub async fn write(
    app: &App,
    session: &mut Session,
    kind: &'static str,
    actor: impl Into<Actor<'_>>,
    data: Value,
) -> Result<()> {
    write_telling(app, session, kind, actor, data, Value::Null).await
}

/// The same for a fact of which webhooks are told members of their own (contract 6.4): `told` is an object, and is not in the log.
pub async fn write_telling(
    app: &App,
    session: &mut Session,
    kind: &'static str,
    actor: impl Into<Actor<'_>>,
    data: Value,
    told: Value,
) -> Result<()> {
    let known = kinds::find(kind).filter(|_| canonical::has_plain_numbers(&data));
    let known = known.ok_or_else(|| {
        anyhow::anyhow!("the audit event {kind} is not in audit::kinds, or has fractions in its data")
    })?;
    let Actor { user, application, client } = actor.into();
    let data = members(data);
    let now = app.now();
    let id = event_id(app, now.0).to_string();
    let ip = client.and_then(Client::ip_text);
    let event = audit::Event {
        id: &id,
        at: now,
        kind,
        user,
        application,
        ip: ip.as_deref(),
        request_id: client.map(|client| client.request_id.as_str()),
        data: &data,
    };
    let mark = audit::add(session, event).await?;
    let fact = Fact { events: known.told, user, application, client, data: &data, members: members(told) };
    hooks::tell(app, session, &mark, &fact).await
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// UUID version 7: sorts by time.
fn event_id(app: &App, millis: i64) -> Uuid {
    let mut random = [0; 10];
    app.random.fill(&mut random);
    Builder::from_unix_timestamp_millis(u64::try_from(millis).unwrap_or(0), &random).into_uuid()
}
