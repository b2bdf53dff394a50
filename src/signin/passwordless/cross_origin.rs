//! `POST /co/authenticate`: an application's page shows a code, and its browser gets a ticket for `/authorize`
//! (contract `auth0.md` 3.3).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    post,
    web::{Data, Payload},
};
use serde::Serialize;
use serde_json::json;

use super::{body::Members, is_open};
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{
        application::{Connection, GrantType},
        id::{ApplicationId, random_text},
    },
    error::Result,
    signin::{
        codes::{self, Address, Wrong},
        entering::proof_of,
        grants::otp::wording,
        tickets,
    },
    storage::applications::{self, Application},
    web::{
        client::Client,
        cookies::Cookie,
        oauth::{self, OauthError},
    },
};

const MEMBERS: [&str; 5] = ["client_id", "credential_type", "username", "otp", "realm"];

/// A code, shown by a page of the application's.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the request for the OpenAPI document")]
pub struct CrossOriginRequest {
    client_id: String,
    #[schema(example = "http://auth0.com/oauth/grant-type/passwordless/otp")]
    credential_type: String,
    /// The address the code went to.
    #[schema(example = "ada@example.com")]
    username: String,
    #[schema(example = "042137")]
    otp: String,
    realm: Connection,
}

/// A ticket.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CrossOriginAnswer {
    /// For `login_ticket` at `/authorize`, once, in this browser.
    login_ticket: String,
    /// Random; what is checked is the cookie.
    co_verifier: String,
    /// Random.
    co_id: String,
}

/// Why there is no ticket.
pub struct CrossOriginRefused;

impl utoipa::IntoResponses for CrossOriginRefused {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        oauth::responses(&[
            ("400", &["invalid_request", "unsupported_credential_type"]),
            ("401", &["unauthorized_client"]),
            ("403", &["access_denied", "unauthorized_client"]),
            ("429", &["too_many_attempts", "too_many_requests"]),
            ("500", &["server_error"]),
            ("503", &["temporarily_unavailable"]),
        ])
    }
}

/// Takes a code from a page of another origin
///
/// For pages of the origins the application lists, with cookies. A page of another origin gets a 403 that is no JSON.
#[utoipa::path(
    operation_id = "AuthenticateCrossOrigin", tag = "Passwordless",
    request_body = CrossOriginRequest,
    responses((status = 200, description = "A ticket.", body = CrossOriginAnswer), CrossOriginRefused),
)]
#[post("/co/authenticate")]
pub async fn authenticate(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let mut origin = None;
    let mut response = match answer(&app, &request, payload, &mut origin).await {
        Ok(response) => response,
        Err(error) => error.answer(),
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        // With credentials, `*` would be the name of a header.
        let told = "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset";
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(told));
    }
    response
}

/// `allowed` is the origin that may read the answer.
async fn answer(
    app: &App,
    request: &HttpRequest,
    payload: Payload,
    allowed: &mut Option<HeaderValue>,
) -> Result<HttpResponse, OauthError> {
    let mut members = Members::read(app, request, payload, "invalid_request").await?;
    let has_all = MEMBERS.iter().all(|name| members.has(name)) && members.unknown(&MEMBERS).is_empty();
    let id = members.text("client_id").ok().flatten().unwrap_or_default();
    let found = applications::find(&mut app.db.read().await?, &ApplicationId(id)).await?;
    let off =
        || OauthError::new("unauthorized_client", "Cross-origin login is not enabled for the client.").with_status(401);
    let application = found.ok_or_else(off)?;
    let origins = &application.client_settings.cors_allowed_origins;
    if origins.is_empty() {
        return Err(off());
    }
    let origin = request.headers().get(header::ORIGIN);
    let named = origin.and_then(|origin| origin.to_str().ok());
    if !named.is_some_and(|named| origins.iter().any(|origin| origin == named)) {
        let text = format!("Origin {} is not allowed.", named.unwrap_or("(none)"));
        return Ok(HttpResponse::build(StatusCode::FORBIDDEN).content_type("text/plain; charset=utf-8").body(text));
    }
    *allowed = origin.cloned();
    if !has_all {
        let description = format!("the body must have these members and no others: {}", MEMBERS.join(", "));
        return Err(OauthError::new("invalid_request", description));
    }
    let text = |name: &'static str| OauthError::new("invalid_request", format!("`{name}` must be a text"));
    let mut take = |name: &'static str| members.text(name).ok().flatten().ok_or_else(|| text(name));
    if take("credential_type")? != GrantType::PasswordlessOtp.name() {
        return Err(OauthError::new("unsupported_credential_type", "the only credential type is that of codes"));
    }
    let (username, code, realm) = (take("username")?, take("otp")?, take("realm")?);
    let connection = Connection::parse(&realm).filter(|connection| is_open(app, &application, *connection));
    let connection = connection.ok_or_else(|| OauthError::new("invalid_request", "`realm` is unknown"))?;
    if !application.allows(GrantType::PasswordlessOtp) {
        let description = format!("Grant type '{}' not allowed for the client.", GrantType::PasswordlessOtp.name());
        return Err(OauthError::new("unauthorized_client", description).with_status(403));
    }
    let Some(address) = Address::parse(connection, &username) else { return Err(wrong(connection, Wrong::Mismatch)) };
    ticket(app, request, &application, &address, &code).await
}

fn wrong(connection: Connection, wrong: Wrong) -> OauthError {
    OauthError::new("access_denied", wording(connection, wrong)).with_status(403)
}

async fn ticket(
    app: &App,
    request: &HttpRequest,
    application: &Application,
    address: &Address,
    code: &str,
) -> Result<HttpResponse, OauthError> {
    let client = Client::of(request);
    let mut session = app.db.write().await?;
    let user = match codes::redeem_named(app, &mut session, address, code, application, &client).await? {
        Ok(user) => user,
        Err(reason) => {
            session.commit().await?;
            return Err(wrong(address.connection, reason));
        }
    };
    let proof = proof_of(address.connection, app.now());
    let issued = tickets::issue(app, &mut session, application, &user.id, &proof).await?;
    let actor = Actor { user: Some(&user.id), application: Some(&application.id), client: Some(&client) };
    let data = json!({ "connection": address.connection.name() });
    audit::write(app, &mut session, "sign_in.ticket_issued", actor, data).await?;
    session.commit().await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(cookie) = Cookie::Ticket.set(app, &issued.cookie, tickets::LIFE) {
        response.append_header((header::SET_COOKIE, cookie));
    }
    Ok(response.json(CrossOriginAnswer {
        login_ticket: issued.ticket,
        co_verifier: random_text(&*app.random, 32),
        co_id: random_text(&*app.random, 12),
    }))
}
