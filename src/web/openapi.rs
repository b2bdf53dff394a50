//! Error responses of the OpenAPI document, from the table of refusals.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        Content, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
        example::ExampleBuilder,
        header::{Header, HeaderBuilder},
        schema::{ArrayBuilder, Schema, SchemaType},
    },
};

use super::answer::ErrorBody;
use crate::domain::refusal::Code;

/// Every route may answer these.
pub const ALWAYS: &[Code] = &[Code::RateLimited, Code::Internal, Code::Unavailable];

/// Routes with a body.
pub const BODY: &[Code] = &[
    Code::InvalidInput,
    Code::MalformedJson,
    Code::InvalidRequest,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
];

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

/// What a relying service may be told before anything else.
pub const SERVICE: &[Code] = &[
    Code::AuthorizationHeaderMissing,
    Code::AuthorizationTokenType,
    Code::ClientUnknown,
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
    let has = |wanted: &[Code]| codes.iter().any(|code| wanted.contains(code));
    let mut content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(ErrorBody::name()))));
    for code in codes {
        let example = ExampleBuilder::new().value(Some(example(*code))).build();
        content.examples.insert(code.code().to_owned(), RefOr::T(example));
    }
    let mut response =
        ResponseBuilder::new().description(description.join("\n\n")).content("application/json", content);
    if codes.iter().any(|code| code.status() == 401) {
        response = response.header(
            "WWW-Authenticate",
            challenge("Why (RFC 6750 3); `insufficient_user_authentication` asks for a verification (RFC 9470 3)."),
        );
    }
    if has(&[Code::TooManyAttempts, Code::MessageRateLimited, Code::ConnectorRateLimited, Code::Unavailable]) {
        response = response.header("Retry-After", retry_after());
    }
    response.build()
}

/// A text of `least` to `most` characters.
#[must_use]
pub fn text(least: usize, most: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(least)).max_length(Some(most))
}

/// At most `most` texts, or null.
#[must_use]
pub fn nullable_texts(about: &str, most: usize, text: ObjectBuilder) -> Schema {
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(text)
        .max_items(Some(most))
        .description(Some(about))
        .into()
}

/// The header of a refusal that passes by itself.
#[must_use]
pub fn retry_after() -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1))))
        .description(Some("Seconds to wait, where waiting helps."))
        .example(Some(json!(30)))
        .build()
}

/// The header of a 401.
#[must_use]
pub fn challenge(about: &str) -> Header {
    HeaderBuilder::new().schema(Some(Object::with_type(Type::String))).description(Some(about)).build()
}

/// A whole body, with the `data` that this code brings.
fn example(code: Code) -> Value {
    let mut body = json!({ "code": code.code(), "message": code.sentence() });
    let line = "Error in key path \"password\": (invalid_type) Expected string but received undefined.";
    let data = match code {
        Code::InvalidInput => json!({ "name": "ZodError", "part": "body", "issues": [{
            "code": "invalid_type", "path": ["password"], "expected": "string", "received": "undefined",
            "message": "Expected string but received undefined.",
        }] }),
        Code::TooManyAttempts => json!({ "method": "password", "retryAfterSeconds": 900 }),
        Code::PasswordRejected => json!([{ "code": "password_rejected.too_short", "interpolation": { "min": 8 } }]),
        Code::VerificationRequired => json!({
            "operation": "account.password.update", "methods": [["password"], ["email_code"], ["phone_code"]],
            "userMethods": ["password"], "acrValues": "urn:countersign:acr:1fa", "maxAge": 600,
        }),
        Code::AuthorizationTokenType => json!({ "supportedTypes": ["Bearer"] }),
        _ => return body,
    };
    if let Some(members) = body.as_object_mut() {
        members.insert("data".to_owned(), data);
        if code == Code::InvalidInput {
            members.insert("details".to_owned(), json!(line));
        }
    }
    body
}

/// Declares the refusals of a route: `refusals!(Refused: [BODY, USER], InvalidCredentials, TooManyAttempts);`
/// makes a type to be named in `#[utoipa::path(responses(..., Refused))]`.
#[macro_export]
macro_rules! refusals {
    ($visibility:vis $name:ident: [$($group:ident),*] $(, $code:ident)*) => {
        $visibility struct $name;
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
