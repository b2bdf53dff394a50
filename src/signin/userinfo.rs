//! What an application may know of its user (OpenID Connect Core 5.3).

use actix_web::{
    HttpRequest, HttpResponse, ResponseError, get,
    http::header::{self, HeaderValue},
    post,
    web::Data,
};
use serde_json::{Map, Value};

use super::issue;
use crate::{
    app::App,
    domain::refusal::Code,
    error::{Error, Result},
    refusals,
    web::{caller, dpop},
};

/// What the token's scopes let be known of its user.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub struct UserInfo {
    /// The user, as in the token.
    #[schema(example = "email|5f0wq8sn0b6c")]
    sub: String,
    /// With `profile`, as most of what may stand here beside.
    #[schema(nullable = false)]
    name: Option<String>,
    /// With `email`.
    #[schema(nullable = false)]
    email: Option<String>,
    /// With `email`.
    #[schema(nullable = false)]
    email_verified: Option<bool>,
    /// With `phone`.
    #[schema(nullable = false)]
    phone_number: Option<String>,
    /// With `phone`.
    #[schema(nullable = false)]
    phone_number_verified: Option<bool>,
    /// Seconds since 1970, with `profile`.
    #[schema(nullable = false)]
    updated_at: Option<i64>,
}

refusals!(Refused: [], AuthorizationHeaderMissing, AuthorizationTokenType, Unauthorized, DpopNonce, DpopProof);

/// Tells of the token's user
#[utoipa::path(operation_id = "GetUserInfo", tag = "Tokens", security(("bearer" = [])), responses((status = 200, description = "Claims.", body = UserInfo), Refused))]
#[get("/userinfo")]
pub async fn root_get(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    answer(&app, &request).await
}

/// Tells of the token's user, by POST
#[utoipa::path(operation_id = "PostUserInfo", tag = "Tokens", security(("bearer" = [])), responses((status = 200, description = "Claims.", body = UserInfo), Refused))]
#[post("/userinfo")]
pub async fn root_post(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    answer(&app, &request).await
}

/// Tells of the token's user (issuer `<public_url>/oidc`)
#[utoipa::path(operation_id = "GetOidcUserInfo", tag = "Tokens", security(("bearer" = [])), responses((status = 200, description = "Claims.", body = UserInfo), Refused))]
#[get("/oidc/me")]
pub async fn oidc_get(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    answer(&app, &request).await
}

/// Tells of the token's user, by POST (issuer `<public_url>/oidc`)
#[utoipa::path(operation_id = "PostOidcUserInfo", tag = "Tokens", security(("bearer" = [])), responses((status = 200, description = "Claims.", body = UserInfo), Refused))]
#[post("/oidc/me")]
pub async fn oidc_post(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    answer(&app, &request).await
}

async fn answer(app: &App, request: &HttpRequest) -> Result<HttpResponse> {
    let mut response = tell(app, request).await.unwrap_or_else(|error| error.error_response());
    if dpop::is_used(request.headers()) {
        dpop::dress(app, response.headers_mut());
    }
    Ok(response)
}

async fn tell(app: &App, request: &HttpRequest) -> Result<HttpResponse> {
    let (user, claims) = caller::holder(app, request).await?;
    if !claims.has_scope("openid") {
        return Ok(without_openid());
    }
    let mut told: Map<String, Value> = issue::user_claims(&user, &claims.scope);
    told.insert("sub".to_owned(), claims.sub.as_str().into());
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(told))
}

/// `401` (contract `auth0.md` 2.5), though RFC 6750 would rather have 403.
fn without_openid() -> HttpResponse {
    let mut answer = Error::from(Code::Unauthorized).error_response();
    let challenge =
        HeaderValue::from_static(r#"Bearer realm="countersign", error="insufficient_scope", scope="openid""#);
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    answer
}
