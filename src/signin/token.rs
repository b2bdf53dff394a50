//! The token endpoint (RFC 6749 3.2), at both of its addresses.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    post,
    web::{Data, Payload},
};

use super::{
    clients::{Credentials, Shown},
    forwarded,
    grants::{self, Granting, TokenAnswer, TokenRequest},
};
use crate::{
    app::App,
    error::Result,
    web::{
        dpop, json,
        oauth::{OauthError, TokenRefused},
    },
};

/// Issues a token
#[utoipa::path(
    operation_id = "IssueToken", tag = "Tokens", security((), ("client" = [])),
    request_body(content((TokenRequest = "application/x-www-form-urlencoded"), (TokenRequest = "application/json"))),
    responses(
        (status = 200, description = "The token.", body = TokenAnswer),
        TokenRefused,
    ),
)]
#[post("/oidc/token")]
pub async fn oidc_token(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let [_, issuer] = &app.urls.issuers;
    answer(&app, &request, payload, issuer).await
}

/// Issues a token (root issuer)
///
/// The same, for clients that found us at `/.well-known/openid-configuration`.
#[utoipa::path(
    operation_id = "IssueTokenRoot", tag = "Tokens", security((), ("client" = [])),
    request_body(content((TokenRequest = "application/x-www-form-urlencoded"), (TokenRequest = "application/json"))),
    responses(
        (status = 200, description = "The token.", body = TokenAnswer),
        TokenRefused,
    ),
)]
#[post("/oauth/token")]
pub async fn oauth_token(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let [issuer, _] = &app.urls.issuers;
    answer(&app, &request, payload, issuer).await
}

async fn answer(app: &App, request: &HttpRequest, payload: Payload, issuer: &str) -> HttpResponse {
    let mut response = match issue(app, request, payload, issuer).await {
        Ok(token) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(token),
        Err(error) => error.answer(),
    };
    if request.headers().contains_key(dpop::PROOF) {
        dpop::dress(app, response.headers_mut());
    }
    response
}

async fn issue(app: &App, request: &HttpRequest, payload: Payload, issuer: &str) -> Result<TokenAnswer, OauthError> {
    let body = json::read(payload.into_inner(), &app.config.limits).await?;
    let kind = json::kind(request);
    if kind == json::Kind::Form && json::has_repeated(&body) {
        return Err(OauthError::repeated());
    }
    let mut asked: TokenRequest = json::parse(&body, kind)?;
    let shows_secret = asked.client_secret.is_some() || request.headers().contains_key(header::AUTHORIZATION);
    let shown = Shown {
        id: asked.client_id.take(),
        secret: asked.client_secret.take(),
        assertion: asked.client_assertion.take(),
        assertion_type: asked.client_assertion_type.take(),
    };
    let credentials = Credentials::of(request.headers(), shown)?;
    let application = credentials.authenticate(app).await?;
    let client = forwarded::client(request, &application, shows_secret).0;
    let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    // Before any code is looked at: a client that needs a nonce comes again with the same one.
    let jkt = dpop::key_of(app, request, &application).await?;
    let jkt = jkt.as_deref();
    let granting = Granting { app, application: &application, issuer, client: &client, user_agent, jkt };
    let mut token = grants::grant(&asked, &granting).await?;
    if jkt.is_some() {
        token.token_type = "DPoP";
    }
    Ok(token)
}
