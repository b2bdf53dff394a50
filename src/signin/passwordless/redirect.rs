//! `/passwordless/verify_redirect`: where a link leads (contract `auth0.md` 1.6, P4), and where a page goes on with a code (3.2).
//!
//! Mail is opened by scanners before people see it: a link opens a page with one button, and changes nothing. The button does.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderMap},
    },
    web::{Data, Payload},
};

use super::is_open;
use crate::{
    app::App,
    crypto::digest::{digest, same},
    domain::{application::Connection, id::ApplicationId},
    error::{Error, Result},
    pages::{
        Frame, Page, form_target,
        views::{Confirm, Notice},
        words::fill,
    },
    signin::{
        codes::{self, Address},
        entering::{browser_life, proof_of},
        grants::otp::wording,
        hosted::{
            back::{self, Source},
            flow::Flow,
            forms::{self, Fields},
            judging::read_sent,
            proving::{self, At, Entrance, Outcome},
            request::Asked,
        },
    },
    storage::{
        Session,
        applications::{self, Application},
        sign_in_codes::{self, SignInCode},
    },
    web::cookies::{Cookie, is_secret},
};

/// What a page that goes on with a code names, beside the authorization request.
const NAMED: &[&str] = &["client_id", "connection", "email", "phone_number", "verification_code"];
/// The authorization request.
const ASKED: &[&str] = &["response_type", "response_mode", "redirect_uri", "scope", "audience", "state", "nonce"];

/// Why a page cannot go on.
enum Fault {
    /// Told to developers.
    Page(&'static str),
    /// The link is used, replaced or too old, or was never one.
    Over,
    /// It was asked for in another browser.
    Elsewhere,
    /// Ours, or too many.
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A code or link that was brought, and what comes after it.
struct Brought {
    application: Application,
    asked: Asked,
    way: Way,
}

enum Way {
    Link(Box<SignInCode>),
    /// One that a hosted page has sent, for that page's own browser.
    Held(Box<SignInCode>, Box<Flow>),
    Code(Address, String),
}

/// `GET`: one button. Nothing is changed.
pub async fn show(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let fields = Fields::of_query(&request);
    match ask(&app, &request, &fields).await {
        Ok(response) => response,
        Err(fault) => told(&app, &request, fault),
    }
}

async fn ask(app: &App, request: &HttpRequest, fields: &Fields) -> Result<HttpResponse, Fault> {
    let brought = read(app, request, fields, &mut app.db.read().await?).await?;
    let (chosen, wanted) = match &brought.way {
        Way::Held(_, flow) => (flow.state.locale, brought.asked.ui_locales.as_deref()),
        Way::Link(_) | Way::Code(..) => (None, None),
    };
    let mut frame = Frame::new(app, forms::locale(request, chosen, wanted));
    frame.form_targets = targets(&brought);
    let words = frame.words;
    let kept: Vec<&str> = match &brought.way {
        Way::Link(_) | Way::Held(..) => vec!["link"],
        Way::Code(..) => NAMED.iter().chain(ASKED).copied().collect(),
    };
    let kept = kept.into_iter().map(|name| (name.to_owned(), fields.get(name).to_owned()));
    let subject = match &brought.way {
        Way::Link(row) | Way::Held(row, _) => row.address.clone(),
        Way::Code(address, _) => address.spelling.clone(),
    };
    let page = Confirm {
        title: fill(words.link_title, &[("app", &brought.application.name)]),
        text: words.link_text.to_owned(),
        subject: Some(subject),
        action: "/passwordless/verify_redirect".to_owned(),
        fields: kept.filter(|(_, value)| !value.is_empty()).collect(),
        button: words.sign_in.to_owned(),
        note: Some(words.link_note.to_owned()),
        frame,
    };
    Ok(page.answer(StatusCode::OK))
}

/// Where the button leads in the end: to the application, whose redirect URI was judged, and to other origins of its own.
fn targets(brought: &Brought) -> Vec<String> {
    let settings = &brought.application.client_settings;
    form_target(&brought.asked.redirect_uri).into_iter().chain(settings.cors_allowed_origins.iter().cloned()).collect()
}

/// `POST`: the code or link is used, the browser signed in, and sent on to the application.
pub async fn go(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let outcome = match Fields::of_body(&app, &request, payload).await {
        Ok(fields) => enter(&app, &request, &fields).await,
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|fault| told(&app, &request, fault))
}

async fn enter(app: &App, request: &HttpRequest, fields: &Fields) -> Result<HttpResponse, Fault> {
    if !is_own_form(app, request.headers()) {
        return Err(Fault::Page("invalid_request: the form was sent by another site"));
    }
    let before = back::browser_session(app, request).await?;
    let from = Source::of(request);
    let mut session = app.db.write().await?;
    let Brought { application, asked, mut way } = read(app, request, fields, &mut session).await?;
    let client = &from.client;
    if let Way::Held(_, flow) = &mut way
        && !flow.lock(app, &mut session).await?
    {
        return Err(Fault::Over);
    }
    let (connection, user) = match &way {
        Way::Link(row) | Way::Held(row, _) => {
            let connection = Connection::parse(&row.connection).ok_or(Fault::Over)?;
            let user = codes::redeem_link(app, &mut session, row, &application, client).await?;
            let Some(user) = user else {
                session.commit().await?;
                return Err(Fault::Over);
            };
            (connection, user)
        }
        Way::Code(address, code) => {
            match codes::redeem_named(app, &mut session, address, code, &application, client).await? {
                Ok(user) => (address.connection, user),
                Err(wrong) => {
                    session.commit().await?;
                    let description = wording(address.connection, wrong);
                    let url = back::refusal(app, &(&asked).into(), "access_denied", description);
                    return Ok(found(&url));
                }
            }
        }
    };
    let at = At { from: &from, before: before.as_ref(), time: app.now() };
    let outcome = match &mut way {
        Way::Held(row, flow) => {
            let entrance = Entrance { connection, address: &row.address };
            proving::proved(app, &mut session, flow, (&user, connection.method()), entrance, at).await?
        }
        // Begun by a link or a code of the application's page: one proof, and no step-up.
        Way::Link(_) | Way::Code(..) => {
            let proof = proof_of(connection, at.time);
            let into = (&application, &asked);
            let (url, secret) = proving::enter(app, &mut session, into, &user.id, &proof, None, at).await?;
            Outcome::In { url, secret }
        }
    };
    session.commit().await?;
    let (url, secret) = match (outcome, &way) {
        (Outcome::In { url, secret }, _) => (url, Some(secret)),
        (Outcome::Unmet(url), _) => (url, None),
        (Outcome::More, Way::Held(_, flow)) => (flow.path(), None),
        (Outcome::More, _) => return Err(Fault::Over),
    };
    let mut response = found(&url);
    if let Some(cookie) = secret.and_then(|secret| Cookie::Session.set(app, &secret, browser_life(app))) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A form of our own page. Without this a page elsewhere could sign a browser in as somebody else, with a link of theirs.
fn is_own_form(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        // Pages of ours send no referrer, and so no origin.
        (None, Some("null") | None) => true,
        (None, Some(origin)) => {
            url::Url::parse(&app.urls.root).is_ok_and(|root| root.origin().ascii_serialization() == origin)
        }
    }
}

/// What was brought: a link of a message, or a code with all that names it.
async fn read(app: &App, request: &HttpRequest, fields: &Fields, session: &mut Session) -> Result<Brought, Fault> {
    let link = fields.get("link");
    if !link.is_empty() {
        return by_link(app, request, link, session).await;
    }
    let id = ApplicationId(fields.get("client_id").to_owned());
    let application = applications::find(session, &id).await?;
    let application = application.ok_or(Fault::Page("invalid_client: there is no client with this client_id"))?;
    let connection = Connection::parse(fields.get("connection"));
    let connection = connection
        .filter(|connection| is_open(app, &application, *connection))
        .ok_or(Fault::Page("invalid_request: there is no such connection"))?;
    let text = match connection {
        Connection::Email => fields.get("email"),
        Connection::Sms => fields.get("phone_number"),
    };
    let address = Address::parse(connection, text).ok_or(Fault::Page("invalid_request: the address is none"))?;
    let pairs = ASKED.iter().map(|name| ((*name).to_owned(), fields.get(name).to_owned())).collect();
    let asked = read_sent(app, &application, connection, pairs).map_err(|(_, description)| Fault::Page(description))?;
    let asked = asked.ok_or(Fault::Page("invalid_request: redirect_uri is missing"))?;
    let code = fields.get("verification_code").to_owned();
    Ok(Brought { application, asked, way: Way::Code(address, code) })
}

async fn by_link(app: &App, request: &HttpRequest, link: &str, session: &mut Session) -> Result<Brought, Fault> {
    let found =
        if is_secret(link) { sign_in_codes::find_linked(session, &digest(link.as_bytes())).await? } else { None };
    let is_good = |row: &SignInCode| row.used_at.is_none() && row.replaced_at.is_none() && row.expires_at > app.now();
    let row = found.filter(is_good).ok_or(Fault::Over)?;
    if row.handle_hash.is_some() {
        let flow = Flow::of_link(app, session, request, &row).await?.ok_or(Fault::Elsewhere)?;
        if flow.is_finished {
            return Err(Fault::Over);
        }
        let (application, asked) = (flow.application.clone(), flow.state.asked.clone());
        return Ok(Brought { application, asked, way: Way::Held(Box::new(row), Box::new(flow)) });
    }
    if app.config.sign_in.strict_same_browser {
        let secret = Cookie::Link.read(app, request).map(|secret| digest(secret.as_bytes()));
        let is_same = secret.zip(row.browser_hash.as_ref()).is_some_and(|(shown, kept)| same(&shown, kept));
        if !is_same {
            return Err(Fault::Elsewhere);
        }
    }
    let application = applications::find(session, &row.application_id).await?.ok_or(Fault::Over)?;
    let asked: Asked = serde_json::from_value(row.auth_params.0.clone().into())
        .map_err(|error| Error::Failed(anyhow::Error::new(error).context("the stored parameters of a link")))?;
    // What was registered then may not be any more.
    if !application.has_redirect_uri(&asked.redirect_uri) {
        return Err(Fault::Over);
    }
    Ok(Brought { application, asked, way: Way::Link(Box::new(row)) })
}

/// On to the application (contract 1.6).
fn found(url: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, url))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

fn told(app: &App, request: &HttpRequest, fault: Fault) -> HttpResponse {
    match fault {
        Fault::Page(detail) => forms::bad_request(app, request, detail),
        Fault::Elsewhere => {
            let frame = Frame::new(app, forms::locale(request, None, None));
            let (title, text) = (frame.words.link_elsewhere, frame.words.link_elsewhere_text.to_owned());
            Notice { title, text, detail: None, is_bad: true, frame }.answer(StatusCode::BAD_REQUEST)
        }
        Fault::Failed(error) => forms::failed(app, request, &error),
        Fault::Over => {
            let frame = Frame::new(app, forms::locale(request, None, None));
            let (title, text) = (frame.words.link_over, frame.words.link_over_text.to_owned());
            Notice { title, text, detail: None, is_bad: true, frame }.answer(StatusCode::GONE)
        }
    }
}
