//! The forms of a sign-in. Each says which flow it is for, and shows that it was made for it.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Payload},
};

use super::{
    authorize::is_fresh,
    back::{self, Source},
    flow::{Flow, SentTo},
    forms::{self, Fields},
    show::{self, Problem, Typed},
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
    signin::{
        codes::{self, Address, Ask, Carries, Holder, Wrong},
        entering,
    },
    storage::sign_in_codes,
    web::{client::Languages, cookies::Cookie},
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
    ($(#[$about:meta])* $name:ident, $work:ident) => {
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
    /// `POST /sign-in/again`: the code again, or another.
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
    let refusal = match send(app, request, &mut flow, &address).await? {
        Ok(()) => return Ok(forms::redirect(&flow.code_path())),
        Err(refusal) => refusal,
    };
    // Where a code went to this very address a moment ago, that is the answer.
    let is_there = flow.state.sent.as_ref().is_some_and(|sent| sent.address == address.spelling);
    if is_there && refusal.code == Code::MessageRateLimited {
        return Ok(forms::redirect(&flow.code_path()));
    }
    let frame = show::frame(app, request, &flow, Some(fields));
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let problem = told(app, words, &refusal);
    let mut response = show::identifier_page(app, &flow, frame, typed, Some(problem), status);
    tell_wait(&mut response, &refusal);
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

/// Sends a code and notes where it went. What refuses it is told on a page.
async fn send(app: &App, request: &HttpRequest, flow: &mut Flow, address: &Address) -> Result<Result<(), Refusal>> {
    let from = Source::of(request);
    let locale = forms::locale(request, flow.state.locale, flow.state.asked.ui_locales.as_deref());
    let languages = Languages { ui_locales: Some(locale.tag().to_owned()), ..Languages::default() };
    let handle = flow.handle();
    let is_link = flow.state.asked.sends_link && address.connection == Connection::Email;
    let ask = Ask {
        application: &flow.application,
        address,
        holder: Holder::Held(&handle),
        carries: if is_link { Carries::CodeAndLink { auth_params: flow.link_params() } } else { Carries::Code },
        allows_sign_up: true,
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

fn tell_wait(response: &mut HttpResponse, refusal: &Refusal) {
    if let Some(length) = refusal.retry_after
        && let Ok(value) = header::HeaderValue::from_str(&crate::pages::seconds(length).to_string())
    {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
}

async fn send_again(app: &App, request: &HttpRequest, mut flow: Flow, fields: &Fields) -> Result<HttpResponse> {
    let sent = flow.state.sent.clone();
    let address = sent.and_then(|sent| Address::parse(sent.connection, &sent.address));
    let Some(address) = address else { return Ok(forms::redirect(&flow.path())) };
    let refusal = match send(app, request, &mut flow, &address).await? {
        Ok(()) => return Ok(forms::redirect(&format!("{}&news=again", flow.code_path()))),
        Err(refusal) => refusal,
    };
    let frame = show::frame(app, request, &flow, Some(fields));
    let problem = Problem::Sending(told(app, frame.words, &refusal), refusal.retry_after);
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = show::code_page(app, &flow, frame, Some(problem), false, status);
    tell_wait(&mut response, &refusal);
    Ok(response)
}

async fn take_code(app: &App, request: &HttpRequest, flow: Flow, fields: &Fields) -> Result<HttpResponse> {
    let frame = show::frame(app, request, &flow, None);
    let words = frame.words;
    let Some(sent) = &flow.state.sent else { return Ok(forms::redirect(&flow.path())) };
    let connection = sent.connection;
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
    let proof = entering::proof_of(connection, app.now());
    let (browser, secret) = back::open_browser(app, &mut session, &user.id, &proof, before.as_ref(), &from).await?;
    let who = (&user.id, &browser, &proof);
    let url = back::admit(app, &mut session, &flow.application, &flow.state.asked, who, &from).await?;
    back::finish(app, &mut session, &flow).await?;
    session.commit().await?;
    let mut response = show::leaving_page(&flow, frame, url, true);
    if let Some(cookie) = Cookie::Session.set(app, &secret, entering::browser_life(app)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn go_on_as_before(app: &App, request: &HttpRequest, flow: Flow, _: &Fields) -> Result<HttpResponse> {
    let asked = &flow.state.asked;
    let present = back::browser_session(app, request).await?;
    let present = present.filter(|browser| !asked.is_connection_named && is_fresh(app, asked, browser));
    let Some(browser) = present else { return Ok(forms::redirect(&flow.path())) };
    let mut session = app.db.write().await?;
    let from = Source::of(request);
    let frame = show::frame(app, request, &flow, None);
    if !flow.lock(app, &mut session).await? {
        return Ok(forms::finished(frame, &flow));
    }
    let admitted = back::admit_again(app, &mut session, &flow.application, asked, &browser, &from).await?;
    let Some(url) = admitted else { return Ok(forms::redirect(&flow.path())) };
    back::finish(app, &mut session, &flow).await?;
    session.commit().await?;
    Ok(show::leaving_page(&flow, frame, url, true))
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
    Ok(show::leaving_page(&flow, frame, url, false))
}
