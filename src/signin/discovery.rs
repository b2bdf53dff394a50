//! Discovery and keys (OpenID Connect Discovery 1.0, RFC 8414, RFC 7517).

use actix_web::{HttpResponse, get, http::header, web::Data};
use serde::Serialize;

use super::{grants::TOKEN_EXCHANGE, issue::USER_SCOPES};
use crate::{
    app::App,
    crypto::{assertions, dpop},
    domain::{
        application::GrantType,
        policy::{Acr, Policy},
    },
};

/// What an issuer says of itself (OpenID Connect Discovery 3, RFC 8414 2).
#[derive(Serialize, utoipa::ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the members have these names and types")]
pub struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    revocation_endpoint: String,
    /// Where users sign out (OpenID Connect RP-Initiated Logout 2.1).
    end_session_endpoint: String,
    jwks_uri: String,
    scopes_supported: &'static [&'static str],
    claims_supported: &'static [&'static str],
    claim_types_supported: &'static [&'static str],
    response_types_supported: &'static [&'static str],
    response_modes_supported: &'static [&'static str],
    grant_types_supported: Vec<&'static str>,
    code_challenge_methods_supported: &'static [&'static str],
    subject_types_supported: &'static [&'static str],
    id_token_signing_alg_values_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    token_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    dpop_signing_alg_values_supported: &'static [&'static str],
    revocation_endpoint_auth_methods_supported: &'static [&'static str],
    revocation_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    acr_values_supported: Vec<String>,
    ui_locales_supported: &'static [&'static str],
    /// RFC 9207: the redirect names the issuer.
    authorization_response_iss_parameter_supported: bool,
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
}

/// Where one issuer's endpoints are.
struct Places {
    authorization: &'static str,
    token: &'static str,
    userinfo: &'static str,
    revocation: &'static str,
    end_session: &'static str,
    jwks: &'static str,
}

const ROOT: Places = Places {
    authorization: "/authorize",
    token: "/oauth/token",
    userinfo: "/userinfo",
    revocation: "/oauth/revoke",
    end_session: "/oidc/logout",
    jwks: "/.well-known/jwks.json",
};

const OIDC: Places = Places {
    authorization: "/oidc/auth",
    token: "/oidc/token",
    userinfo: "/oidc/me",
    revocation: "/oidc/token/revocation",
    end_session: "/oidc/session/end",
    jwks: "/oidc/jwks",
};

/// How clients may authenticate.
const AUTH_METHODS: &[&str] = &["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

/// Claims of ID tokens and of the userinfo endpoint.
const CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "sid",
    "auth_time",
    "acr",
    "amr",
    "nonce",
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "phone_verified",
    "address",
    "custom_data",
];

fn document(app: &App, issuer: &str, places: &Places) -> Discovery {
    let at = |path: &str| format!("{}{path}", app.urls.root);
    let grants = GrantType::ALL.iter().map(|grant| grant.name()).chain([TOKEN_EXCHANGE]);
    Discovery {
        issuer: issuer.to_owned(),
        authorization_endpoint: at(places.authorization),
        token_endpoint: at(places.token),
        userinfo_endpoint: at(places.userinfo),
        revocation_endpoint: at(places.revocation),
        end_session_endpoint: at(places.end_session),
        jwks_uri: at(places.jwks),
        scopes_supported: USER_SCOPES,
        claims_supported: CLAIMS,
        claim_types_supported: &["normal"],
        response_types_supported: &["code"],
        response_modes_supported: &["query", "fragment"],
        grant_types_supported: grants.collect(),
        code_challenge_methods_supported: &["S256"],
        subject_types_supported: &["public"],
        id_token_signing_alg_values_supported: &["RS256"],
        token_endpoint_auth_methods_supported: AUTH_METHODS,
        token_endpoint_auth_signing_alg_values_supported: assertions::ALGORITHMS,
        dpop_signing_alg_values_supported: dpop::ALGORITHMS,
        revocation_endpoint_auth_methods_supported: AUTH_METHODS,
        revocation_endpoint_auth_signing_alg_values_supported: assertions::ALGORITHMS,
        acr_values_supported: acr_values(app),
        ui_locales_supported: &["en", "ja"],
        authorization_response_iss_parameter_supported: true,
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
    }
}

/// The classes, and what the policies ask for beside them: more can be asked for, and nobody has reason to.
fn acr_values(app: &App) -> Vec<String> {
    let mut values = vec![Acr::OneFactor.urn().to_owned(), Acr::TwoFactors.urn().to_owned()];
    for asked in app.policies.iter().map(Policy::acr_values) {
        for value in asked.split(' ') {
            if !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
        }
    }
    values
}

fn cached(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(body)
}

/// Describes the issuer `<public_url>/oidc`
#[utoipa::path(operation_id = "GetOidcDiscovery", tag = "Tokens", responses((status = 200, description = "The document.", body = Discovery)))]
#[get("/oidc/.well-known/openid-configuration")]
pub async fn oidc_document(app: Data<App>) -> HttpResponse {
    let [_, issuer] = &app.urls.issuers;
    cached(document(&app, issuer, &OIDC))
}

/// Describes the issuer `<public_url>/`
#[utoipa::path(operation_id = "GetDiscovery", tag = "Tokens", responses((status = 200, description = "The document.", body = Discovery)))]
#[get("/.well-known/openid-configuration")]
pub async fn root_document(app: Data<App>) -> HttpResponse {
    let [issuer, _] = &app.urls.issuers;
    cached(document(&app, issuer, &ROOT))
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
