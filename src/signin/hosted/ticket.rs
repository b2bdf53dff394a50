//! A browser that comes with a login ticket has shown a code elsewhere, and is let in (contract `auth0.md` 3.3).

use actix_web::{HttpRequest, HttpResponse, http::header};

use super::{
    back::{self, Source},
    forms::{self, Fields},
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
    let Some(user) = user else { return Ok(None) };
    let from = Source::of(request);
    let (browser, secret) = back::open_browser(app, &mut session, &user.id, &proof, before.as_ref(), &from).await?;
    let who = (&user.id, &browser, &proof);
    let url = back::admit(app, &mut session, application, asked, who, &from).await?;
    session.commit().await?;
    let mut response = forms::redirect(&url);
    let cookies = [Cookie::Session.set(app, &secret, browser_life(app)), Cookie::Ticket.clear(app)];
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(Some(response))
}
