//! The pages of a step-up that ask for another proof: the password, or leave to send a code. Whoever sees them has proved something already.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use secrecy::SecretString;

use super::{
    back::{self, Source},
    flow::Flow,
    forms::{self, Fields},
    proving::{self, At, Entrance, Outcome, Wanted, wanted},
    show,
};
use crate::{
    app::App,
    audit::Actor,
    domain::{
        method::Method,
        refusal::{Code, Refusal},
        user::User,
    },
    error::{Error, Result},
    methods::password::{self, Right},
    pages::{
        Frame, Page,
        views::{PasswordPage, SendPage},
        words::{fill, wait},
    },
    signin::codes::Address,
    stepup::guesses::Guesser,
};

/// The page that asks for the password.
pub fn password_page(flow: &Flow, frame: Frame, problem: Option<String>, status: StatusCode) -> HttpResponse {
    let Some(collected) = &flow.state.collected else { return forms::redirect(&flow.path()) };
    PasswordPage {
        key: flow.form_key(),
        lead: fill(frame.words.another_proof, &[("app", &flow.application.name)]),
        shown: show::shown(&collected.address),
        address: collected.address.clone(),
        problem,
        other: flow.entry_path(collected.connection),
        frame,
    }
    .answer(status)
}

/// The page that asks for leave to send a code to another address of the user's.
pub fn send_page(
    flow: &Flow,
    frame: Frame,
    address: &Address,
    problem: Option<String>,
    status: StatusCode,
) -> HttpResponse {
    let Some(collected) = &flow.state.collected else { return forms::redirect(&flow.path()) };
    SendPage {
        key: flow.form_key(),
        lead: fill(frame.words.another_proof, &[("app", &flow.application.name)]),
        // In part: whoever has only the other address is not told this one.
        address: address.masked.clone(),
        problem,
        other: flow.entry_path(collected.connection),
        frame,
    }
    .answer(status)
}

/// `POST /sign-in/password`: the password of whoever has proved something else.
pub async fn take_password(app: &App, request: &HttpRequest, mut flow: Flow, fields: &Fields) -> Result<HttpResponse> {
    let Wanted::Password(user) = wanted(app, &flow).await? else { return Ok(forms::redirect(&flow.path())) };
    let frame = show::frame(app, request, &flow, None);
    let password = fields.get("password");
    if password.is_empty() {
        // It cannot be the password, so it costs no guess.
        let problem = Some(frame.words.no_password.to_owned());
        return Ok(password_page(&flow, frame, problem, StatusCode::UNPROCESSABLE_ENTITY));
    }
    let from = Source::of(request);
    let policy = app.reload_settings().await?.sign_in_experience.sentinel_policy;
    let application = flow.application.id.clone();
    let actor = Actor { user: Some(&user.id), application: Some(&application), client: Some(&from.client) };
    let guesser = Guesser { user: &user.id, actor, policy };
    let outcome = match password::judge(app, guesser, &user, SecretString::from(password)).await {
        Ok(right) => accept(app, request, &mut flow, (&user, right), guesser, &from).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Some(outcome)) => Ok(show::outcome_page(app, &flow, frame, outcome)),
        Ok(None) => Ok(forms::finished(frame, &flow)),
        Err(Error::Refused(refusal)) if refusal.code.status() < 500 => Ok(refused(&flow, frame, &refusal)),
        Err(error) => Err(error),
    }
}

/// Stores what a right password has proved; `None` when the flow was finished meanwhile.
async fn accept(
    app: &App,
    request: &HttpRequest,
    flow: &mut Flow,
    (user, right): (&User, Right<'_>),
    guesser: Guesser<'_>,
    from: &Source,
) -> Result<Option<Outcome>> {
    let before = back::browser_session(app, request).await?;
    let mut session = app.db.write().await?;
    // The flow before the user, as everywhere.
    let is_open = flow.lock(app, &mut session).await?;
    let mut session = right.hold(app, guesser, session).await?;
    let collected = flow.state.collected.clone().filter(|collected| is_open && collected.user == user.id);
    let Some(collected) = collected else {
        session.commit().await?;
        return Ok(None);
    };
    let entrance = Entrance { connection: collected.connection, address: &collected.address };
    let at = At { from, before: before.as_ref(), time: app.now() };
    let outcome = proving::proved(app, &mut session, flow, (user, Method::Password), entrance, at).await?;
    session.commit().await?;
    Ok(Some(outcome))
}

/// Why a password was not taken.
fn refused(flow: &Flow, frame: Frame, refusal: &Refusal) -> HttpResponse {
    let words = frame.words;
    let locked = |length: Duration| fill(words.password_locked, &[("time", &wait(words, length))]);
    let (problem, status) = match (refusal.code, refusal.retry_after) {
        (Code::TooManyAttempts, Some(length)) => (locked(length), StatusCode::TOO_MANY_REQUESTS),
        (Code::TooManyAttempts, None) => (words.password_disabled.to_owned(), StatusCode::TOO_MANY_REQUESTS),
        _ => (words.wrong_password.to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
    };
    let mut response = password_page(flow, frame, Some(problem), status);
    show::tell_wait(&mut response, refusal);
    response
}
