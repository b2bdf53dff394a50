//! Webhooks.
//!
//! Every change takes the lock of [`lock`] first and ends with [`set_mark`]: nodes keep the list of those that are enabled by it.

use super::Session;
use crate::domain::{id::HookId, time::Timestamp};

/// One webhook.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoredHook {
    /// Its id.
    pub id: HookId,
    /// For people.
    pub name: String,
    /// Names of events, separated by spaces.
    pub events: String,
    /// Address and headers, sealed.
    pub config: Vec<u8>,
    /// What signs, sealed.
    pub signing_key: Vec<u8>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Creation.
    pub created_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("select id, name, events, config, signing_key, enabled, created_at from hooks ", $rest)
    };
}

/// Takes turns with all who change hooks.
pub async fn lock(session: &mut Session) -> sqlx::Result<()> {
    session.execute("update settings set hooks_mark = hooks_mark where id = 'default'", ()).await.map(drop)
}

/// Tells every node that the hooks are others now. Call it after the change, in its transaction.
pub async fn set_mark(session: &mut Session, mark: &str) -> sqlx::Result<()> {
    session.execute("update settings set hooks_mark = $1 where id = 'default'", (mark,)).await.map(drop)
}

/// Adds a hook.
pub async fn add(session: &mut Session, hook: &StoredHook) -> sqlx::Result<()> {
    let sql = "insert into hooks (id, name, events, config, signing_key, enabled, created_at)
               values ($1, $2, $3, $4, $5, $6, $7)";
    let StoredHook { id, name, events, config, signing_key, enabled, created_at } = hook;
    session.execute(sql, (id, name, events, config, signing_key, *enabled, *created_at)).await.map(drop)
}

/// The hook with that id.
pub async fn find(session: &mut Session, id: &HookId) -> sqlx::Result<Option<StoredHook>> {
    session.fetch_optional(select!("where id = $1"), (id,)).await
}

/// A page of hooks, newest first.
pub async fn list(session: &mut Session, limit: i64, offset: i64) -> sqlx::Result<Vec<StoredHook>> {
    session.fetch_all(select!("order by created_at desc, id limit $1 offset $2"), (limit, offset)).await
}

/// How many there are.
pub async fn count(session: &mut Session) -> sqlx::Result<i64> {
    session.fetch_value("select count(*) from hooks", ()).await
}

/// Ids and events of the hooks that are enabled.
pub async fn enabled(session: &mut Session) -> sqlx::Result<Vec<(HookId, String)>> {
    session.fetch_all("select id, events from hooks where enabled", ()).await
}

/// Stores what may change of a hook.
pub async fn set(session: &mut Session, hook: &StoredHook) -> sqlx::Result<()> {
    let sql = "update hooks set name = $2, events = $3, config = $4, signing_key = $5, enabled = $6 where id = $1";
    let StoredHook { id, name, events, config, signing_key, enabled, .. } = hook;
    session.execute(sql, (id, name, events, config, signing_key, *enabled)).await.map(drop)
}

/// Removes a hook; false when there was none.
pub async fn delete(session: &mut Session, id: &HookId) -> sqlx::Result<bool> {
    Ok(session.execute("delete from hooks where id = $1", (id,)).await? == 1)
}
