//! The token endpoint: client credentials for the management API, and exchange of a subject token for a user's token.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    post,
    web::{Data, Payload},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    clients::Credentials,
    issue::{self, LIFE, MANAGEMENT_SCOPE, USER_SCOPES},
};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::digest,
    domain::id::UserId,
    error::Result,
    storage::{Session, applications::Application, tokens, users},
    web::{
        client::Client,
        fields, json,
        oauth::{OauthError, TokenRefused},
    },
};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const IMPERSONATION: &str = "urn:logto:token-type:impersonation_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A request for a token (RFC 6749, RFC 8693).
#[derive(Deserialize, utoipa::ToSchema)]
pub struct TokenRequest {
    /// `client_credentials`, or `urn:ietf:params:oauth:grant-type:token-exchange`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// Unless in the Authorization header.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Unless in the Authorization header.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    client_secret: Option<SecretString>,
    /// What the token is for: `<public_url>/api` for the management API.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, example = "https://default.logto.app/api")]
    resource: Option<String>,
    /// The same as `resource`.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    audience: Option<String>,
    /// Separated by spaces.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, example = "all")]
    scope: Option<String>,
    /// For token exchange: the `subjectToken` of `POST /api/subject-tokens`.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    subject_token: Option<SecretString>,
    /// For token exchange: `urn:logto:token-type:impersonation_token`.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    subject_token_type: Option<String>,
}

/// A token.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenAnswer {
    /// A JWT (RFC 9068).
    access_token: String,
    /// Token exchange only (RFC 8693 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "urn:ietf:params:oauth:token-type:access_token")]
    issued_token_type: Option<&'static str>,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 3600)]
    expires_in: u64,
    /// What was granted, separated by spaces.
    #[schema(example = "all")]
    scope: String,
}

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
    match issue(app, request, payload, issuer).await {
        Ok(token) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(token),
        Err(error) => error.answer(),
    }
}

async fn issue(app: &App, request: &HttpRequest, payload: Payload, issuer: &str) -> Result<TokenAnswer, OauthError> {
    let body = json::read(payload.into_inner(), &app.config.limits).await?;
    let mut asked: TokenRequest = json::parse(&body, json::kind(request))?;
    let credentials = Credentials::read(request.headers(), asked.client_id.take(), asked.client_secret.take())?;
    let application = credentials.authenticate(app).await?;
    match asked.grant_type.as_str() {
        "client_credentials" => client_credentials(app, &asked, &application, issuer, &Client::of(request)).await,
        TOKEN_EXCHANGE => exchange(app, &asked, &application, issuer, &Client::of(request)).await,
        _ => Err(OauthError::new("unsupported_grant_type", "the grant types are listed in the discovery document")),
    }
}

async fn client_credentials(
    app: &App,
    asked: &TokenRequest,
    application: &Application,
    issuer: &str,
    client: &Client,
) -> Result<TokenAnswer, OauthError> {
    let target = asked.resource.as_ref().or(asked.audience.as_ref());
    let target = target.filter(|target| app.urls.management_audiences.contains(target)).ok_or_else(|| {
        OauthError::new("invalid_target", format!("`resource` must be {}", app.urls.management_audiences.join(" or ")))
    })?;
    if !application.is_management || application.is_third_party {
        return Err(OauthError::new("unauthorized_client", "this application may not use the management API"));
    }
    let is_asked = asked.scope.as_deref().is_none_or(|scope| {
        scope.trim().is_empty() || scope.split_ascii_whitespace().any(|scope| scope == MANAGEMENT_SCOPE)
    });
    if !is_asked {
        return Err(OauthError::new("invalid_scope", "the scope of the management API is `all`"));
    }
    let access_token = issue::management_token(app, &application.id, target, issuer)?;
    let actor = Actor { user: None, application: Some(&application.id), client: Some(client) };
    let mut session = app.db.write().await?;
    audit::write(app, &mut session, "token.issued", actor, json!({ "scope": MANAGEMENT_SCOPE })).await?;
    session.commit().await?;
    Ok(TokenAnswer {
        access_token,
        issued_token_type: None,
        token_type: "Bearer",
        expires_in: LIFE.as_secs(),
        scope: MANAGEMENT_SCOPE.to_owned(),
    })
}

async fn exchange(
    app: &App,
    asked: &TokenRequest,
    application: &Application,
    issuer: &str,
    client: &Client,
) -> Result<TokenAnswer, OauthError> {
    if application.is_third_party || !application.allow_token_exchange {
        return Err(OauthError::new("unauthorized_client", "this application may not exchange tokens"));
    }
    if asked.subject_token_type.as_deref() != Some(IMPERSONATION) {
        return Err(OauthError::new("invalid_request", format!("`subject_token_type` must be {IMPERSONATION}")));
    }
    let target = asked.resource.as_ref().or(asked.audience.as_ref());
    if target.is_some_and(|target| *target != app.urls.account_audience) {
        let description = format!("leave `resource` out, or ask for {}", app.urls.account_audience);
        return Err(OauthError::new("invalid_target", description));
    }
    let Some(subject_token) = &asked.subject_token else {
        return Err(OauthError::new("invalid_request", "`subject_token` is missing"));
    };
    let asked_scopes = asked.scope.as_deref().unwrap_or_default().split_ascii_whitespace();
    let scope = asked_scopes.filter(|scope| USER_SCOPES.contains(scope)).collect::<Vec<_>>().join(" ");
    let hash = digest(subject_token.expose_secret().as_bytes());

    let mut session = app.db.write().await?;
    let user = spend(app, &mut session, &hash).await?;
    let access_token = issue::user_token(app, &mut session, &user, &application.id, &scope, issuer).await?;
    let actor = Actor { user: Some(&user), application: Some(&application.id), client: Some(client) };
    audit::write(app, &mut session, "token.exchanged", actor, json!({ "scope": scope })).await?;
    session.commit().await?;
    Ok(TokenAnswer {
        access_token,
        issued_token_type: Some(ACCESS_TOKEN),
        token_type: "Bearer",
        expires_in: LIFE.as_secs(),
        scope,
    })
}

/// Uses the subject token, for a user who is still welcome.
async fn spend(app: &App, session: &mut Session, hash: &[u8]) -> Result<UserId, OauthError> {
    let wrong = || OauthError::new("invalid_grant", "the subject token is unknown, used or expired");
    let user = tokens::spend(session, hash, app.now()).await?.ok_or_else(wrong)?;
    // Locked and asked again, so that a suspension that runs beside this ends the new session, too.
    let user = users::lock(session, &user).await?.filter(|user| !user.is_suspended).ok_or_else(wrong)?;
    Ok(user.id)
}
