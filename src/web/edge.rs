//! The outermost layer: request id, flood limits, path, CORS, unknown paths and methods, ETag, log and metrics (contract 0.1, 0.2, 0.6).

use std::{
    borrow::Cow,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error as ActixError, HttpMessage, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
        uri::PathAndQuery,
    },
    middleware::Next,
    web::{Bytes, Data},
};
use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ipnet::IpNet;
use metrics::Label;
use tracing::Instrument;

use super::{
    client::{self, Client},
    floods::{self, Floods, Standing},
    forwarded,
    oauth::OauthError,
    pace::Pace,
    routes::{self, Route, Routes},
};
use crate::{
    app::App,
    config::{Config, LimitsConfig},
    domain::{id::random_text, refusal::Code},
    error::Error,
    pages, texts,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("logto-core-request-id");

/// Wraps every request.
pub async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    let started = Instant::now();
    let mut busy = request.conn_data::<Pace>().map(Pace::begin);
    let Some(app) = request.app_data::<Data<App>>().cloned() else {
        return Err(Error::Failed(anyhow::anyhow!("the app is missing")).into());
    };
    let is_asked = forwarded::is_asked(request.path());
    let client = Client {
        ip: client::address(&request, &trusted(&app.config, is_asked)),
        request_id: random_text(&*app.random, 16),
        user_agent: request.headers().get(header::USER_AGENT).cloned(),
    };
    request.extensions_mut().insert(client.clone());
    let routes = request.app_data::<Data<Arc<Routes>>>().cloned();
    let route = routes.as_ref().and_then(|routes| settle_path(&mut request, routes));
    let method = request.method().clone();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let shares = !is_asked && shares_origins(request.path());
    let span = tracing::info_span!("request", id = client.request_id);
    let (standing, refused) = admit(&request, client.ip);
    let speaks_auth0 = floods::Kind::of(&request) == Some(floods::Kind::SignIn);

    let mut response = if let Some(error) =
        refused.or_else(|| oversized(&request, &app.config.limits)).or_else(|| untimely(&request, &app))
    {
        let answer = refusal(&request, error);
        request.into_response(answer)
    } else if let Some(answer) = early_answer(&request, route.as_deref(), shares).filter(|_| !is_asked) {
        request.into_response(answer)
    } else {
        if method == Method::HEAD && !is_asked {
            request.head_mut().method = Method::GET;
        }
        match next.call(request).instrument(span.clone()).await {
            Ok(response) => response.map_into_boxed_body(),
            // A refused extractor; its answer is the error's own.
            Err(error) => return Err(error),
        }
    };
    if let Ok(value) = HeaderValue::from_str(&client.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(standing) = standing {
        // Clients of the sign-in endpoints read a moment, all others a length (contract `auth0.md` 1.7).
        standing.tell(response.headers_mut(), speaks_auth0.then(|| app.now()));
    }
    if shares {
        share_origin(&mut response, origin);
    }
    if is_asked {
        forwarded::narrow(&mut response);
    } else if method == Method::GET && response.status() == StatusCode::OK {
        response = tag(response);
    }
    let status = response.status();
    if let Some(busy) = busy.as_mut().filter(|_| matches!(status.as_u16(), 408 | 413)) {
        busy.hurry();
    }
    let seconds = started.elapsed().as_secs_f64();
    let pattern = route.map_or_else(|| "unmatched".into(), |route| Arc::clone(&route.pattern));
    let (code, ms) = (status.as_u16(), format_args!("{:.1}", seconds * 1000.0));
    span.in_scope(|| tracing::info!(%method, route = &*pattern, status = code, ms, "answered"));
    let labels = [
        Label::from_static_parts("method", known_name(&method)),
        Label::new("route", pattern),
        Label::new("status", status.as_str().to_owned()),
    ];
    metrics::counter!("countersign_http_requests_total", labels.iter()).increment(1);
    metrics::histogram!("countersign_http_request_seconds", labels.iter()).record(seconds);
    Ok(response)
}

/// Proxies that are believed when they name their client.
fn trusted(config: &Config, is_asked: bool) -> Cow<'_, [IpNet]> {
    let trusted = &config.server.trusted_proxies;
    if is_asked { [trusted.as_slice(), &config.forward_auth.proxies].concat().into() } else { trusted.into() }
}

/// Counts the request for its client, before anything else is done for it.
fn admit(request: &ServiceRequest, client: Option<IpAddr>) -> (Option<Standing>, Option<Error>) {
    let Some(kind) = floods::Kind::of(request) else { return (None, None) };
    let Some(floods) = request.app_data::<Data<Floods>>() else {
        return (None, Some(Error::Failed(anyhow::anyhow!("the flood limits are missing"))));
    };
    match floods.count(kind, client) {
        Ok(standing) => (standing, None),
        Err((refusal, standing)) => (Some(standing), Some(refusal.into())),
    }
}

/// What is refused before a handler sees it, in the shape its clients read: people see a page, token endpoints have the one of OAuth.
fn refusal(request: &ServiceRequest, error: Error) -> HttpResponse {
    if is_page(request.path())
        && let Some(app) = request.app_data::<Data<App>>()
    {
        return paged(request, app, &error);
    }
    if matches!(floods::Kind::of(request), Some(floods::Kind::Token | floods::Kind::SignIn)) {
        OauthError::from(error).answer()
    } else {
        error.error_response()
    }
}

fn paged(request: &ServiceRequest, app: &App, error: &Error) -> HttpResponse {
    let accepted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let locale = texts::negotiate(None, true, None, accepted, "en");
    let refusal = error.shown();
    match refusal.code.status() {
        429 => pages::too_many(app, locale, refusal.retry_after),
        status => pages::failed(app, locale, StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

/// Whether browsers show what is answered there.
fn is_page(path: &str) -> bool {
    matches!(
        path,
        "/account"
            | "/authorize"
            | "/oidc/auth"
            | "/sign-in"
            | "/passwordless/verify_redirect"
            | "/passwordless/verify-redirect"
    ) || path.starts_with("/sign-in/")
}

/// Refuses heads that are larger than any client of ours needs. What does not fit the buffer of the HTTP layer (128 KiB, 96 headers)
/// never comes here: it is answered 431 without a body.
fn oversized(request: &ServiceRequest, limits: &LimitsConfig) -> Option<Error> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.uri_bytes {
        return Some(Code::UriTooLong.into());
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (bytes > limits.header_bytes).then(|| Code::HeadersTooLarge.into())
}

/// Nothing that depends on the time is answered by a clock that was set.
fn untimely(request: &ServiceRequest, app: &App) -> Option<Error> {
    if app.clock.is_sound() || matches!(request.path(), "/healthz" | "/metrics") {
        return None;
    }
    tracing::error!("the machine's clock was set while this process ran; set it right, or start the service again");
    Some(Code::Unavailable.refuse().retry_after(Duration::from_secs(60)).into())
}

/// The method's name for metrics: clients may send any word, and each would begin a series of its own.
fn known_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|name| method == *name).unwrap_or("other")
}

/// Paths match in any letter case and with one slash at the end (contract 0.2): settles on the known spelling, and gives its methods.
fn settle_path(request: &mut ServiceRequest, routes: &Routes) -> Option<Arc<Route>> {
    let path = request.path();
    if let Some(route) = routes.find(path) {
        return Some(Arc::clone(route));
    }
    let settled = path.strip_suffix('/').unwrap_or(path).to_ascii_lowercase();
    if forwarded::is_asked(&settled) {
        // What a proxy appends is another's path: its letter case is not ours to settle.
        return None;
    }
    let route = Arc::clone(routes.find(&settled)?);
    let target = match request.uri().query() {
        Some(query) => format!("{settled}?{query}"),
        None => settled,
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    let uri = actix_web::http::Uri::from_parts(parts).ok()?;
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    Some(route)
}

/// What never reaches a handler: unknown paths and methods, preflights, OPTIONS.
fn early_answer(request: &ServiceRequest, route: Option<&Route>, shares: bool) -> Option<HttpResponse> {
    let Some(Route { methods, .. }) = route else {
        return Some(Error::from(Code::NotFound).error_response());
    };
    let method = request.method();
    if method == Method::OPTIONS {
        let asks = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD).is_some();
        if (shares || path_takes_cookies(request.path())) && asks {
            let mut answer = HttpResponse::NoContent();
            answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET,HEAD,PUT,POST,DELETE,PATCH"));
            if let Some(headers) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, headers.clone()));
            }
            if let Some(origin) = request.headers().get(header::ORIGIN).filter(|_| !shares) {
                // Who may really ask is judged by the request itself, which names its application.
                answer.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
                answer.insert_header((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"));
                answer.insert_header((header::VARY, "Origin"));
            }
            return Some(answer.finish());
        }
        return Some(HttpResponse::Ok().insert_header((header::ALLOW, routes::allow(methods))).finish());
    }
    let known = methods.contains(method) || (method == Method::HEAD && methods.contains(&Method::GET));
    if known {
        return None;
    }
    let mut answer = Error::from(Code::MethodNotAllowed).error_response();
    if let Ok(value) = HeaderValue::from_str(&routes::allow(methods)) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
    Some(answer)
}

/// Pages where users sign out: nothing for scripts of others.
const SIGN_OUT: [&str; 3] = ["/oidc/logout", "/oidc/session/end", "/v2/logout"];

/// Whether front ends of any origin may read the answer: all but the management API (contract 0.6), pages, and the mailbox, where any
/// page in a developer's browser could read codes.
fn shares_origins(path: &str) -> bool {
    const SHARED: [&str; 4] = ["/api/my-account", "/api/verifications", "/api/.well-known", "/api/openapi.json"];
    let is_ours = path.starts_with("/api/")
        || path == "/mailbox"
        || is_page(path)
        || SIGN_OUT.contains(&path)
        || path_takes_cookies(path);
    !is_ours || SHARED.iter().any(|shared| path.starts_with(shared))
}

/// What front ends call with cookies: its handler says which of them may (contract `auth0.md` 3.3).
fn path_takes_cookies(path: &str) -> bool {
    path == "/co/authenticate"
}

fn share_origin(response: &mut ServiceResponse<BoxBody>, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.unwrap_or_else(|| HeaderValue::from_static("*")));
    // By name as well: to a request with credentials the star is a header like any other (Fetch 3.3.3).
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "*, DPoP-Nonce, WWW-Authenticate, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset",
        ),
    );
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// Adds an ETag to a whole answer, and answers 304 to a client that has it.
fn tag(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let body: Bytes = match body.try_into_bytes() {
        Ok(body) => body,
        Err(body) => return ServiceResponse::new(request, response.set_body(body)),
    };
    let sum = digest::digest(&digest::SHA256, &body);
    let mark = BASE64_URL_SAFE_NO_PAD.encode(sum.as_ref().get(..15).unwrap_or_default());
    let mark = format!("\"{mark}\"");
    let seen = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let is_same = seen.flat_map(|value| value.split(',')).any(|seen| {
        let seen = seen.trim();
        seen == "*" || seen.trim_start_matches("W/") == mark
    });
    if let Ok(value) = HeaderValue::from_str(&mark) {
        response.headers_mut().insert(header::ETAG, value);
    }
    if is_same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        return ServiceResponse::new(request, response.set_body(BoxBody::new(())));
    }
    ServiceResponse::new(request, response.set_body(BoxBody::new(body)))
}
