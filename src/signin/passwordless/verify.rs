//! `POST /passwordless/verify`, in both of its shapes (contract `auth0.md` 3.1, 3.2, P10).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    post,
    web::{Data, Payload},
};
use serde::Serialize;

use super::{asking, body::Members, is_open};
use crate::{
    app::App,
    domain::{application::Connection, id::ApplicationId},
    error::Result,
    signin::{
        codes::{self, Address, Wrong},
        grants::{
            Granting, TokenAnswer,
            otp::{admit, audience, granted_scope, wording},
        },
    },
    storage::applications,
    web::{
        client::Client,
        dpop,
        oauth::{self, OauthError},
    },
};

/// A code. With `verification_code` it is checked, and stays good; with `username` and `password` it is used, and there are tokens.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the request for the OpenAPI document")]
pub struct VerifyRequest {
    client_id: String,
    connection: Connection,
    /// The code, to be checked.
    #[schema(example = "042137")]
    verification_code: Option<String>,
    /// With `verification_code` and `email`.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// With `verification_code` and `sms`.
    #[schema(example = "+14155552671")]
    phone_number: Option<String>,
    /// `password`, or nothing.
    #[schema(example = "password")]
    grant_type: Option<String>,
    /// The address, when the code is to be used.
    username: Option<String>,
    /// The code, to be used.
    password: Option<String>,
    /// Separated by spaces.
    #[schema(example = "openid profile")]
    scope: Option<String>,
    /// Another API the access token is to be for.
    audience: Option<String>,
    /// Of applications that have one, unless in the Authorization header.
    client_secret: Option<String>,
}

/// What became of it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Verified {
    /// The code was used.
    Tokens(Box<TokenAnswer>),
    /// The code is right.
    Checked(Checked),
}

/// Nothing more is to be said.
#[derive(Serialize)]
pub struct Checked {}

/// Tokens, where the code was used; nothing, where it was only checked.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub struct VerifiedBody {
    #[schema(nullable = false)]
    access_token: Option<String>,
    #[schema(nullable = false)]
    id_token: Option<String>,
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    #[schema(nullable = false, example = "Bearer")]
    token_type: Option<String>,
    /// Seconds.
    #[schema(nullable = false, example = 3600)]
    expires_in: Option<u64>,
    #[schema(nullable = false)]
    scope: Option<String>,
}

/// Why it was not taken.
pub struct VerifyRefused;

impl utoipa::IntoResponses for VerifyRefused {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        oauth::responses(&[
            ("400", &["invalid_request", "invalid_target", "invalid_dpop_proof", "use_dpop_nonce"]),
            ("401", &["invalid_user_password"]),
            ("403", &["unauthorized_client"]),
            ("429", &["too_many_attempts", "too_many_requests"]),
            ("500", &["server_error"]),
            ("503", &["temporarily_unavailable"]),
        ])
    }
}

/// Checks or uses a code
///
/// Either way it counts as a try when it is wrong. Tokens are bound to the key of a DPoP proof (RFC 9449), if there is one.
#[utoipa::path(
    operation_id = "VerifyPasswordless", tag = "Passwordless", security((), ("client" = [])),
    request_body(content((VerifyRequest = "application/json"), (VerifyRequest = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "The code is right.", body = VerifiedBody), VerifyRefused),
)]
#[post("/passwordless/verify")]
pub async fn verify(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let mut response = match answer(&app, &request, payload).await {
        Ok(verified) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(verified),
        Err(error) => error.answer(),
    };
    if request.headers().contains_key(dpop::PROOF) {
        dpop::dress(&app, response.headers_mut());
    }
    response
}

async fn answer(app: &App, request: &HttpRequest, payload: Payload) -> Result<Verified, OauthError> {
    let mut members = Members::read(app, request, payload, "invalid_request").await?;
    if members.has("verification_code") {
        check(app, request, &mut members).await?;
        return Ok(Verified::Checked(Checked {}));
    }
    Ok(Verified::Tokens(Box::new(redeem(app, request, &mut members).await?)))
}

fn missing(name: &str) -> OauthError {
    OauthError::new("invalid_request", format!("Missing required property: {name}"))
}

fn required(members: &mut Members, name: &'static str) -> Result<String, OauthError> {
    members.text(name).ok().flatten().filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
}

fn unknown_client() -> OauthError {
    OauthError::new("unauthorized_client", "there is no such client, or it did not authenticate").with_status(403)
}

fn no_connection() -> OauthError {
    OauthError::new("invalid_request", "`connection` is no connection of the application's")
}

fn wrong(connection: Connection, wrong: Wrong) -> OauthError {
    OauthError::new("invalid_user_password", wording(connection, wrong)).with_status(401)
}

/// A page asks before it goes on to `verify_redirect`, for an application of any type: whoever knows the code may.
async fn check(app: &App, request: &HttpRequest, members: &mut Members) -> Result<(), OauthError> {
    let id = ApplicationId(required(members, "client_id")?);
    let connection = required(members, "connection")?;
    let code = required(members, "verification_code")?;
    let found = applications::find(&mut app.db.read().await?, &id).await?;
    let application = found.ok_or_else(unknown_client)?;
    let connection = Connection::parse(&connection).filter(|connection| is_open(app, &application, *connection));
    let connection = connection.ok_or_else(no_connection)?;
    let member = match connection {
        Connection::Email => "email",
        Connection::Sms => "phone_number",
    };
    let address = Address::parse(connection, &required(members, member)?);
    let Some(address) = address else { return Err(wrong(connection, Wrong::Mismatch)) };
    let client = Client::of(request);
    let mut session = app.db.write().await?;
    let outcome = codes::check_named(app, &mut session, &address, &code, &application, &client).await?;
    session.commit().await?;
    outcome.map_err(|reason| wrong(connection, reason))
}

/// The documented shape: the code in place of a password.
async fn redeem(app: &App, request: &HttpRequest, members: &mut Members) -> Result<TokenAnswer, OauthError> {
    let asking = asking(app, request, members, || missing("client_id")).await.map_err(|error| match error.error {
        "invalid_client" => unknown_client(),
        _ => error,
    })?;
    let connection = required(members, "connection")?;
    let username = required(members, "username")?;
    let code = required(members, "password")?;
    if members.text("grant_type").ok().flatten().is_some_and(|grant| grant != "password") {
        return Err(OauthError::new("invalid_request", "`grant_type` must be `password`"));
    }
    let scope = members.text("scope").map_err(|_| OauthError::new("invalid_request", "`scope` must be a text"))?;
    let target =
        members.text("audience").map_err(|_| OauthError::new("invalid_request", "`audience` must be a text"))?;
    let connection = Connection::parse(&connection).filter(|connection| is_open(app, &asking.application, *connection));
    let connection = connection.ok_or_else(no_connection)?;
    let [issuer, _] = &app.urls.issuers;
    let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    // Before the code is looked at, as at the token endpoint: a client that needs a nonce comes again with the same one.
    let jkt = dpop::key_of(app, request, &asking.application).await?;
    let jkt = jkt.as_deref();
    let granting = Granting { app, application: &asking.application, issuer, client: &asking.client, user_agent, jkt };
    let scope = granted_scope(&granting, scope.as_deref());
    let audience = audience(&granting, target.as_deref())?;
    let Some(address) = Address::parse(connection, &username) else {
        return Err(wrong(connection, Wrong::Mismatch));
    };
    let mut session = app.db.write().await?;
    match codes::redeem_named(app, &mut session, &address, &code, granting.application, granting.client).await? {
        Ok(user) => admit(&granting, session, &user, connection, &scope, audience).await,
        Err(reason) => {
            session.commit().await?;
            Err(wrong(connection, reason))
        }
    }
}
