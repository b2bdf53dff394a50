//! A browser that comes with a login ticket has shown a code elsewhere, and is let in (contract `auth0.md` 3.3).

use actix_web::{HttpRequest, HttpResponse, http::header};

use super::{
    authorize::COOKIE_LIFE,
    back::{self, Source},
    flow::{Browser, Flow},
    forms::{self, Fields},
    proving::{self, At, Entrance, Outcome, address_of},
    request::Asked,
};
use crate::{
    app::App,
    domain::application::Connection,
    error::Result,
    signin::{entering::browser_life, tickets},
    storage::{applications::Application, users},
    web::cookies::Cookie,
};

/// Lets in whoever has the ticket; `None` where there is none, or it is worth nothing: then the person signs in here.
pub async fn admit(
    app: &App,
    request: &HttpRequest,
    application: &Application,
    asked: &Asked,
) -> Result<Option<HttpResponse>> {
    let query = Fields::of_query(request);
    let ticket = query.get("login_ticket");
    if ticket.is_empty() {
        return Ok(None);
    }
    let before = back::browser_session(app, request).await?;
    let mut session = app.db.write().await?;
    let Some((user, proof)) = tickets::redeem(app, &mut session, request, application, ticket).await? else {
        return Ok(None);
    };
    let connection = proof.connection.as_deref().and_then(Connection::parse);
    let is_offered = connection.is_some_and(|connection| asked.connections.contains(&connection));
    let user = users::lock(&mut session, &user).await?.filter(|user| is_offered && !user.is_suspended);
    let Some((user, connection)) = user.zip(connection) else { return Ok(None) };
    let from = Source::of(request);
    let at = At { from: &from, before: before.as_ref(), time: proof.auth_time };
    let signed_in = |secret: &str| Cookie::Session.set(app, secret, browser_life(app));
    let (url, cookie) = if asked.demand.is_none() {
        let into = (application, asked);
        let (url, secret) = proving::enter(app, &mut session, into, &user.id, &proof, None, at).await?;
        (url, signed_in(&secret))
    } else {
        let browser = Browser::of_or_new(app, request);
        let flow_cookie = Cookie::Flow.set(app, browser.secret(), COOKIE_LIFE);
        let mut flow = Flow::begin_in(app, &mut session, browser, application.clone(), asked.clone()).await?;
        let known_as = address_of(&user, connection.method()).map(|address| address.spelling).unwrap_or_default();
        let entrance = Entrance { connection, address: &known_as };
        let who = (&user, connection.method());
        match proving::proved(app, &mut session, &mut flow, who, entrance, at).await? {
            Outcome::In { url, secret } => (url, signed_in(&secret)),
            Outcome::More => (flow.path(), flow_cookie),
            Outcome::Unmet(url) => (url, None),
        }
    };
    session.commit().await?;
    let mut response = forms::redirect(&url);
    for cookie in [cookie, Cookie::Ticket.clear(app)].into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(Some(response))
}
