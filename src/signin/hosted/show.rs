//! The pages of a sign-in, as its flow is.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use url::form_urlencoded;

use super::{
    authorize::{address_of, is_fresh},
    back,
    flow::{Flow, SentTo},
    forms::{self, Fields},
    more,
    proving::{self, Outcome, Wanted},
    request::Prompt,
};
use crate::{
    app::App,
    domain::{application::Connection, calling_codes, message::Locale, refusal::Refusal, user::User},
    error::Result,
    pages::{
        Frame, Page, countries, seconds,
        views::{Choose, CodePage, Identifier, Leaving},
        words::{Words, fill, wait},
    },
    signin::{codes::Address, entering::browser_life},
    storage::users,
    web::cookies::Cookie,
};

/// `GET /sign-in`: the step of the sign-in that the query asks for.
pub async fn page(app: Data<App>, request: HttpRequest) -> HttpResponse {
    show(&app, &request).await.unwrap_or_else(|error| forms::failed(&app, &request, &error))
}

async fn show(app: &App, request: &HttpRequest) -> Result<HttpResponse> {
    let query = Fields::of_query(request);
    let Some(mut flow) = Flow::find(app, request, query.get("flow")).await? else {
        return Ok(forms::no_session(app, request));
    };
    if let Some(chosen) = Locale::parse(query.get("language"))
        && !flow.is_finished
        && flow.state.locale != Some(chosen)
    {
        flow.change(app, None, |state| state.locale = Some(chosen)).await?;
    }
    let frame = frame(app, request, &flow, Some(&query));
    if flow.is_finished {
        return Ok(forms::finished(frame, &flow));
    }
    let wanted = wanted(&flow, &query);
    if query.get("step") == "code" && flow.state.sent.is_some() {
        return Ok(code_page(app, &flow, frame, None, query.get("news") == "again", StatusCode::OK));
    }
    if wanted.is_none() {
        match proving::wanted(app, &flow).await? {
            Wanted::Password(_) => return Ok(more::password_page(&flow, frame, None, StatusCode::OK)),
            Wanted::Code(address) => return Ok(more::send_page(&flow, frame, &address, None, StatusCode::OK)),
            Wanted::Somebody => {}
        }
    }
    if wanted.is_none()
        && let Some(user) = chosen_from(app, request, &flow).await?
    {
        return Ok(choose_page(&flow, frame, &user));
    }
    let entry = Typed::first(app, request, &flow, wanted, query.get("as"));
    Ok(identifier_page(app, &flow, frame, entry, None, StatusCode::OK))
}

/// The kind of address the query asks to type, if it is offered.
fn wanted(flow: &Flow, query: &Fields) -> Option<Connection> {
    let offered = &flow.state.asked.connections;
    let named = Connection::parse(query.get("by")).filter(|connection| offered.contains(connection));
    // A wording alone asks for the first one.
    named.or_else(|| offered.first().copied().filter(|_| !query.get("as").is_empty()))
}

/// Who is signed in, where the client wants a choice.
async fn chosen_from(app: &App, request: &HttpRequest, flow: &Flow) -> Result<Option<User>> {
    let asked = &flow.state.asked;
    if asked.prompt != Prompt::SelectAccount || asked.is_connection_named {
        return Ok(None);
    }
    let Some(browser) = back::browser_session(app, request).await? else { return Ok(None) };
    if !is_fresh(app, asked, &browser) {
        return Ok(None);
    }
    Ok(users::find(&mut app.db.read().await?, &browser.user_id).await?)
}

/// The frame of a flow's page.
#[must_use]
pub fn frame(app: &App, request: &HttpRequest, flow: &Flow, query: Option<&Fields>) -> Frame {
    let state = &flow.state;
    let locale = forms::locale(request, state.locale, state.asked.ui_locales.as_deref());
    let mut frame = Frame::new(app, locale);
    frame.returns_to = returns_to(frame.words, &state.asked.redirect_uri);
    if !flow.is_finished {
        let mut link = form_urlencoded::Serializer::new(format!("{}&", flow.path()));
        for name in ["by", "as"] {
            if let Some(value) = query.map(|query| query.get(name)).filter(|value| !value.is_empty()) {
                link.append_pair(name, value);
            }
        }
        frame.other_language = Some(link.append_pair("language", frame.other_tag()).finish());
    }
    frame
}

/// Where people go afterwards, if that is a place on the web.
fn returns_to(words: &Words, redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let host = match (url.host_str()?, url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    Some(fill(words.return_to, &[("host", &host)]))
}

/// What stands in the form for an address.
pub struct Typed {
    /// Which kind of address.
    pub connection: Connection,
    /// The address, or what was typed in its place.
    pub value: String,
    /// The country that is chosen.
    pub region: String,
    /// Whether the page is worded for people without an account.
    pub is_sign_up: bool,
}

impl Typed {
    /// Before anything was typed: what was sent to last, else what the client hints at.
    fn first(app: &App, request: &HttpRequest, flow: &Flow, wanted: Option<Connection>, wording: &str) -> Self {
        let asked = &flow.state.asked;
        let hint = asked.login_hint.as_deref().and_then(address_of);
        let hint = hint.filter(|hint| asked.connections.contains(&hint.connection));
        let sent = flow.state.sent.as_ref();
        let connection = wanted
            .or_else(|| sent.map(|sent| sent.connection))
            .or_else(|| hint.as_ref().map(|hint| hint.connection))
            .or_else(|| asked.connections.first().copied())
            .unwrap_or(Connection::Email);
        let known = sent.filter(|sent| sent.connection == connection).map(|sent| sent.address.clone());
        let hinted = hint.filter(|hint| hint.connection == connection).map(|hint| hint.spelling);
        let locale = forms::locale(request, flow.state.locale, asked.ui_locales.as_deref());
        let is_sign_up = match wording {
            "sign-up" => true,
            "sign-in" => false,
            _ => asked.is_sign_up,
        };
        Self {
            connection,
            value: known.or(hinted).unwrap_or_default(),
            region: countries::first(&app.config.sms.allowed_calling_codes, forms::accepted(request), locale)
                .to_owned(),
            is_sign_up: is_sign_up && app.config.sign_in.of(connection).sign_up,
        }
    }
}

/// The page that asks for an address.
pub fn identifier_page(
    app: &App,
    flow: &Flow,
    frame: Frame,
    typed: Typed,
    problem: Option<String>,
    status: StatusCode,
) -> HttpResponse {
    let asked = &flow.state.asked;
    let words = frame.words;
    let Typed { connection, value, region, is_sign_up } = typed;
    let is_phone = connection == Connection::Sms;
    let path = flow.path();
    let other = asked.connections.iter().find(|other| **other != connection);
    let wording = if is_sign_up { "&as=sign-up" } else { "" };
    // Whoever is asked for more than a sign-in has an account.
    let takes_new = app.config.sign_in.of(connection).sign_up && asked.demand.is_none();
    let other_wording = if is_sign_up { "sign-in" } else { "sign-up" };
    let countries =
        if is_phone { countries::served(&app.config.sms.allowed_calling_codes, frame.locale) } else { Vec::new() };
    Identifier {
        key: flow.form_key(),
        app: fill(words.to_continue, &[("app", &flow.application.name)]),
        is_sign_up,
        is_phone,
        value,
        countries,
        region,
        problem,
        switch: other.map(|other| format!("{path}&by={}{wording}", other.name())),
        other_wording: takes_new.then(|| format!("{path}&by={}&as={other_wording}", connection.name())),
        frame,
    }
    .answer(status)
}

/// What is wrong with a code, or with sending another.
pub enum Problem {
    /// It is not right; another may be.
    Code(String),
    /// None is, until another is sent.
    Over(&'static str),
    /// Nothing was sent; for how long nothing will be.
    Sending(String, Option<Duration>),
}

/// The page that asks for the code.
pub fn code_page(
    app: &App,
    flow: &Flow,
    mut frame: Frame,
    problem: Option<Problem>,
    is_again: bool,
    status: StatusCode,
) -> HttpResponse {
    let words = frame.words;
    let Some(sent) = &flow.state.sent else { return forms::redirect(&flow.path()) };
    frame.other_language = Some(format!("{}&language={}", flow.code_path(), frame.other_tag()));
    let connection = sent.connection;
    let section = app.config.sign_in.of(connection);
    let (digits, minutes) = (digits(app, sent), (section.code_seconds / 60).max(1).to_string());
    let gap = Duration::from_secs(app.config.limits.send_gap_seconds);
    let left = sent.at.plus(gap).since(app.now());
    let (problem, warning, until, is_over) = match problem {
        None => (None, None, left, false),
        Some(Problem::Code(text)) => (Some(text), None, left, false),
        Some(Problem::Over(text)) => (None, Some(text.to_owned()), left, true),
        Some(Problem::Sending(text, wait)) => (None, Some(text), wait.unwrap_or(left), false),
    };
    let sentence = match (sent.is_link, section.sign_up || sent.is_own) {
        (false, true) => words.sent,
        (false, false) => words.sent_if_known,
        (true, true) => words.sent_link,
        (true, false) => words.sent_link_if_known,
    };
    CodePage {
        key: flow.form_key(),
        is_phone: connection == Connection::Sms,
        sent: fill(sentence, &[("digits", &digits.to_string())]),
        address: if sent.is_own { masked(sent) } else { shown(&sent.address) },
        link: sent.is_link.then(|| fill(words.link_sent_text, &[("digits", &digits.to_string())])),
        edit: (!sent.is_own).then(|| flow.entry_path(connection)),
        digits,
        hint: fill(words.code_hint, &[("minutes", &minutes)]),
        is_over,
        problem,
        warning,
        never_share: fill(words.never_share, &[("product", &frame.product)]),
        news: is_again.then_some(words.was_sent_again),
        wait: if until.is_zero() { 0 } else { seconds(until) },
        wait_text: fill(words.again_in, &[("time", &wait(words, until))]),
        frame,
    }
    .answer(status)
}

/// How many digits the code has that was sent.
#[must_use]
pub fn digits(app: &App, sent: &SentTo) -> u8 {
    if sent.digits > 0 { sent.digits } else { app.config.sign_in.of(sent.connection).code_digits }
}

/// An address that nobody typed, in part.
fn masked(sent: &SentTo) -> String {
    Address::parse(sent.connection, &sent.address).map_or_else(String::new, |address| address.masked)
}

/// An address for people: of a phone, its country code apart.
#[must_use]
pub fn shown(address: &str) -> String {
    let parts = address.strip_prefix('+').and_then(|digits| {
        let code = calling_codes::of(digits)?;
        Some((code, digits.strip_prefix(code)?))
    });
    parts.map_or_else(|| address.to_owned(), |(code, rest)| format!("+{code} {rest}"))
}

fn choose_page(flow: &Flow, frame: Frame, user: &User) -> HttpResponse {
    let phone = user.primary_phone.as_ref().map(|digits| shown(&format!("+{digits}")));
    let name = user.primary_email.clone().or(phone).or_else(|| user.username.clone());
    let first = flow.state.asked.connections.first().map_or("", |connection| connection.name());
    Choose {
        key: flow.form_key(),
        app: fill(frame.words.to_continue, &[("app", &flow.application.name)]),
        name: name.unwrap_or_else(|| user.id.to_string()),
        other: format!("{}&by={first}", flow.path()),
        frame,
    }
    .answer(StatusCode::OK)
}

/// What a person sees of the outcome of a proof; with the cookie of their browser, where they are signed in.
pub fn outcome_page(app: &App, flow: &Flow, frame: Frame, outcome: Outcome) -> HttpResponse {
    match outcome {
        Outcome::More => forms::redirect(&flow.path()),
        Outcome::Unmet(url) => leaving_page(flow, frame, url, Left::Unmet),
        Outcome::In { url, secret } => {
            let mut response = leaving_page(flow, frame, url, Left::SignedIn);
            if let Some(cookie) = Cookie::Session.set(app, &secret, browser_life(app)) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
    }
}

/// How a person leaves.
#[derive(Clone, Copy)]
pub enum Left {
    /// Signed in.
    SignedIn,
    /// As they wished.
    Cancelled,
    /// Without owning what was asked for.
    Unmet,
}

/// The page that takes a person back. After this the flow's pages say that it is over.
pub fn leaving_page(flow: &Flow, frame: Frame, url: String, left: Left) -> HttpResponse {
    let words = frame.words;
    let app = [("app", flow.application.name.as_str())];
    let (title, text) = match left {
        Left::SignedIn => (words.leaving, words.leaving_text),
        Left::Cancelled => (words.cancelled, words.leaving_text),
        Left::Unmet => (words.unmet, words.unmet_text),
    };
    Leaving { title, text: fill(text, &app), url, frame }.answer(StatusCode::OK)
}

/// Tells programs how long to wait.
pub fn tell_wait(response: &mut HttpResponse, refusal: &Refusal) {
    if let Some(length) = refusal.retry_after
        && let Ok(value) = header::HeaderValue::from_str(&seconds(length).to_string())
    {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
}
