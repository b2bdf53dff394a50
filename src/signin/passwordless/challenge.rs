//! `POST /passwordless/challenge` and `POST /otp/challenge` (contract `auth0.md` 3.4, 3.5).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    post,
    web::{Data, Payload},
};
use serde::Serialize;
use serde_json::Value;

use super::{asking, body::Members, count_start, is_open, languages};
use crate::{
    app::App,
    crypto::digest::digest,
    domain::{application::Connection, refusal::Code},
    error::Error,
    signin::{
        codes::{self, Address, Ask, Carries, Holder},
        limits::Standing,
    },
    storage::applications::Application,
    web::{
        cookies::new_secret,
        oauth::{self, InvalidField, OauthError},
    },
};

/// A sign-in of a page.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the request for the OpenAPI document")]
pub struct CaptchaRequest {
    /// Ignored.
    state: Option<String>,
}

/// Whether a captcha must be solved.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Captcha {
    /// There is none.
    #[schema(example = false)]
    required: bool,
}

/// Why there is no answer.
pub struct CaptchaRefused;

impl utoipa::IntoResponses for CaptchaRefused {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        oauth::responses(&[("400", &["invalid_request"]), ("429", &["too_many_requests"])])
    }
}

/// Tells whether a captcha must be solved
///
/// None is ever asked for: what protects is counted.
#[utoipa::path(
    operation_id = "GetPasswordlessChallenge", tag = "Passwordless",
    request_body = CaptchaRequest,
    responses((status = 200, description = "None.", body = Captcha), CaptchaRefused),
)]
#[post("/passwordless/challenge")]
pub async fn captcha(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let state = Members::read(&app, &request, payload, "invalid_request").await.and_then(|mut members| {
        members.text("state").map_err(|_| OauthError::new("invalid_request", "`state` must be a string"))
    });
    match state {
        Ok(_) => HttpResponse::Ok().json(Captcha { required: false }),
        Err(error) => error.answer(),
    }
}

/// Where a code is to go.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the request for the OpenAPI document")]
pub struct ChallengeRequest {
    client_id: String,
    /// Of applications that have one, unless in the Authorization header or an assertion.
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// Instead of a secret (RFC 7523).
    #[schema(nullable = false)]
    client_assertion: Option<String>,
    #[schema(nullable = false)]
    client_assertion_type: Option<String>,
    connection: Connection,
    /// With `email`.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// With `sms`.
    #[schema(example = "+14155552671")]
    phone_number: Option<String>,
    /// Whether an address without an account gets one; true unless said.
    allow_signup: Option<bool>,
    /// `text`.
    #[schema(example = "text")]
    delivery_method: Option<String>,
}

/// The same whether or not there is an account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Challenge {
    /// To be shown with the code at the token endpoint; nobody else can use the code, or use it up.
    auth_session: String,
}

/// Why nothing was sent.
pub struct ChallengeRefused;

impl utoipa::IntoResponses for ChallengeRefused {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        oauth::responses(&[
            ("400", &["invalid_request", "invalid_connection"]),
            ("401", &["invalid_client"]),
            ("403", &["unauthorized_client"]),
            ("429", &["too_many_requests"]),
            ("500", &["server_error"]),
            ("503", &["temporarily_unavailable"]),
        ])
    }
}

/// Sends a code that only its holder can use
///
/// The answer does not tell whether there is an account, nor whether anything was sent.
#[utoipa::path(
    operation_id = "ChallengeOtp", tag = "Passwordless", security((), ("client" = [])),
    request_body = ChallengeRequest,
    responses((status = 200, description = "It is on its way.", body = Challenge), ChallengeRefused),
)]
#[post("/otp/challenge")]
pub async fn otp_challenge(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let mut standing = None;
    let mut response = match begin(&app, &request, payload, &mut standing).await {
        Ok(challenge) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(challenge),
        Err(error) => error.answer(),
    };
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    response
}

fn invalid(field: &'static str, message: &str) -> OauthError {
    let invalid = InvalidField { field, message: message.to_owned() };
    OauthError::new("invalid_request", format!("`{field}` {message}")).with_invalid(vec![invalid])
}

async fn begin(
    app: &App,
    request: &HttpRequest,
    payload: Payload,
    standing: &mut Option<Standing>,
) -> Result<Challenge, OauthError> {
    let mut members = Members::read(app, request, payload, "invalid_request").await?;
    let asking = asking(app, request, &mut members, || invalid("client_id", "is missing")).await?;
    count_start(app, &asking, standing).await?;
    let address = address(app, &asking.application, &mut members)?;
    let allows_sign_up = match members.take("allow_signup") {
        None => true,
        Some(Value::Bool(allows)) => allows,
        Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
        Some(_) => return Err(invalid("allow_signup", "must be true or false")),
    };
    match members.text("delivery_method") {
        Ok(None) => {}
        Ok(Some(method)) if method == "text" => {}
        Ok(Some(_)) | Err(_) => return Err(invalid("delivery_method", "must be `text`")),
    }
    let secret = new_secret(&*app.random);
    let (hash, languages) = (digest(secret.as_bytes()), languages(request.headers()));
    let ask = Ask { allows_sign_up, ..asking.ask(&address, Holder::Held(&hash), Carries::Code, &languages) };
    codes::send(app, ask).await.map_err(not_sent)?;
    Ok(Challenge { auth_session: secret })
}

fn address(app: &App, application: &Application, members: &mut Members) -> Result<Address, OauthError> {
    let named = members.text("connection").map_err(|_| invalid("connection", "must be a text"))?;
    let named = named.ok_or_else(|| invalid("connection", "is missing"))?;
    let connection = Connection::parse(&named).filter(|connection| is_open(app, application, *connection));
    let connection = connection
        .ok_or_else(|| OauthError::new("invalid_connection", "`connection` is no connection of the application's"))?;
    let (field, wanted) = match connection {
        Connection::Email => ("email", "must be an e-mail address"),
        Connection::Sms => ("phone_number", "must be a plus sign and the digits of a phone number"),
    };
    let text = members.text(field).ok().flatten();
    text.as_deref().and_then(|text| Address::parse(connection, text)).ok_or_else(|| invalid(field, wanted))
}

/// What is known before anything is sent.
fn not_sent(error: Error) -> OauthError {
    let Error::Refused(refusal) = &error else { return error.into() };
    match refusal.code {
        Code::MessageCountryNotServed => invalid("phone_number", "is of a country that gets no text messages"),
        Code::ConnectorNotFound => OauthError::new("server_error", refusal.code.sentence()).with_status(500),
        _ => error.into(),
    }
}
