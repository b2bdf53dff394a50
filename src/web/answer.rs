//! Errors as HTTP: one JSON body for all (contract 0.2), challenges on every 401 (RFC 6750, RFC 9470).

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;

use crate::{
    domain::refusal::{Code, Refusal},
    error::Error,
};

/// The body of every error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// Stable; decide by this and the status.
    #[schema(example = "verification_record.permission_denied")]
    pub code: &'static str,
    /// For people; may change.
    pub message: &'static str,
    /// What else helps to act on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub data: Option<Value>,
    /// One line for each thing to mend in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub details: Option<String>,
}

impl From<Refusal> for ErrorBody {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, data, details, .. } = refusal;
        Self { code: code.code(), message: code.sentence(), data, details }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Failed(error) = self {
            tracing::error!(error = format!("{error:#}"), "request failed");
        }
        let refusal = self.shown();
        metrics::counter!("countersign_refusals_total", "code" => refusal.code.code()).increment(1);
        let mut response = HttpResponse::build(self.status_code());
        if let Some(challenge) = challenge(&refusal) {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(wait) = refusal.retry_after {
            response.insert_header((header::RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string()));
        }
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        response.json(ErrorBody::from(refusal))
    }
}

/// Parameters of a challenge that name the record to open, where it must be bound to a payload that we name: whoever reads it through
/// a proxy may get no body.
fn what_to_open(operation: Option<&Value>, payload: Option<&Value>) -> String {
    let (Some(Value::String(operation)), Some(payload)) = (operation, payload) else { return String::new() };
    let payload = BASE64_URL_SAFE_NO_PAD.encode(payload.to_string());
    format!(r#", operation="{operation}", payload="{payload}""#)
}

/// The `WWW-Authenticate` value of a 401.
fn challenge(refusal: &Refusal) -> Option<String> {
    if refusal.code.status() != 401 {
        return None;
    }
    Some(match refusal.code {
        // RFC 6750, 3.1: no error code when no credentials were sent.
        Code::AuthorizationHeaderMissing | Code::AuthorizationTokenType => r#"Bearer realm="countersign""#.to_owned(),
        Code::ClientUnknown => r#"Basic realm="countersign""#.to_owned(),
        Code::VerificationRequired => {
            let member = |name| refusal.data.as_ref().and_then(|data| data.get(name));
            let acr_values = member("acrValues").and_then(Value::as_str).unwrap_or("urn:countersign:acr:1fa");
            let max_age = member("maxAge").and_then(Value::as_u64).unwrap_or(600);
            format!(
                r#"Bearer realm="countersign", error="insufficient_user_authentication", error_description="{}", acr_values="{acr_values}", max_age={max_age}{}"#,
                refusal.code.sentence(),
                what_to_open(member("operation"), member("payload"))
            )
        }
        // Under the scheme of DPoP once `web::dpop` has dressed the answer.
        Code::DpopNonce | Code::DpopProof => {
            let error = if refusal.code == Code::DpopNonce { "use_dpop_nonce" } else { "invalid_dpop_proof" };
            format!(r#"Bearer realm="countersign", error="{error}", error_description="{}""#, refusal.code.sentence())
        }
        _ => format!(
            r#"Bearer realm="countersign", error="invalid_token", error_description="{}""#,
            refusal.code.sentence()
        ),
    })
}
