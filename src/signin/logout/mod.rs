//! Signing out at an application's request (OpenID Connect RP-Initiated Logout 1.0), also as Auth0's libraries ask for it.
//!
//! Any page can send a browser here. What proves that the application asked: an ID token of the session (`id_token_hint`), or that the
//! request comes from a page of the application (`Referer`, which nobody else's page can forge) in which this browser's user is signed
//! in. Without either, the user is asked. The browser goes nowhere but to a URI the application registered.

mod page;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header,
    post,
    web::{Data, Payload},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use serde_urlencoded::from_bytes;
use url::Url;

use self::page::Page;
use super::{
    browser,
    redirecting::{self, ResponseMode},
};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::{
        digest::{digest, same},
        tokens::{self, Hint, TokenProblem},
    },
    domain::{
        id::{ApplicationId, SessionId, UserId},
        refusal::Code,
    },
    error::{Error, Result},
    refusals,
    storage::{
        Session,
        applications::{self, Application},
        sessions::{self, Stored},
    },
    texts,
    web::{
        client::{Client, Languages},
        json,
    },
};

/// A sign-out that is asked for.
#[derive(Default, utoipa::IntoParams, utoipa::ToSchema)]
#[into_params(parameter_in = Query)]
pub struct LogoutRequest {
    /// An ID token of the session that is to end; it may have expired.
    #[param(value_type = Option<String>, nullable = false)]
    #[schema(value_type = Option<String>, nullable = false)]
    id_token_hint: Option<SecretString>,
    /// The application, where no ID token names it.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Where the browser goes then: one of the application's `postLogoutRedirectUris`, character for character.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    post_logout_redirect_uri: Option<String>,
    /// Handed to that URI.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    state: Option<String>,
    /// Languages of the page, separated by spaces.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    ui_locales: Option<String>,
    /// From our own page: the user said yes.
    #[param(value_type = Option<String>, nullable = false)]
    #[schema(value_type = Option<String>, nullable = false)]
    confirmation: Option<SecretString>,
}

impl LogoutRequest {
    /// From a query or a form; `None` when it cannot be taken. `return_name` is how the way back is called there.
    fn parse(form: &[u8], return_name: &str) -> Option<Self> {
        if json::has_repeated(form) {
            return None;
        }
        let mut asked = Self::default();
        for (name, value) in from_bytes::<Vec<(String, String)>>(form).ok()? {
            if value.contains('\0') {
                return None;
            }
            match name.as_str() {
                _ if value.is_empty() => {}
                "id_token_hint" => asked.id_token_hint = Some(value.into()),
                "client_id" => asked.client_id = Some(value),
                "state" => asked.state = Some(value),
                "ui_locales" => asked.ui_locales = Some(value),
                "confirmation" => asked.confirmation = Some(value.into()),
                name if name == return_name => asked.post_logout_redirect_uri = Some(value),
                _ => {}
            }
        }
        Some(asked)
    }
}

refusals!(Refused: []);
refusals!(PostRefused: [], RequestTimeout, BodyTooLarge);

const STANDARD: &str = "post_logout_redirect_uri";

/// Signs out
///
/// For browsers. Ends the session the ID token names with the browser's session it came from, and every session that came from that
/// one; asks the user first where nothing proves that an application of theirs asked for it.
#[utoipa::path(
    operation_id = "Logout", tag = "Tokens", params(LogoutRequest),
    responses(
        (status = 200, description = "A page: signed out, or whether to.", body = String, content_type = "text/html"),
        (status = 303, description = "Signed out, and on the way back.", headers(("Location" = String, description = "The way back."))),
        (status = 400, description = "A page: the request is not one we can follow.", body = String, content_type = "text/html"),
        Refused,
    ),
)]
#[get("/oidc/logout")]
pub async fn oidc_get(app: Data<App>, request: HttpRequest, languages: Languages) -> Result<HttpResponse> {
    let asked = LogoutRequest::parse(request.query_string().as_bytes(), STANDARD);
    answer(&app, &request, &languages, asked).await
}

/// Signs out, by POST
#[utoipa::path(
    operation_id = "LogoutByPost", tag = "Tokens",
    request_body(content = LogoutRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A page: signed out, or whether to.", body = String, content_type = "text/html"),
        (status = 303, description = "Signed out, and on the way back.", headers(("Location" = String, description = "The way back."))),
        (status = 400, description = "A page: the request is not one we can follow.", body = String, content_type = "text/html"),
        PostRefused,
    ),
)]
#[post("/oidc/logout")]
pub async fn oidc_post(
    app: Data<App>,
    request: HttpRequest,
    languages: Languages,
    payload: Payload,
) -> Result<HttpResponse> {
    by_post(&app, &request, &languages, payload).await
}

/// Signs out (issuer `<public_url>/oidc`)
#[utoipa::path(
    operation_id = "EndSession", tag = "Tokens", params(LogoutRequest),
    responses(
        (status = 200, description = "A page: signed out, or whether to.", body = String, content_type = "text/html"),
        (status = 303, description = "Signed out, and on the way back.", headers(("Location" = String, description = "The way back."))),
        (status = 400, description = "A page: the request is not one we can follow.", body = String, content_type = "text/html"),
        Refused,
    ),
)]
#[get("/oidc/session/end")]
pub async fn session_end_get(app: Data<App>, request: HttpRequest, languages: Languages) -> Result<HttpResponse> {
    let asked = LogoutRequest::parse(request.query_string().as_bytes(), STANDARD);
    answer(&app, &request, &languages, asked).await
}

/// Signs out, by POST (issuer `<public_url>/oidc`)
#[utoipa::path(
    operation_id = "EndSessionByPost", tag = "Tokens",
    request_body(content = LogoutRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A page: signed out, or whether to.", body = String, content_type = "text/html"),
        (status = 303, description = "Signed out, and on the way back.", headers(("Location" = String, description = "The way back."))),
        (status = 400, description = "A page: the request is not one we can follow.", body = String, content_type = "text/html"),
        PostRefused,
    ),
)]
#[post("/oidc/session/end")]
pub async fn session_end_post(
    app: Data<App>,
    request: HttpRequest,
    languages: Languages,
    payload: Payload,
) -> Result<HttpResponse> {
    by_post(&app, &request, &languages, payload).await
}

/// Signs out, as Auth0's libraries ask
#[utoipa::path(
    operation_id = "LogoutV2", tag = "Tokens",
    params(
        ("client_id" = Option<String>, Query, description = "The application."),
        ("returnTo" = Option<String>, Query, description = "One of its `postLogoutRedirectUris`, character for character."),
    ),
    responses(
        (status = 200, description = "A page: signed out, or whether to.", body = String, content_type = "text/html"),
        (status = 303, description = "Signed out, and on the way back.", headers(("Location" = String, description = "The way back."))),
        (status = 400, description = "A page: the request is not one we can follow.", body = String, content_type = "text/html"),
        Refused,
    ),
)]
#[get("/v2/logout")]
pub async fn v2_get(app: Data<App>, request: HttpRequest, languages: Languages) -> Result<HttpResponse> {
    let asked = LogoutRequest::parse(request.query_string().as_bytes(), "returnTo");
    answer(&app, &request, &languages, asked).await
}

async fn by_post(app: &App, request: &HttpRequest, languages: &Languages, payload: Payload) -> Result<HttpResponse> {
    let body = match json::read(payload.into_inner(), &app.config.limits).await {
        Err(Error::Refused(refusal)) if refusal.code == Code::InvalidRequest => {
            return answer(app, request, languages, None).await;
        }
        body => body?,
    };
    let is_form = json::kind(request) == json::Kind::Form || body.is_empty();
    let asked = if is_form { LogoutRequest::parse(&body, STANDARD) } else { None };
    answer(app, request, languages, asked).await
}

async fn answer(
    app: &App,
    request: &HttpRequest,
    languages: &Languages,
    asked: Option<LogoutRequest>,
) -> Result<HttpResponse> {
    let spoken = asked.as_ref().and_then(|asked| asked.ui_locales.as_deref()).or(languages.ui_locales.as_deref());
    let locale = texts::negotiate(spoken, true, None, languages.accepted.as_deref(), "en");
    let page = Page { app, locale };
    let Some(asked) = asked else { return Ok(page.refused()) };
    let hint = read_hint(app, asked.id_token_hint.as_ref()).await?;
    let client_id = match (&hint, &asked.client_id) {
        (Some(hint), Some(id)) if hint.aud != *id => return Ok(page.refused()),
        (Some(hint), _) => Some(hint.aud.clone()),
        (None, id) => id.clone(),
    };
    let mut db = app.db.read().await?;
    let application = match client_id {
        Some(id) => applications::find(&mut db, &ApplicationId(id)).await?,
        None => None,
    };
    let way_back = match (&asked.post_logout_redirect_uri, &application) {
        (None, _) => None,
        (Some(uri), Some(application)) if application.has_post_logout_redirect_uri(uri) => Some(uri.as_str()),
        (Some(_), _) => return Ok(page.refused()),
    };
    let secret = browser::secret(app, request);
    let browser = browser::find(app, &mut db, secret.as_ref()).await?;
    let ending = match (&hint, &browser) {
        (Some(hint), browser) => named_by(app, &mut db, hint, browser.as_ref()).await?,
        (None, None) => Vec::new(),
        (None, Some(browser)) => {
            let token = confirmation(secret.as_ref());
            let is_said = asked.confirmation.as_ref().is_some_and(|said| is_same(said, &token));
            if !is_said && !comes_from(app, &mut db, request, application.as_ref(), browser).await? {
                return Ok(page.question(&asked, way_back, &token));
            }
            vec![(browser.id.clone(), browser.user_id.clone())]
        }
    };
    drop(db);
    let is_browsers = browser.is_some_and(|browser| ending.iter().any(|(id, _)| *id == browser.id));
    end(app, request, &ending, application.as_ref()).await?;
    let mut response = match way_back {
        Some(uri) => HttpResponse::SeeOther().insert_header((header::LOCATION, with_state(uri, &asked))).finish(),
        None => page.done(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer"));
    if is_browsers {
        let (name, value) = browser::forget(app)?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// What the ID token says; `None` when it is none of ours. A key this node does not know may be new.
async fn read_hint(app: &App, shown: Option<&SecretString>) -> Result<Option<Hint>> {
    let Some(shown) = shown else { return Ok(None) };
    let judge = || tokens::verify_hint(&app.keys, shown.expose_secret(), &app.urls.issuers);
    let mut judged = judge();
    if matches!(judged, Err(TokenProblem::Key)) {
        app.refresh_keys().await?;
        judged = judge();
    }
    Ok(judged.ok())
}

/// The sessions an ID token asks to end: the browser's it came from, or its own; and that of this browser, if it is the same user's.
/// Somebody else's ID token ends nothing here.
async fn named_by(
    app: &App,
    db: &mut Session,
    hint: &Hint,
    browser: Option<&Stored>,
) -> Result<Vec<(SessionId, UserId)>> {
    let user = hint.user();
    let named = sessions::find(db, &SessionId(hint.sid.clone()), app.now()).await?;
    let is_meant = |stored: &Stored| {
        stored.user_id == user && stored.application_id.as_ref().is_some_and(|id| id.as_str() == hint.aud)
    };
    let named = named.filter(is_meant).map(|stored| stored.parent_id.unwrap_or(stored.id));
    let here = browser.filter(|browser| browser.user_id == user).map(|browser| browser.id.clone());
    let here = here.filter(|here| named.as_ref() != Some(here));
    Ok(named.into_iter().chain(here).map(|id| (id, user.clone())).collect())
}

/// Whether the request comes from a page of the application, and this browser's user is signed in there. Other pages can keep `Referer`
/// and `Origin` away, but not write somebody else's into them.
async fn comes_from(
    app: &App,
    db: &mut Session,
    request: &HttpRequest,
    application: Option<&Application>,
    browser: &Stored,
) -> Result<bool> {
    let Some(application) = application else { return Ok(false) };
    let headers = request.headers();
    let said = headers.get(header::ORIGIN).or_else(|| headers.get(header::REFERER));
    let Some(from) = said.and_then(|value| value.to_str().ok()).and_then(|text| Url::parse(text).ok()) else {
        return Ok(false);
    };
    let is_theirs = application.has_origin(&from.origin());
    Ok(is_theirs && sessions::reaches(db, &browser.id, &application.id, app.now()).await?)
}

/// What the user's yes carries: whoever has no access to the cookie cannot make it, and it gives nothing of the cookie away.
fn confirmation(secret: Option<&SecretString>) -> SecretString {
    let secret = secret.map_or("", |secret| secret.expose_secret());
    BASE64_URL_SAFE_NO_PAD.encode(digest(format!("countersign sign-out v1 {secret}").as_bytes())).into()
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    same(one.expose_secret().as_bytes(), other.expose_secret().as_bytes())
}

fn with_state(uri: &str, asked: &LogoutRequest) -> String {
    match &asked.state {
        Some(state) => redirecting::url(uri, ResponseMode::Query, &[("state", Some(state))]),
        None => uri.to_owned(),
    }
}

async fn end(
    app: &App,
    request: &HttpRequest,
    ending: &[(SessionId, UserId)],
    application: Option<&Application>,
) -> Result<()> {
    if ending.is_empty() {
        return Ok(());
    }
    let client = Client::of(request);
    let mut session = app.db.write().await?;
    for (id, user) in ending {
        let actor = Actor {
            user: Some(user),
            application: application.map(|application| &application.id),
            client: Some(&client),
        };
        if sessions::end(&mut session, id, app.now()).await? > 0 {
            audit::write(app, &mut session, "session.ended", actor, json!({ "by": "sign-out" })).await?;
        }
    }
    Ok(session.commit().await?)
}
