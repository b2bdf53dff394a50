//! Login tickets: a page of an application's showed the right code, and its browser may go on at `/authorize`, once
//! (contract `auth0.md` 3.3).

use std::time::Duration;

use actix_web::HttpRequest;

use crate::{
    app::App,
    crypto::digest::digest,
    domain::id::UserId,
    error::Result,
    storage::{
        Session,
        applications::Application,
        login_tickets::{self, NewTicket},
        sessions::Proof,
    },
    web::cookies::{Cookie, is_secret, new_secret},
};

/// How long a browser may take to get there.
pub const LIFE: Duration = Duration::from_secs(5 * 60);

/// A ticket, and the cookie without which it is worth nothing: a ticket in a URL that somebody else made signs nobody in.
pub struct Ticket {
    /// For the URL.
    pub ticket: String,
    /// For the browser.
    pub cookie: String,
}

/// Issues a ticket.
pub async fn issue(
    app: &App,
    session: &mut Session,
    application: &Application,
    user: &UserId,
    proof: &Proof,
) -> Result<Ticket> {
    let ticket = Ticket { ticket: new_secret(&*app.random), cookie: new_secret(&*app.random) };
    let new = NewTicket {
        ticket_hash: &digest(ticket.ticket.as_bytes()),
        cookie_hash: &digest(ticket.cookie.as_bytes()),
        application: &application.id,
        user,
        proof,
        expires_at: app.now().plus(LIFE),
    };
    login_tickets::add(session, new).await?;
    Ok(ticket)
}

/// Uses a ticket, once, in the browser that has its cookie: whose it is, and how they proved it. The user is still to be locked and
/// looked at.
pub async fn redeem(
    app: &App,
    session: &mut Session,
    request: &HttpRequest,
    application: &Application,
    ticket: &str,
) -> Result<Option<(UserId, Proof)>> {
    let Some(cookie) = Cookie::Ticket.read(app, request).filter(|_| is_secret(ticket)) else { return Ok(None) };
    let (ticket, cookie) = (digest(ticket.as_bytes()), digest(cookie.as_bytes()));
    Ok(login_tickets::spend(session, &ticket, &cookie, &application.id, app.now()).await?)
}
