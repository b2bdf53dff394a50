//! The OpenAPI document, written from the routes, and the reference page that shows it.

use std::sync::{LazyLock, OnceLock};

use actix_web::{HttpResponse, get, http::header::ContentType, web::Bytes};
use anyhow::Context;
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi,
        path::Paths,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{page::Page, refine, routes};
use crate::{
    error::Result,
    web::{
        answer::ErrorBody,
        oauth::OauthErrorBody,
        routes::Noted,
        service::{Documented, Note, ServiceConfig},
    },
};

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    Page::new(
        include_str!("pages/reference.html"),
        include_str!("pages/reference.css"),
        include_str!("pages/reference.js"),
    )
});

/// The document as it is served. Made when somebody first asks for it: it takes ten times its size while it is put together.
static TEXT: OnceLock<Bytes> = OnceLock::new();

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Countersign",
        description = "Asks the owner of an account again before a risky action.\n\nA bearer token says that somebody signed in once. Verify the user (`/api/verifications/...`), and show the id of the verified record in the `Verification-Id` header of the operation it permits.\n\nErrors have one shape, `ErrorBody`: decide by status and `code`, never by `message`. Every answer carries the id of the request in `Logto-Core-Request-Id`. Members of a body that are not listed here are ignored; no text may hold U+0000.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    servers((url = "/", description = "This server.")),
    components(schemas(ErrorBody, OauthErrorBody)),
    tags(
        (name = "Verifications", description = "Proving that the owner is here now."),
        (name = "Operations", description = "Consent to one operation on one payload, which a back end redeems once."),
        (name = "My account", description = "The caller's own account."),
        (name = "Tokens", description = "Issuing access tokens, and the keys that sign them."),
        (name = "Users", description = "For operators: accounts."),
        (name = "Applications", description = "For operators: who may ask for tokens."),
        (name = "Account center", description = "For operators: what users may see and change of their own account."),
        (name = "Sign-in experience", description = "For operators: policies and languages."),
        (name = "Subject tokens", description = "For trusted back ends: tickets for a user's access token."),
        (name = "Audit log", description = "For operators: who did what."),
        (name = "Operation", description = "For those who run the service."),
    ),
)]
struct Document;

/// The document of every route.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut document = Document::openapi();
    each_handler(&mut |scope, handler| add(&mut document, scope, handler));
    let components = document.components.get_or_insert_default();
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "An access token of a user; for the management API, one of an application with the scope `all`.",
        ))
        .build();
    let bound = ApiKeyValue::with_description(
        "Authorization",
        "An access token that is bound to a key: `DPoP`, a space, and the token (RFC 9449 7.1).",
    );
    let proof = ApiKeyValue::with_description(
        "DPoP",
        "The proof for this request, with the digest of the token as `ath` (RFC 9449 4.2). The answer's `DPoP-Nonce` is the `nonce` of \
         the next one.",
    );
    let client = Http::builder()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("Id and secret of an application (RFC 6749 2.3.1); both may stand in the body instead, or a `client_assertion` (RFC 7523 2.2)."))
        .build();
    components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer).into());
    components.security_schemes.insert("boundToken".to_owned(), SecurityScheme::ApiKey(ApiKey::Header(bound)).into());
    components.security_schemes.insert("proof".to_owned(), SecurityScheme::ApiKey(ApiKey::Header(proof)).into());
    components.security_schemes.insert("client".to_owned(), SecurityScheme::Http(client).into());
    refine::apply(&mut document);
    document
}

/// Every documented path, with its methods.
#[must_use]
pub fn noted() -> Noted {
    let mut noted = Noted::default();
    each_handler(&mut |scope, handler| noted.take(scope, handler));
    noted
}

fn each_handler(note: Note<'_>) {
    // Registered with a server that is never started.
    let _ = actix_web::App::new().configure(|actix| routes::all(&mut ServiceConfig::new(actix, note)));
}

fn add(document: &mut OpenApi, scope: &str, handler: &dyn Documented) {
    for (path, item) in handler.paths().paths {
        document.paths.merge(Paths::builder().path(format!("{scope}{path}"), item).build());
    }
    let mut schemas = Vec::new();
    handler.schemas(&mut schemas);
    document.components.get_or_insert_default().schemas.extend(schemas);
}

/// Shows this document
#[utoipa::path(operation_id = "GetOpenApi", tag = "Operation", responses((status = 200, description = "The document.", body = std::collections::HashMap<String, serde_json::Value>)))]
#[get("/api/openapi.json")]
pub async fn openapi_json() -> Result<HttpResponse> {
    let text = if let Some(text) = TEXT.get() {
        text
    } else {
        let text = serde_json::to_vec(&openapi()).context("the document as JSON")?;
        TEXT.get_or_init(|| text.into())
    };
    Ok(HttpResponse::Ok().insert_header(ContentType::json()).body(text.clone()))
}

/// Shows this document to people
#[utoipa::path(operation_id = "GetReference", tag = "Operation", responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
#[get("/docs")]
pub async fn reference() -> HttpResponse {
    PAGE.answer()
}
