//! Giving tokens up (RFC 7009).
//!
//! Whatever of a session is given up ends the session: then its refresh tokens get nothing, and its access tokens, which are JWTs and
//! name the session, are refused with the next request.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    post,
    web::{Data, Payload},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::clients::{Credentials, Shown};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::digest,
    domain::id::{ApplicationId, SessionId, UserId},
    error::{Error, Result},
    storage::{refresh_tokens, sessions},
    web::{
        caller,
        client::Client,
        fields, json,
        oauth::{OauthError, TokenRefused},
    },
};

/// A token to be given up (RFC 7009 2.1).
#[derive(Deserialize, utoipa::ToSchema)]
pub struct RevocationRequest {
    /// A refresh token or an access token of the client's.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = String)]
    token: Option<SecretString>,
    /// Not needed: what the token is can be seen.
    #[expect(dead_code, reason = "describes the request for the OpenAPI document")]
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, example = "refresh_token")]
    token_type_hint: Option<String>,
    /// Unless in the Authorization header.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Unless in the Authorization header.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    client_secret: Option<SecretString>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with an assertion.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    client_assertion_type: Option<String>,
    /// Instead of a secret (RFC 7523 2.2).
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    client_assertion: Option<SecretString>,
}

/// Gives a token up
///
/// The session it belongs to ends, and with it every other token of that session. A token that is unknown, another client's, or was
/// given up before is answered the same.
#[utoipa::path(
    operation_id = "RevokeToken", tag = "Tokens", security((), ("client" = [])),
    request_body(content((RevocationRequest = "application/x-www-form-urlencoded"), (RevocationRequest = "application/json"))),
    responses((status = 200, description = "The token is worth nothing (any more)."), TokenRefused),
)]
#[post("/oidc/token/revocation")]
pub async fn oidc_revocation(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answer(&app, &request, payload).await
}

/// Gives a token up (root issuer)
///
/// The same, for clients that found us at `/.well-known/openid-configuration`.
#[utoipa::path(
    operation_id = "RevokeTokenRoot", tag = "Tokens", security((), ("client" = [])),
    request_body(content((RevocationRequest = "application/x-www-form-urlencoded"), (RevocationRequest = "application/json"))),
    responses((status = 200, description = "The token is worth nothing (any more)."), TokenRefused),
)]
#[post("/oauth/revoke")]
pub async fn oauth_revoke(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    answer(&app, &request, payload).await
}

async fn answer(app: &App, request: &HttpRequest, payload: Payload) -> HttpResponse {
    match revoke(app, request, payload).await {
        Ok(()) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish(),
        Err(error) => error.answer(),
    }
}

async fn revoke(app: &App, request: &HttpRequest, payload: Payload) -> Result<(), OauthError> {
    let body = json::read(payload.into_inner(), &app.config.limits).await?;
    let kind = json::kind(request);
    if kind == json::Kind::Form && json::has_repeated(&body) {
        return Err(OauthError::repeated());
    }
    let mut asked: RevocationRequest = json::parse(&body, kind)?;
    let shown = Shown {
        id: asked.client_id.take(),
        secret: asked.client_secret.take(),
        assertion: asked.client_assertion.take(),
        assertion_type: asked.client_assertion_type.take(),
    };
    let credentials = Credentials::of(request.headers(), shown)?;
    let application = credentials.authenticate(app).await?;
    let Some(token) = asked.token else { return Err(OauthError::new("invalid_request", "`token` is missing")) };
    match find(app, token.expose_secret(), &application.id).await? {
        Found::Nothing => Ok(()),
        Found::WithoutSession => Err(OauthError::new(
            "unsupported_token_type",
            "an application's own token cannot be given up; it expires within the hour",
        )),
        Found::Of { user, session } => {
            let actor =
                Actor { user: Some(&user), application: Some(&application.id), client: Some(&Client::of(request)) };
            Ok(end(app, &session, actor).await?)
        }
    }
}

/// Whose a token is.
enum Found {
    Nothing,
    WithoutSession,
    Of { user: UserId, session: SessionId },
}

/// A refresh token of the application's, used or not, or an access token that has not expired.
async fn find(app: &App, token: &str, application: &ApplicationId) -> Result<Found> {
    let stored = refresh_tokens::find(&mut app.db.read().await?, &digest(token.as_bytes())).await?;
    if let Some(stored) = stored {
        let is_own = stored.application_id == *application;
        return Ok(if is_own {
            Found::Of { user: stored.user_id, session: stored.session_id }
        } else {
            Found::Nothing
        });
    }
    let [one, other] = app.urls.management_audiences.clone();
    let audiences = [app.urls.account_audience.clone(), one, other];
    let claims = match caller::own_claims(app, token, &audiences).await {
        Ok(claims) if claims.client_id == application.as_str() => claims,
        Ok(_) | Err(Error::Refused(_)) => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    Ok(match claims.sid.clone() {
        Some(sid) => Found::Of { user: claims.user(), session: SessionId(sid) },
        None => Found::WithoutSession,
    })
}

async fn end(app: &App, id: &SessionId, actor: Actor<'_>) -> Result<()> {
    let mut session = app.db.write().await?;
    if sessions::end(&mut session, id, app.now()).await? > 0 {
        audit::write(app, &mut session, "session.ended", actor, json!({ "by": "revocation" })).await?;
    }
    Ok(session.commit().await?)
}
