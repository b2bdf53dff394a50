//! The audit log. The database itself refuses to change or delete what is in it (migration 0002).

use std::sync::LazyLock;

use serde_json::{Map, Value};
use sqlx::{Arguments, error::BoxDynError, postgres::PgArguments, sqlite::SqliteArguments, types::Json};

use super::{Params, Session};
use crate::domain::{
    id::{ApplicationId, UserId},
    time::Timestamp,
};

/// One event.
pub struct Event<'a> {
    /// Its id; sorts by time.
    pub id: &'a str,
    /// When.
    pub at: Timestamp,
    /// What, such as `verification.succeeded`.
    pub kind: &'static str,
    /// Whose account.
    pub user: Option<&'a UserId>,
    /// Through which application.
    pub application: Option<&'a ApplicationId>,
    /// From where.
    pub ip: Option<&'a str>,
    /// The request that caused it.
    pub request_id: Option<&'a str>,
    /// What else is worth knowing; no secrets, addresses masked.
    pub data: &'a Map<String, Value>,
}

/// Adds an event, in the transaction of the change it tells of. Gives the mark of the webhooks as it is then.
pub async fn add(session: &mut Session, event: Event<'_>) -> sqlx::Result<String> {
    let sql = "insert into audit_events (id, at, type, user_id, application_id, ip, request_id, data)
               values ($1, $2, $3, $4, $5, $6, $7, $8)
               returning coalesce((select hooks_mark from settings where id = 'default'), '')";
    let Event { id, at, kind, user, application, ip, request_id, data } = event;
    session.fetch_value(sql, (id, at, kind, user, application, ip, request_id, Json(data))).await
}

/// When the newest event was.
pub async fn newest(session: &mut Session) -> sqlx::Result<Option<Timestamp>> {
    session.fetch_value("select max(at) from audit_events", ()).await
}

/// An event as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the members of `Event`")]
pub struct Stored {
    pub id: String,
    pub at: Timestamp,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub user_id: Option<UserId>,
    pub application_id: Option<ApplicationId>,
    pub ip: Option<String>,
    pub request_id: Option<String>,
    pub data: Json<Map<String, Value>>,
    /// Its place in the chain, from 1 on; `None` until it is chained.
    pub seq: Option<i64>,
    /// What it has there.
    pub hash: Option<Vec<u8>>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, at, type, user_id, application_id, ip, request_id, data, seq, hash from audit_events ",
            $rest
        )
    };
}

/// Committed events that have no place in the chain yet, oldest first. One that commits late gets a later place; none is passed over,
/// because nothing but a place takes an event out of this list.
pub async fn unchained(session: &mut Session, limit: i64) -> sqlx::Result<Vec<Stored>> {
    session.fetch_all(select!("where seq is null order by at, id limit $1"), (limit,)).await
}

/// The place of an event in the chain.
pub struct Link<'a> {
    /// The event's id.
    pub id: &'a str,
    /// From 1 on.
    pub seq: i64,
    /// SHA-256 over the hash before and the event.
    pub hash: Vec<u8>,
}

/// How many events one statement chains.
const TOGETHER: usize = 25;

/// The parameters of [`set_chained`]: free slots are null and match nothing.
struct Slots<'a>(&'a [Link<'a>]);

macro_rules! bind {
    ($slots:expr, $arguments:ident) => {{
        let mut arguments = $arguments::default();
        for slot in 0..TOGETHER {
            let link = $slots.0.get(slot);
            arguments.add(link.map(|link| link.id))?;
            arguments.add(link.map(|link| link.seq))?;
            arguments.add(link.map(|link| link.hash.as_slice()))?;
        }
        Ok(arguments)
    }};
}

impl<'q> Params<'q> for Slots<'q> {
    fn sqlite(self) -> Result<SqliteArguments, BoxDynError> {
        bind!(self, SqliteArguments)
    }

    fn postgres(self) -> Result<PgArguments, BoxDynError> {
        bind!(self, PgArguments)
    }
}

/// Gives events their places, once; says how many got theirs.
pub async fn set_chained(session: &mut Session, links: &[Link<'_>]) -> sqlx::Result<u64> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let slot = |slot: usize| format!("(${}, ${}, ${})", 3 * slot + 1, 3 * slot + 2, 3 * slot + 3);
        let slots = (0..TOGETHER).map(slot).collect::<Vec<_>>().join(", ");
        format!(
            "with links (id, seq, hash) as (values {slots})
             update audit_events set seq = links.seq, hash = links.hash from links
             where audit_events.id = links.id and audit_events.seq is null"
        )
    });
    let mut chained = 0;
    for links in links.chunks(TOGETHER) {
        chained += session.execute(&SQL, Slots(links)).await?;
    }
    Ok(chained)
}

/// Chained events after one place up to another, in order.
pub async fn chained(session: &mut Session, after: i64, through: i64, limit: i64) -> sqlx::Result<Vec<Stored>> {
    session.fetch_all(select!("where seq > $1 and seq <= $2 order by seq limit $3"), (after, through, limit)).await
}

/// The first place of an event from `from` on.
pub async fn first_since(session: &mut Session, from: Timestamp) -> sqlx::Result<Option<i64>> {
    session.fetch_value("select min(seq) from audit_events where at >= $1 and seq is not null", (from,)).await
}

/// The last place of an event before `to`.
pub async fn last_before(session: &mut Session, to: Timestamp) -> sqlx::Result<Option<i64>> {
    session.fetch_value("select max(seq) from audit_events where at < $1 and seq is not null", (to,)).await
}

/// Deletes a few events up to a place, oldest first; the database refuses those above the swept checkpoint.
pub async fn delete_through(session: &mut Session, seq: i64, limit: i64) -> sqlx::Result<u64> {
    let sql =
        "delete from audit_events where seq in (select seq from audit_events where seq <= $1 order by seq limit $2)";
    session.execute(sql, (seq, limit)).await
}

/// Which events to list; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of that type.
    pub kind: Option<String>,
    /// About that user.
    pub user: Option<String>,
    /// Through that application.
    pub application: Option<String>,
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub to: Option<Timestamp>,
}

macro_rules! filtered {
    ($start:expr, $user:literal, $end:literal) => {
        concat!(
            $start,
            "where ($1 is null or type = $1) and ",
            $user,
            " and ($3 is null or application_id = $3) and at >= $4 and at < $5 ",
            $end
        )
    };
}

/// A page of events, newest first.
pub async fn list(session: &mut Session, filter: &Filter, limit: i64, offset: i64) -> sqlx::Result<Vec<Stored>> {
    // Two texts, because one in which the user may be missing cannot use the index by user.
    const ANY: &str =
        filtered!(select!(""), "($2 is null or user_id = $2)", "order by at desc, id desc limit $6 offset $7");
    const USER: &str = filtered!(select!(""), "user_id = $2", "order by at desc, id desc limit $6 offset $7");
    let sql = if filter.user.is_some() { USER } else { ANY };
    let Filter { kind, user, application, .. } = filter;
    let (from, to) = filter.times();
    session.fetch_all(sql, (kind.as_deref(), user.as_deref(), application.as_deref(), from, to, limit, offset)).await
}

/// How many there are.
pub async fn count(session: &mut Session, filter: &Filter) -> sqlx::Result<i64> {
    const ANY: &str = filtered!("select count(*) from audit_events ", "($2 is null or user_id = $2)", "");
    const USER: &str = filtered!("select count(*) from audit_events ", "user_id = $2", "");
    let sql = if filter.user.is_some() { USER } else { ANY };
    let Filter { kind, user, application, .. } = filter;
    let (from, to) = filter.times();
    session.fetch_value(sql, (kind.as_deref(), user.as_deref(), application.as_deref(), from, to)).await
}

impl Filter {
    fn times(&self) -> (Timestamp, Timestamp) {
        (self.from.unwrap_or(Timestamp(i64::MIN)), self.to.unwrap_or(Timestamp(i64::MAX)))
    }
}
