//! Sign-in sessions: of a browser, and, below those or alone, of one user in one application. The latter is what a token names in
//! `sid`, and what the account API lists as a grant.

use std::time::Duration;

use super::Session;
use crate::domain::{
    id::{ApplicationId, SessionId, UserId},
    method::Method,
    time::Timestamp,
};

/// A session to be stored.
pub struct NewSession<'a> {
    /// `sid`.
    pub id: &'a SessionId,
    /// Whose.
    pub user: &'a UserId,
    /// In which application; `None` for a browser's.
    pub application: Option<&'a ApplicationId>,
    /// The browser's session it came from.
    pub parent: Option<&'a SessionId>,
    /// SHA-256 of the browser's cookie.
    pub browser_hash: Option<&'a [u8]>,
    /// What the application was granted, separated by spaces.
    pub scope: Option<&'a str>,
    /// How the user proved who they are; `None` where an operator or a back end vouched for them.
    pub proof: Option<Proof>,
    /// From where.
    pub ip: Option<&'a str>,
    /// By which program.
    pub user_agent: Option<&'a str>,
    /// Creation.
    pub now: Timestamp,
    /// Nothing can be got from it after this moment.
    pub expires_at: Option<Timestamp>,
}

impl<'a> NewSession<'a> {
    /// A session of a user in an application, and nothing else known of it.
    #[must_use]
    pub fn plain(id: &'a SessionId, user: &'a UserId, application: Option<&'a ApplicationId>, now: Timestamp) -> Self {
        Self {
            id,
            user,
            application,
            parent: None,
            browser_hash: None,
            scope: None,
            proof: None,
            ip: None,
            user_agent: None,
            now,
            expires_at: None,
        }
    }
}

/// How and when a user proved who they are. A refresh renews none of it (contract P13).
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Proof {
    /// When.
    pub auth_time: Timestamp,
    /// Through which connection, by name.
    pub connection: Option<String>,
    /// Names of [`crate::domain::method::Method`]s, separated by spaces.
    pub methods: String,
}

impl Proof {
    /// The methods, in the order they were proved.
    #[must_use]
    pub fn methods(&self) -> Vec<Method> {
        self.methods.split_ascii_whitespace().filter_map(|name| Method::parse(name).ok()).collect()
    }
}

/// Adds a session.
pub async fn add(session: &mut Session, new: NewSession<'_>) -> sqlx::Result<()> {
    let sql =
        "insert into sessions (id, user_id, application_id, parent_id, browser_hash, scope, auth_time, connection,
                 methods, ip, user_agent, created_at, last_used_at, expires_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)";
    let NewSession { id, user, application, parent, browser_hash, scope, proof, ip, user_agent, now, expires_at } = new;
    let (auth_time, connection, methods) = match proof {
        Some(Proof { auth_time, connection, methods }) => (Some(auth_time), connection, Some(methods)),
        None => (None, None, None),
    };
    let params = (
        id,
        user,
        application,
        parent,
        browser_hash,
        scope,
        auth_time,
        connection,
        methods,
        ip,
        user_agent,
        now,
        expires_at,
    );
    session.execute(sql, params).await.map(drop)
}

/// A session as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the members of `NewSession`")]
pub struct Stored {
    pub id: SessionId,
    pub user_id: UserId,
    pub application_id: Option<ApplicationId>,
    pub parent_id: Option<SessionId>,
    pub scope: Option<String>,
    pub auth_time: Option<Timestamp>,
    pub connection: Option<String>,
    pub methods: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

impl Stored {
    /// How the user proved who they are.
    #[must_use]
    pub fn proof(&self) -> Option<Proof> {
        let (auth_time, methods) = (self.auth_time?, self.methods.clone()?);
        Some(Proof { auth_time, connection: self.connection.clone(), methods })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, user_id, application_id, parent_id, scope, auth_time, connection, methods, ip, user_agent, created_at, \
             last_used_at, expires_at from sessions ",
            $rest
        )
    };
}

/// The living session of that id.
pub async fn find(session: &mut Session, id: &SessionId, now: Timestamp) -> sqlx::Result<Option<Stored>> {
    let sql = select!("where id = $1 and ended_at is null and (expires_at is null or expires_at > $2)");
    session.fetch_optional(sql, (id, now)).await
}

/// The session of that id, be it over.
pub async fn find_any(session: &mut Session, id: &SessionId) -> sqlx::Result<Option<Stored>> {
    session.fetch_optional(select!("where id = $1"), (id,)).await
}

/// The living session of the browser with that cookie.
pub async fn find_browser(session: &mut Session, hash: &[u8], now: Timestamp) -> sqlx::Result<Option<Stored>> {
    let sql = select!("where browser_hash = $1 and ended_at is null and (expires_at is null or expires_at > $2)");
    session.fetch_optional(sql, (hash, now)).await
}

/// The user's living sessions, newest first.
pub async fn list(session: &mut Session, user: &UserId, now: Timestamp) -> sqlx::Result<Vec<Stored>> {
    let sql = select!(
        "where user_id = $1 and ended_at is null and (expires_at is null or expires_at > $2) order by created_at desc, id"
    );
    session.fetch_all(sql, (user, now)).await
}

/// Notes that a living session was used, and holds its row until the transaction ends; false when there is none any more.
pub async fn touch(session: &mut Session, id: &SessionId, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update sessions set last_used_at = $2
               where id = $1 and ended_at is null and (expires_at is null or expires_at > $2)";
    Ok(session.execute(sql, (id, now)).await? == 1)
}

/// Notes that a living session got new tokens, so that it lives until `expires_at`, but no longer than `longest` since it began, and
/// holds its row until the transaction ends; `None` when there is none any more.
pub async fn prolong(
    session: &mut Session,
    id: &SessionId,
    now: Timestamp,
    expires_at: Timestamp,
    longest: Duration,
) -> sqlx::Result<Option<Stored>> {
    let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX / 2);
    let sql = "update sessions set last_used_at = $2,
                 expires_at = case when created_at + $4 < $3 then created_at + $4 else $3 end
               where id = $1 and ended_at is null and (expires_at is null or expires_at > $2)
               returning id, user_id, application_id, parent_id, scope, auth_time, connection, methods, ip, user_agent,
                 created_at, last_used_at, expires_at";
    session.fetch_optional(sql, (id, now, expires_at, longest)).await
}

/// Whether the user of that browser's session is signed in to the application by it.
pub async fn reaches(
    session: &mut Session,
    browser: &SessionId,
    application: &ApplicationId,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "select count(*) from sessions where parent_id = $1 and application_id = $2 and ended_at is null
                 and (expires_at is null or expires_at > $3)";
    Ok(session.fetch_value::<i64>(sql, (browser, application, now)).await? > 0)
}

/// Ends a session and those below it; gives how many there were.
pub async fn end(session: &mut Session, id: &SessionId, now: Timestamp) -> sqlx::Result<u64> {
    let sql = "update sessions set ended_at = $2 where (id = $1 or parent_id = $1) and ended_at is null";
    session.execute(sql, (id, now)).await
}

/// Ends every session of the user but `except`, and but the one that is above it.
pub async fn end_all(
    session: &mut Session,
    user: &UserId,
    except: Option<&SessionId>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update sessions set ended_at = $3
               where user_id = $1 and ended_at is null
                 and ($2 is null or (id <> $2 and id not in (select parent_id from sessions
                                                             where id = $2 and parent_id is not null)))";
    session.execute(sql, (user, except, now)).await
}

/// Gives a browser's session another cookie and proof: the same person signed in again. False when it has ended.
pub async fn renew_browser(
    session: &mut Session,
    id: &SessionId,
    hash: &[u8],
    proof: &Proof,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "update sessions set browser_hash = $2, auth_time = $3, connection = $4, methods = $5, last_used_at = $6, expires_at = $7
               where id = $1 and ended_at is null";
    let Proof { auth_time, connection, methods } = proof;
    Ok(session.execute(sql, (id, hash, *auth_time, connection, methods, now, expires_at)).await? == 1)
}

/// Ends a browser's session alone: somebody else signed in there. The applications keep what they were given.
pub async fn end_browser(session: &mut Session, id: &SessionId, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update sessions set ended_at = $2 where id = $1 and ended_at is null";
    Ok(session.execute(sql, (id, now)).await? == 1)
}

/// The application's living session below a browser's that rests on the same proof and has the same scope.
pub async fn find_below(
    session: &mut Session,
    parent: &SessionId,
    application: &ApplicationId,
    scope: &str,
    auth_time: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Option<SessionId>> {
    let sql = "select id from sessions
               where parent_id = $1 and application_id = $2 and scope = $3 and auth_time = $4
                 and ended_at is null and (expires_at is null or expires_at > $5)
               order by created_at desc, id limit 1";
    let row: Option<(SessionId,)> = session.fetch_optional(sql, (parent, application, scope, auth_time, now)).await?;
    Ok(row.map(|(id,)| id))
}
