//! Errors of OAuth endpoints: `error` and `error_description` (RFC 6749 5.2), with our `code` and `message` beside them.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;
use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder, example::ExampleBuilder},
};

use super::openapi;
use crate::{
    domain::refusal::{Code, Refusal},
    error::Error,
};

/// Why a token was not issued.
#[derive(Debug)]
pub struct OauthError {
    /// RFC 6749 5.2, RFC 8693 2.2.2.
    pub error: &'static str,
    /// For developers.
    pub description: String,
    status: u16,
    /// Whether the client used the Authorization header, and so gets a challenge.
    challenge: bool,
    retry_after: Option<std::time::Duration>,
    invalid: Vec<InvalidField>,
}

/// What is wrong with one member of a request (contract `auth0.md` 3.5).
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct InvalidField {
    /// Its name.
    #[schema(example = "email")]
    pub field: &'static str,
    /// For developers.
    pub message: String,
}

/// The body of an OAuth error.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OauthErrorBody {
    /// `oidc.` and the error.
    #[schema(example = "oidc.invalid_grant")]
    code: String,
    /// For people.
    message: String,
    /// RFC 6749 5.2.
    #[schema(example = "invalid_grant")]
    error: &'static str,
    /// For developers.
    error_description: String,
    /// What is wrong with the request, member by member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    validation_errors: Vec<InvalidField>,
}

impl OauthError {
    /// A 400.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        let description = description.into();
        Self { error, description, status: 400, challenge: false, retry_after: None, invalid: Vec::new() }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// A 401 `invalid_client`; challenges only a client that used the Authorization header, as RFC 6749 5.2 asks.
    pub fn invalid_client(used_header: bool) -> Self {
        let description = "the client is unknown, or its credentials are wrong".to_owned();
        Self { challenge: used_header, ..Self::new("invalid_client", description).with_status(401) }
    }

    /// The same, asking to come back after `wait`.
    #[must_use]
    pub fn with_retry_after(self, wait: Option<std::time::Duration>) -> Self {
        Self { retry_after: wait, ..self }
    }

    /// The same, naming what is wrong with the request.
    #[must_use]
    pub fn with_invalid(self, invalid: Vec<InvalidField>) -> Self {
        Self { invalid, ..self }
    }

    /// A parameter stands twice.
    pub fn repeated() -> Self {
        Self::new("invalid_request", "a parameter stands more than once")
    }

    /// For routes that are not OAuth's: `code` in its place, unless the service itself has failed.
    #[must_use]
    pub fn or(&self, code: Code) -> Refusal {
        let code = if self.status >= 500 { Code::Unavailable } else { code };
        Refusal { retry_after: self.retry_after, ..code.refuse() }
    }

    /// As an answer.
    pub fn answer(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.challenge {
            response.insert_header((header::WWW_AUTHENTICATE, r#"Basic realm="countersign""#));
        }
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        response.json(OauthErrorBody {
            code: format!("oidc.{}", self.error),
            message: self.description.clone(),
            error: self.error,
            error_description: self.description.clone(),
            validation_errors: self.invalid.clone(),
        })
    }
}

/// The error responses of the token endpoint, for the OpenAPI document.
pub struct TokenRefused;

impl utoipa::IntoResponses for TokenRefused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        const ERRORS: &[(&str, &[&str])] = &[
            (
                "400",
                &[
                    "invalid_request",
                    "invalid_grant",
                    "invalid_scope",
                    "invalid_target",
                    "unauthorized_client",
                    "unsupported_grant_type",
                    "invalid_dpop_proof",
                    "use_dpop_nonce",
                ],
            ),
            ("401", &["invalid_client"]),
            ("403", &["invalid_grant", "unauthorized_client"]),
            ("429", &["too_many_attempts", "too_many_requests"]),
            ("500", &["server_error"]),
            ("503", &["temporarily_unavailable"]),
        ];
        responses(ERRORS)
    }
}

/// What every endpoint that takes a body may answer to one that is too large, too slow or of another kind.
const FOR_BODIES: &[(&str, &[&str])] = &[
    ("408", &["invalid_request"]),
    ("413", &["invalid_request"]),
    ("414", &["invalid_request"]),
    ("415", &["invalid_request"]),
    ("431", &["invalid_request"]),
];

/// Error responses by their status, with an example each: these, and those of every body.
#[must_use]
pub fn responses(errors: &[(&str, &[&str])]) -> BTreeMap<String, RefOr<Response>> {
    errors
        .iter()
        .chain(FOR_BODIES)
        .map(|(status, errors)| ((*status).to_owned(), RefOr::T(response(status, errors))))
        .collect()
}

fn response(status: &str, errors: &[&str]) -> Response {
    let mut content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(OauthErrorBody::name()))));
    for error in errors {
        let body = json!({
            "code": format!("oidc.{error}"), "message": "For people.", "error": error, "error_description": "For developers.",
        });
        content.examples.insert((*error).to_owned(), RefOr::T(ExampleBuilder::new().value(Some(body)).build()));
    }
    let named: Vec<String> = errors.iter().map(|error| format!("`{error}`")).collect();
    let response = ResponseBuilder::new()
        .description(format!("RFC 6749 5.2: {}.", named.join(", ")))
        .content("application/json", content);
    match status {
        "401" => {
            response.header("WWW-Authenticate", openapi::challenge("Only when the Authorization header was used."))
        }
        "429" | "503" => response.header("Retry-After", openapi::retry_after()),
        _ => response,
    }
    .build()
}

impl From<Error> for OauthError {
    fn from(error: Error) -> Self {
        if let Error::Failed(failure) = &error {
            tracing::error!(error = format!("{failure:#}"), "request failed");
        }
        let Refusal { code, retry_after, .. } = error.shown();
        let (error, status) = match code.status() {
            _ if code == Code::TooManySignIns => ("too_many_attempts", 429),
            503 => ("temporarily_unavailable", 503),
            500 => ("server_error", 500),
            429 => ("too_many_requests", 429),
            408 | 413..=415 | 431 => ("invalid_request", code.status()),
            _ => ("invalid_request", 400),
        };
        Self::new(error, code.sentence()).with_status(status).with_retry_after(retry_after)
    }
}

impl From<sqlx::Error> for OauthError {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}
