//! What holds for every operation, written into the OpenAPI document in one place.

use utoipa::openapi::{
    Components, Object, OpenApi, RefOr, Required, ResponseBuilder, Schema, Type, header::HeaderBuilder,
    path::Operation, request_body::RequestBody, security::SecurityRequirement,
};

/// Completes the document that was collected from the routes.
pub fn apply(document: &mut OpenApi) {
    let Some(components) = &document.components else { return };
    for path in document.paths.paths.values_mut() {
        path.get.iter_mut().for_each(add_tag);
        let all = [&mut path.get, &mut path.post, &mut path.put, &mut path.patch, &mut path.delete];
        all.into_iter().flatten().for_each(add_bound_tokens);
        let writing = [&mut path.post, &mut path.put, &mut path.patch];
        for body in writing.into_iter().flatten().filter_map(|operation| operation.request_body.as_mut()) {
            if let RefOr::T(body) = body
                && takes_nothing(body, components)
            {
                body.required = Some(Required::False);
            }
        }
    }
}

/// The entity tag that every whole answer to GET carries, and the answer to one who has it already (contract 0.6).
fn add_tag(operation: &mut Operation) {
    let Some(RefOr::T(whole)) = operation.responses.responses.get_mut("200") else { return };
    let header = HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::String)))
        .description(Some("The version of this answer, for `If-None-Match` (RFC 9110 13.1.2)."))
        .build();
    whole.headers.insert("ETag".to_owned(), RefOr::T(header.clone()));
    let same = ResponseBuilder::new()
        .description("The answer is the one that `If-None-Match` names; it is not sent again.")
        .header("ETag", header)
        .build();
    operation.responses.responses.insert("304".to_owned(), RefOr::T(same));
}

/// Wherever a bearer token is taken, one that is bound to a key is, too (RFC 9449 7).
fn add_bound_tokens(operation: &mut Operation) {
    let none = std::iter::empty::<String>;
    let bearer = SecurityRequirement::new("bearer", none());
    if let Some(ways) = operation.security.as_mut().filter(|ways| ways.contains(&bearer)) {
        ways.push(SecurityRequirement::new("boundToken", none()).add("proof", none()));
    }
}

/// Whether an empty object fits: then so does no body at all (contract 0.2).
fn takes_nothing(body: &RequestBody, components: &Components) -> bool {
    body.content.values().all(|content| {
        let RefOr::T(content) = content else { return false };
        let Some(RefOr::Ref(schema)) = &content.schema else { return false };
        let name = schema.ref_location.rsplit('/').next().unwrap_or_default();
        matches!(components.schemas.get(name), Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
    })
}
