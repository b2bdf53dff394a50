//! The authorization endpoint (RFC 6749 3.1), at both of its addresses: back at once, or a sign-in begins.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};

use super::{
    back::{self, Source},
    flow::{Browser, Flow},
    forms, judging,
    request::{Asked, Fault, Prompt},
    ticket,
};
use crate::{
    app::App,
    domain::{application::Connection, refusal::Code},
    error::Result,
    signin::codes::Address,
    storage::{sessions::Stored, users},
    web::{
        cookies::Cookie,
        json::{self, Kind},
    },
};

/// How long a browser keeps the cookie of its sign-ins: longer than any of them takes.
pub const COOKIE_LIFE: Duration = Duration::from_secs(24 * 3600);

/// `GET /authorize`
pub async fn root(app: Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, &request, 0).await
}

/// `GET /oidc/auth`
pub async fn oidc(app: Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, &request, 1).await
}

/// `POST` to either: the same by GET. Browsers send our cookies with a GET that begins elsewhere, and with no such POST.
pub async fn by_form(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let body = match json::read(payload.into_inner(), &app.config.limits).await {
        Ok(body) => body,
        Err(error) => return forms::failed(&app, &request, &error),
    };
    let text = std::str::from_utf8(&body).unwrap_or_default();
    // What a query may consist of, and no longer than one may be: it goes into a header.
    let is_query = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>'));
    if json::kind(&request) != Kind::Form || !is_query {
        return forms::bad_request(&app, &request, "invalid_request: the body is no form");
    }
    let target = format!("{}?{text}", request.path());
    if target.len() > app.config.limits.uri_bytes {
        return forms::failed(&app, &request, &Code::UriTooLong.into());
    }
    forms::redirect(&target)
}

async fn answer(app: &App, request: &HttpRequest, issuer: usize) -> HttpResponse {
    match decide(app, request, issuer).await {
        Ok(response) => response,
        Err(Fault::Page(detail)) => forms::bad_request(app, request, detail),
        Err(Fault::Client { back, error, description }) => {
            forms::redirect(&back::refusal(app, &back, error, description))
        }
        Err(Fault::Failed(error)) => forms::failed(app, request, &error),
    }
}

async fn decide(app: &App, request: &HttpRequest, issuer: usize) -> Result<HttpResponse, Fault> {
    let (application, asked) = judging::read(app, request.query_string(), issuer).await?;
    if let Some(response) = ticket::admit(app, request, &application, &asked).await? {
        return Ok(response);
    }
    let present = back::browser_session(app, request).await?;
    if let Some(browser) = &present
        && matches!(asked.prompt, Prompt::Unsaid | Prompt::Silent)
        && will_do(app, &asked, browser).await?
    {
        let mut session = app.db.write().await?;
        let from = Source::of(request);
        if let Some(url) = back::admit_again(app, &mut session, &application, &asked, browser, &from).await? {
            session.commit().await?;
            return Ok(forms::redirect(&url));
        }
    }
    if asked.prompt == Prompt::Silent {
        let (error, description) = ("login_required", "nobody is signed in here who would do");
        return Err(Fault::Client { back: Box::new((&asked).into()), error, description });
    }
    let browser = Browser::of_or_new(app, request);
    let cookie = Cookie::Flow.set(app, browser.secret(), COOKIE_LIFE);
    let flow = Flow::begin(app, browser, application, asked).await?;
    let mut response = forms::redirect(&flow.path());
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Whether an earlier sign-in is enough for what is asked.
async fn will_do(app: &App, asked: &Asked, browser: &Stored) -> Result<bool> {
    let came_by = browser.connection.as_deref().and_then(Connection::parse);
    // An application that takes one kind of address is not opened by the other.
    let fits = came_by.is_some_and(|connection| asked.connections.contains(&connection));
    if asked.is_connection_named || asked.is_sign_up || !fits || !is_fresh(app, asked, browser) {
        return Ok(false);
    }
    // Whoever is expected must be the one who is there.
    let Some(hint) = &asked.login_hint else { return Ok(true) };
    let mut session = app.db.read().await?;
    let found = match address_of(hint) {
        Some(Address { connection: Connection::Email, key, .. }) => users::find_by_email(&mut session, &key).await?,
        Some(Address { connection: Connection::Sms, key, .. }) => users::find_by_phone(&mut session, &key).await?,
        None => None,
    };
    Ok(found.is_some_and(|user| user == browser.user_id))
}

/// Whether a sign-in is no older than asked for.
pub fn is_fresh(app: &App, asked: &Asked, browser: &Stored) -> bool {
    let Some(auth_time) = browser.auth_time else { return false };
    asked.max_age.is_none_or(|seconds| {
        let age = app.now().since(auth_time);
        // Nothing is as young as nothing: 0 asks for a sign-in, always.
        seconds > 0 && age <= Duration::from_secs(seconds)
    })
}

/// The address a hint names, if it does.
#[must_use]
pub fn address_of(hint: &str) -> Option<Address> {
    Connection::ALL.iter().find_map(|connection| Address::parse(*connection, hint.trim()))
}
