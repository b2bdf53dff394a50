//! Discovery and keys (OpenID Connect Discovery 1.0, RFC 8414, RFC 7517).

use actix_web::{HttpResponse, get, http::header, web::Data};
use serde::Serialize;

use super::issue::USER_SCOPES;
use crate::{
    app::App,
    crypto::{assertions, dpop},
};

/// What an issuer says of itself.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Discovery {
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    scopes_supported: &'static [&'static str],
    response_types_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    subject_types_supported: &'static [&'static str],
    id_token_signing_alg_values_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    token_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    dpop_signing_alg_values_supported: &'static [&'static str],
    acr_values_supported: &'static [&'static str],
}

fn document(app: &App, issuer: &str, token: &str, jwks: &str) -> Discovery {
    let root = &app.urls.root;
    Discovery {
        issuer: issuer.to_owned(),
        token_endpoint: format!("{root}{token}"),
        jwks_uri: format!("{root}{jwks}"),
        scopes_supported: USER_SCOPES,
        response_types_supported: &["code"],
        grant_types_supported: &["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
        subject_types_supported: &["public"],
        id_token_signing_alg_values_supported: &["ES256"],
        token_endpoint_auth_methods_supported: &[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ],
        token_endpoint_auth_signing_alg_values_supported: assertions::ALGORITHMS,
        dpop_signing_alg_values_supported: dpop::ALGORITHMS,
        acr_values_supported: &["urn:countersign:acr:1fa"],
    }
}

fn cached(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(body)
}

/// Describes the issuer `<public_url>/oidc`
#[utoipa::path(operation_id = "GetOidcDiscovery", tag = "Tokens", responses((status = 200, description = "The document.", body = Discovery)))]
#[get("/oidc/.well-known/openid-configuration")]
pub async fn oidc_document(app: Data<App>) -> HttpResponse {
    let [_, issuer] = &app.urls.issuers;
    cached(document(&app, issuer, "/oidc/token", "/oidc/jwks"))
}

/// Describes the issuer `<public_url>/`
#[utoipa::path(operation_id = "GetDiscovery", tag = "Tokens", responses((status = 200, description = "The document.", body = Discovery)))]
#[get("/.well-known/openid-configuration")]
pub async fn root_document(app: Data<App>) -> HttpResponse {
    let [issuer, _] = &app.urls.issuers;
    cached(document(&app, issuer, "/oauth/token", "/.well-known/jwks.json"))
}

/// A set of public keys (RFC 7517 5).
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub struct Jwks {
    keys: Vec<Jwk>,
}

/// A public key (RFC 7517 4, RFC 7518 6).
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the answer for the OpenAPI document")]
pub struct Jwk {
    #[schema(example = "EC")]
    kty: String,
    kid: String,
    #[schema(example = "ES256")]
    alg: String,
    #[schema(example = "sig")]
    r#use: String,
    /// Curve of an EC key.
    #[schema(nullable = false, example = "P-256")]
    crv: Option<String>,
    /// Of an EC key.
    #[schema(nullable = false)]
    x: Option<String>,
    /// Of an EC key.
    #[schema(nullable = false)]
    y: Option<String>,
    /// Modulus of an RSA key.
    #[schema(nullable = false)]
    n: Option<String>,
    /// Exponent of an RSA key.
    #[schema(nullable = false)]
    e: Option<String>,
}

/// Lists the keys that sign tokens
#[utoipa::path(operation_id = "GetJwks", tag = "Tokens", responses((status = 200, description = "The keys.", body = Jwks)))]
#[get("/.well-known/jwks.json")]
pub async fn root_jwks(app: Data<App>) -> HttpResponse {
    cached(app.keys.jwks())
}

/// Lists the keys that sign tokens (issuer `<public_url>/oidc`)
#[utoipa::path(operation_id = "GetOidcJwks", tag = "Tokens", responses((status = 200, description = "The keys.", body = Jwks)))]
#[get("/oidc/jwks")]
pub async fn oidc_jwks(app: Data<App>) -> HttpResponse {
    cached(app.keys.jwks())
}
