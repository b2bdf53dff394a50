//! The forms of a sign-in. Each says which flow it is for, and shows that it was made for it.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{
    authorize::is_fresh,
    back::{self, Source},
    flow::{Flow, SentTo},
    forms::{self, Fields},
    more,
    proving::{self, At, Entrance, Wanted, wanted},
    show::{self, Left, Problem, Typed},
};
use crate::{
    app::App,
    domain::{
        application::Connection,
        refusal::{Code, Refusal},
    },
    error::{Error, Result},
    pages::{
        countries, plain_digits,
        words::{Words, fill, wait},
    },
    signin::codes::{self, Address, Ask, Carries, Holder, Wrong},
    storage::sign_in_codes,
    web::client::Languages,
};

/// A form that is what it says, with its flow; or what is answered instead.
async fn open(app: &App, request: &HttpRequest, payload: Payload) -> Result<Result<(Flow, Fields), HttpResponse>> {
    let fields = Fields::of_body(app, request, payload).await?;
    let Some(flow) = Flow::find(app, request, fields.get("flow")).await? else {
        return Ok(Err(forms::no_session(app, request)));
    };
    if !flow.has_token(fields.get("token")) {
        return Ok(Err(forms::no_session(app, request)));
    }
    if flow.is_finished {
        let frame = show::frame(app, request, &flow, None);
        return Ok(Err(forms::finished(frame, &flow)));
    }
    Ok(Ok((flow, fields)))
}

macro_rules! step {
    ($(#[$about:meta])* $name:ident, $work:path) => {
        $(#[$about])*
        pub async fn $name(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
            let outcome = match open(&app, &request, payload).await {
                Ok(Ok((flow, fields))) => $work(&app, &request, flow, &fields).await,
                Ok(Err(answer)) => Ok(answer),
                Err(error) => Err(error),
            };
            outcome.unwrap_or_else(|error| forms::failed(&app, &request, &error))
        }
    };
}

step!(
    /// `POST /sign-in/identifier`: an address, which gets a code.
    identifier,
    take_identifier
);
step!(
    /// `POST /sign-in/code`: the code.
    code,
    take_code
);
step!(
    /// `POST /sign-in/password`: the password, in a step-up.
    password,
    more::take_password
);
step!(
    /// `POST /sign-in/again`: the code again, or another; or the first to an address that nobody typed.
    again,
    send_again
);
step!(
    /// `POST /sign-in/continue`: as whoever is signed in.
    go_on,
    go_on_as_before
);
step!(
    /// `POST /sign-in/cancel`: back without having signed in.
    cancel,
    give_up
);

async fn take_identifier(app: &App, request: &HttpRequest, mut flow: Flow, fields: &Fields) -> Result<HttpResponse> {
    let frame = show::frame(app, request, &flow, Some(fields));
    let words = frame.words;
    let offered = &flow.state.asked.connections;
    let named = Connection::parse(fields.get("by")).filter(|connection| offered.contains(connection));
    let Some(connection) = named else { return Ok(forms::redirect(&flow.path())) };
    let field = if connection == Connection::Email { "email" } else { "phone" };
    let typed = Typed {
        connection,
        value: fields.get(field).chars().take(320).collect(),
        region: fields.get("country").to_owned(),
        is_sign_up: fields.get("as") == "sign-up",
    };
    let Some(address) = read(&typed) else {
        let problem = if connection == Connection::Email { words.wrong_email } else { words.wrong_phone };
        let problem = Some(problem.to_owned());
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(show::identifier_page(app, &flow, frame, typed, problem, status));
    };
    let refusal = match send(app, request, &mut flow, &address, false).await? {
        Ok(()) => return Ok(forms::redirect(&flow.code_path())),
        Err(refusal) => refusal,
    };
    // Where a code went to this very address a moment ago, that is the answer.
    let is_there = flow.state.sent.as_ref().is_some_and(|sent| sent.address == address.spelling);
    if is_there && refusal.code == Code::MessageRateLimited {
        return Ok(forms::redirect(&flow.code_path()));
    }
    let frame = show::frame(app, request, &flow, Some(fields));
    let problem = told(app, words, &refusal);
    let mut response = show::identifier_page(app, &flow, frame, typed, Some(problem), status_of(&refusal));
    show::tell_wait(&mut response, &refusal);
    Ok(response)
}

/// The address that was typed.
fn read(typed: &Typed) -> Option<Address> {
    match typed.connection {
        Connection::Email => Address::parse(Connection::Email, typed.value.trim()),
        Connection::Sms => {
            let country = countries::find(&typed.region)?;
            Address::parse(Connection::Sms, &format!("+{}", countries::digits(country, &typed.value)?))
        }
    }
}

/// Sends a code and notes where it went: to the address that was typed, or to the user's own. What refuses it is told on a page.
async fn send(
    app: &App,
    request: &HttpRequest,
    flow: &mut Flow,
    address: &Address,
    is_own: bool,
) -> Result<Result<(), Refusal>> {
    let from = Source::of(request);
    let locale = forms::locale(request, flow.state.locale, flow.state.asked.ui_locales.as_deref());
    let languages = Languages { ui_locales: Some(locale.tag().to_owned()), ..Languages::default() };
    let handle = flow.handle();
    let is_link = flow.state.asked.sends_link && address.connection == Connection::Email && !is_own;
    let ask = Ask {
        application: &flow.application,
        address,
        holder: Holder::Held(&handle),
        carries: if is_link { Carries::CodeAndLink { auth_params: flow.link_params() } } else { Carries::Code },
        allows_sign_up: !is_own,
        browser_hash: None,
        client: &from.client,
        is_back_end: false,
        languages: &languages,
    };
    let sent = match codes::send(app, ask).await {
        Ok(sent) => sent,
        Err(Error::Refused(refusal)) => return Ok(Err(*refusal)),
        Err(error) => return Err(error),
    };
    let to = SentTo {
        connection: address.connection,
        address: address.spelling.clone(),
        at: app.now(),
        is_link,
        digits: sent.digits,
        is_own,
    };
    flow.change(app, Some(&sent.id), |state| state.sent = Some(to)).await?;
    Ok(Ok(()))
}

/// Why nothing was sent, in words.
fn told(app: &App, words: &Words, refusal: &Refusal) -> String {
    let gap = Duration::from_secs(app.config.limits.send_gap_seconds);
    match (refusal.code, refusal.retry_after) {
        (Code::MessageCountryNotServed, _) => words.not_served.to_owned(),
        (Code::MessageRateLimited, Some(length)) if length <= gap => {
            fill(words.just_sent, &[("time", &wait(words, length))])
        }
        (Code::MessageRateLimited, Some(length)) => fill(words.too_many_messages, &[("time", &wait(words, length))]),
        _ => words.no_channel.to_owned(),
    }
}

async fn send_again(app: &App, request: &HttpRequest, mut flow: Flow, fields: &Fields) -> Result<HttpResponse> {
    let Some(sent) = flow.state.sent.clone() else { return send_own(app, request, flow, fields).await };
    let address = Address::parse(sent.connection, &sent.address);
    let Some(address) = address else { return Ok(forms::redirect(&flow.path())) };
    let refusal = match send(app, request, &mut flow, &address, sent.is_own).await? {
        Ok(()) => return Ok(forms::redirect(&format!("{}&news=again", flow.code_path()))),
        Err(refusal) => refusal,
    };
    let frame = show::frame(app, request, &flow, Some(fields));
    let problem = Problem::Sending(told(app, frame.words, &refusal), refusal.retry_after);
    let mut response = show::code_page(app, &flow, frame, Some(problem), false, status_of(&refusal));
    show::tell_wait(&mut response, &refusal);
    Ok(response)
}

/// The first code to an address of the account that somebody has proved another method of.
async fn send_own(app: &App, request: &HttpRequest, mut flow: Flow, fields: &Fields) -> Result<HttpResponse> {
    let Wanted::Code(address) = wanted(app, &flow).await? else { return Ok(forms::redirect(&flow.path())) };
    let refusal = match send(app, request, &mut flow, &address, true).await? {
        Ok(()) => return Ok(forms::redirect(&flow.code_path())),
        Err(refusal) => refusal,
    };
    let frame = show::frame(app, request, &flow, Some(fields));
    let problem = Some(told(app, frame.words, &refusal));
    let mut response = more::send_page(&flow, frame, &address, problem, status_of(&refusal));
    show::tell_wait(&mut response, &refusal);
    Ok(response)
}

fn status_of(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

async fn take_code(app: &App, request: &HttpRequest, mut flow: Flow, fields: &Fields) -> Result<HttpResponse> {
    let frame = show::frame(app, request, &flow, None);
    let words = frame.words;
    let Some(sent) = &flow.state.sent else { return Ok(forms::redirect(&flow.path())) };
    let digits = show::digits(app, sent);
    let typed = plain_digits(fields.get("code"));
    let code: String = typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
    if code.len() != usize::from(digits) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        // It cannot be the code, so it costs no try.
        let text = fill(words.short_code, &[("digits", &digits.to_string())]);
        let problem = Some(Problem::Code(text));
        return Ok(show::code_page(app, &flow, frame, problem, false, StatusCode::UNPROCESSABLE_ENTITY));
    }
    let before = back::browser_session(app, request).await?;
    let from = Source::of(request);
    let mut session = app.db.write().await?;
    if !flow.lock(app, &mut session).await? {
        return Ok(forms::finished(frame, &flow));
    }
    // As it is under the lock: what another tab has used is waited for no more.
    let Some(sent) = flow.state.sent.clone() else { return Ok(forms::redirect(&flow.path())) };
    let found = sign_in_codes::find_held(&mut session, &flow.handle()).await?;
    let user = match codes::redeem(app, &mut session, found, &code, &flow.application, &from.client).await? {
        Ok(user) => user,
        Err(wrong) => {
            session.commit().await?;
            let problem = match wrong {
                Wrong::Mismatch => Problem::Code(words.wrong_code.to_owned()),
                Wrong::Expired => Problem::Over(words.expired_code),
                Wrong::Exhausted => Problem::Over(words.tried_too_often),
            };
            return Ok(show::code_page(app, &flow, frame, Some(problem), false, StatusCode::UNPROCESSABLE_ENTITY));
        }
    };
    let entrance = Entrance { connection: sent.connection, address: &sent.address };
    let at = At { from: &from, before: before.as_ref(), time: app.now() };
    let who = (&user, sent.connection.method());
    let outcome = proving::proved(app, &mut session, &mut flow, who, entrance, at).await?;
    session.commit().await?;
    Ok(show::outcome_page(app, &flow, frame, outcome))
}

async fn go_on_as_before(app: &App, request: &HttpRequest, mut flow: Flow, _: &Fields) -> Result<HttpResponse> {
    let asked = flow.state.asked.clone();
    let present = back::browser_session(app, request).await?;
    let present = present.filter(|browser| !asked.is_connection_named && is_fresh(app, &asked, browser));
    let Some(browser) = present else { return Ok(forms::redirect(&flow.path())) };
    let mut session = app.db.write().await?;
    let from = Source::of(request);
    let frame = show::frame(app, request, &flow, None);
    if !flow.lock(app, &mut session).await? {
        return Ok(forms::finished(frame, &flow));
    }
    let admitted = back::admit_again(app, &mut session, &flow.application, &asked, &browser, &from).await?;
    let Some(url) = admitted else { return Ok(forms::redirect(&flow.path())) };
    back::finish(app, &mut session, &flow).await?;
    session.commit().await?;
    Ok(show::leaving_page(&flow, frame, url, Left::SignedIn))
}

async fn give_up(app: &App, request: &HttpRequest, flow: Flow, _: &Fields) -> Result<HttpResponse> {
    let frame = show::frame(app, request, &flow, None);
    let mut session = app.db.write().await?;
    if !flow.finish(app, &mut session).await? {
        return Ok(forms::finished(frame, &flow));
    }
    session.commit().await?;
    let back = (&flow.state.asked).into();
    let url = back::refusal(app, &back, "access_denied", "the person did not sign in");
    Ok(show::leaving_page(&flow, frame, url, Left::Cancelled))
}
