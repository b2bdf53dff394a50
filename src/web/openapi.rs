//! Error responses of the OpenAPI document, from the table of refusals.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder, example::ExampleBuilder},
};

use super::answer::ErrorBody;
use crate::domain::refusal::Code;

/// Every route may answer these.
pub const ALWAYS: &[Code] = &[Code::Internal, Code::Unavailable];

/// Routes with a body.
pub const BODY: &[Code] =
    &[Code::InvalidInput, Code::MalformedJson, Code::InvalidRequest, Code::BodyTooLarge, Code::UnsupportedMediaType];

/// Routes of a signed-in user.
pub const USER: &[Code] = &[
    Code::AuthorizationHeaderMissing,
    Code::AuthorizationTokenType,
    Code::Unauthorized,
    Code::Forbidden,
    Code::AccountCenterNotEnabled,
];

/// Routes of the management API.
pub const MANAGEMENT: &[Code] = &[
    Code::AuthorizationHeaderMissing,
    Code::AuthorizationTokenType,
    Code::Unauthorized,
    Code::SubjectMissing,
    Code::Forbidden,
];

/// Groups codes by status, with an example each.
#[must_use]
pub fn responses(groups: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in groups.iter().copied().flatten() {
        let codes = by_status.entry(code.status()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(&codes)))).collect()
}

fn response(codes: &[Code]) -> Response {
    let description: Vec<String> = codes.iter().map(|code| format!("`{}`: {}", code.code(), code.sentence())).collect();
    let mut content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(ErrorBody::name()))));
    for code in codes {
        let body = json!({ "code": code.code(), "message": code.sentence() });
        let example = ExampleBuilder::new().value(Some(body)).build();
        content.examples.insert(code.code().to_owned(), RefOr::T(example));
    }
    ResponseBuilder::new().description(description.join("\n\n")).content("application/json", content).build()
}

/// Declares the refusals of a route: `refusals!(Refused: [BODY, USER], InvalidCredentials, TooManyAttempts);`
/// makes a type to be named in `#[utoipa::path(responses(..., Refused))]`.
#[macro_export]
macro_rules! refusals {
    ($name:ident: [$($group:ident),*] $(, $code:ident)*) => {
        struct $name;
        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::web::openapi::responses(&[
                    $($crate::web::openapi::$group,)*
                    &[$($crate::domain::refusal::Code::$code),*],
                    $crate::web::openapi::ALWAYS,
                ])
            }
        }
    };
}
