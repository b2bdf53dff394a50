//! From a proof of an address to a session: whose account it is, and where the sign-in is written down.

use std::time::Duration;

use serde_json::json;

use crate::{
    app::App,
    audit::{self, Actor},
    domain::{
        application::Connection,
        id::{SessionId, UserId},
        time::Timestamp,
        user::User,
    },
    error::Result,
    storage::{
        Session,
        applications::Application,
        sessions::{self, NewSession, Proof},
        users,
    },
    web::client::Client,
};

/// An address that was proved, in canonical form.
#[derive(Clone, Debug)]
pub struct Proved<'a> {
    /// Through which connection.
    pub connection: Connection,
    /// E-mail key or E.164 digits.
    pub key: &'a str,
    /// The spelling that was given.
    pub spelling: &'a str,
}

/// The account of an address, locked for the rest of the transaction; made when there is none and sign-ups are on (contract P12).
/// `None` when there is none to sign in to: sign-ups are off, or the account is suspended.
pub async fn account(
    app: &App,
    session: &mut Session,
    proved: &Proved<'_>,
    application: &Application,
    client: &Client,
) -> Result<Option<User>> {
    let now = app.now();
    let mut found = find(session, proved).await?;
    if found.is_none() && app.config.sign_in.of(proved.connection).sign_up {
        let id = UserId::random(&*app.random);
        // Nothing when somebody else was quicker; then the account is there now.
        let is_new = match proved.connection {
            Connection::Email => {
                users::add_with_email(session, &id, &application.id, proved.spelling, proved.key, now).await?
            }
            Connection::Sms => users::add_with_phone(session, &id, &application.id, proved.key, now).await?,
        };
        if is_new {
            let actor = Actor { user: Some(&id), application: Some(&application.id), client: Some(client) };
            audit::write(app, session, "user.signed_up", actor, json!({ "connection": proved.connection.name() }))
                .await?;
            found = Some(id);
        } else {
            found = find(session, proved).await?;
        }
    }
    let Some(id) = found else { return Ok(None) };
    // As it is under the lock: an address that was taken away meanwhile proves nothing.
    let user = users::lock(session, &id).await?.filter(|user| !user.is_suspended && owns(user, proved));
    if user.is_some() {
        users::set_signed_in(session, &id, now).await?;
    }
    Ok(user)
}

async fn find(session: &mut Session, proved: &Proved<'_>) -> Result<Option<UserId>> {
    Ok(match proved.connection {
        Connection::Email => users::find_by_email(session, proved.key).await?,
        Connection::Sms => users::find_by_phone(session, proved.key).await?,
    })
}

fn owns(user: &User, proved: &Proved<'_>) -> bool {
    match proved.connection {
        Connection::Email => user.email_key().as_deref() == Some(proved.key),
        Connection::Sms => user.primary_phone.as_deref() == Some(proved.key),
    }
}

/// What is written down of a sign-in.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// Into which application; `None` for a browser's own session.
    pub application: Option<&'a Application>,
    /// The browser's session it comes from.
    pub parent: Option<&'a SessionId>,
    /// SHA-256 of the browser's cookie, for a browser's own session.
    pub browser_hash: Option<&'a [u8]>,
    /// What is granted, separated by spaces.
    pub scope: Option<&'a str>,
    /// How the user proved who they are.
    pub proof: &'a Proof,
    /// From where.
    pub client: &'a Client,
    /// By which program.
    pub user_agent: Option<&'a str>,
}

/// A proof of now, by a code or link.
#[must_use]
pub fn proof_of(connection: Connection, now: Timestamp) -> Proof {
    Proof {
        auth_time: now,
        connection: Some(connection.name().to_owned()),
        methods: connection.method().name().to_owned(),
    }
}

/// How long a browser stays signed in.
#[must_use]
pub fn browser_life(app: &App) -> Duration {
    days(app.config.sign_in.session_days)
}

/// How long a link that was mailed works.
#[must_use]
pub fn link_life(app: &App) -> Duration {
    Duration::from_secs(u64::from(app.config.sign_in.email.code_seconds))
}

fn days(number: u32) -> Duration {
    Duration::from_secs(24 * 3600 * u64::from(number))
}

/// Opens a session; one in an application with its audit event. A browser's own is never opened alone.
pub async fn open(app: &App, session: &mut Session, entry: Entry<'_>) -> Result<SessionId> {
    let id = SessionId::random(&*app.random);
    let now = app.now();
    let ip = entry.client.ip_text();
    let life = match entry.application {
        // As long as a refresh token may keep it alive; each refresh moves it on.
        Some(_) => days(app.config.sign_in.refresh_days),
        None => browser_life(app),
    };
    let new = NewSession {
        id: &id,
        user: entry.user,
        application: entry.application.map(|application| &application.id),
        parent: entry.parent,
        browser_hash: entry.browser_hash,
        scope: entry.scope,
        proof: Some(entry.proof.clone()),
        ip: ip.as_deref(),
        user_agent: entry.user_agent,
        now,
        expires_at: Some(now.plus(life)),
    };
    sessions::add(session, new).await?;
    let Some(application) = entry.application else { return Ok(id) };
    let actor = Actor { user: Some(entry.user), application: Some(&application.id), client: Some(entry.client) };
    let data = json!({ "connection": entry.proof.connection, "scope": entry.scope });
    audit::write(app, session, "sign_in.succeeded", actor, data).await?;
    Ok(id)
}
