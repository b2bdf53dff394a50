//! The path where reverse proxies ask (contract `operations.md`, "Forward auth"): what the outermost layer does otherwise there.
//!
//! A proxy takes 2xx for "let it through" and some take anything else for an accident of their own: so no answer of a layer that
//! does not know what it is about (OPTIONS, HEAD, ETag, CORS, limits) may get out as it is.

use actix_web::{
    body::BoxBody,
    dev::ServiceResponse,
    http::{StatusCode, header},
};

/// Where proxies ask. Envoy appends the original path to it.
pub const PATH: &str = "/forward-auth";

/// Whether a proxy asks here.
#[must_use]
pub fn is_asked(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Leaves 200, 401, 403 and 5xx as they are. Whoever asks too often is told 503, and 403 stands for all else; the body says more.
pub fn narrow(response: &mut ServiceResponse<BoxBody>) {
    let status = narrowed(response.status());
    if status != response.status() {
        *response.response_mut().status_mut() = status;
    }
    // A judgement is for this one request.
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
}

fn narrowed(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => status,
        StatusCode::TOO_MANY_REQUESTS => StatusCode::SERVICE_UNAVAILABLE,
        status if status.is_server_error() => status,
        _ => StatusCode::FORBIDDEN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_kinds_of_answers_and_no_other() {
        for code in 100..600 {
            let status = StatusCode::from_u16(code).unwrap();
            let narrowed = narrowed(status).as_u16();
            assert!(matches!(narrowed, 200 | 401 | 403 | 500..), "{code}");
            assert_eq!(narrowed == 200, code == 200, "{code}");
        }
    }

    #[test]
    fn the_path_and_what_is_below_it() {
        for path in ["/forward-auth", "/forward-auth/", "/forward-auth/a/b"] {
            assert!(is_asked(path), "{path}");
        }
        for path in ["/", "/forward-authority", "/forward", "/api/forward-auth"] {
            assert!(!is_asked(path), "{path}");
        }
    }
}
