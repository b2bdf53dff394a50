//! The OpenAPI document that is kept in the repository, and what it promises.

use countersign::{domain::refusal::Code, operations, server};
use serde_json::Value;

fn document() -> Value {
    serde_json::to_value(server::openapi()).unwrap()
}

/// Every operation: method, path, and what the document says of it.
fn operations() -> Vec<(String, String, Value)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().clone();
    let mut found = Vec::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

#[test]
fn the_kept_document_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/countersign.json");
    let text = serde_json::to_string_pretty(&server::openapi()).unwrap() + "\n";
    if std::env::var_os("COUNTERSIGN_RENEW").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == text,
        "openapi/countersign.json is not what the code says; look at what changed, then renew it:\n\
         countersign openapi --out openapi/countersign.json   (or COUNTERSIGN_RENEW=1 cargo test --test it openapi::)"
    );
}

#[test]
fn operations_have_the_names_and_tags_that_clients_know() {
    let known = [
        ("POST", "/api/verifications/password/verify", "CreateVerificationByPassword"),
        ("POST", "/api/verifications/verification-code", "CreateVerificationByVerificationCode"),
        ("POST", "/api/verifications/verification-code/verify", "VerifyVerificationByVerificationCode"),
        ("GET", "/api/my-account", "GetProfile"),
        ("PATCH", "/api/my-account", "UpdateProfile"),
        ("PATCH", "/api/my-account/profile", "UpdateOtherProfile"),
        ("POST", "/api/my-account/password", "UpdatePassword"),
        ("POST", "/api/my-account/primary-email", "UpdatePrimaryEmail"),
        ("DELETE", "/api/my-account/primary-email", "DeletePrimaryEmail"),
        ("POST", "/api/my-account/primary-phone", "UpdatePrimaryPhone"),
        ("DELETE", "/api/my-account/primary-phone", "DeletePrimaryPhone"),
    ];
    let all = operations();
    for (method, path, name) in known {
        let found = all.iter().find(|(m, p, _)| m == method && p == path);
        let (_, _, operation) = found.unwrap_or_else(|| panic!("{method} {path} is missing"));
        assert_eq!(operation["operationId"], name);
        let tag = if path.starts_with("/api/verifications") { "Verifications" } else { "My account" };
        assert_eq!(operation["tags"], serde_json::json!([tag]));
        assert_eq!(operation["security"], serde_json::json!([{ "bearer": [] }, { "boundToken": [], "proof": [] }]));
    }
    let mut names: Vec<&str> = all.iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "an operation id stands twice");
}

#[test]
fn gated_operations_declare_both_headers_and_what_refuses_them() {
    let all = operations();
    for listed in operations::ALL {
        let found = all.iter().find(|(method, path, _)| method == listed.method && path == listed.path);
        let (_, _, operation) = found.unwrap_or_else(|| panic!("{} is not documented", listed.name));
        let headers = operation["parameters"].as_array().unwrap().iter().filter(|it| it["in"] == "header");
        let headers: Vec<&str> = headers.map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(headers, ["Verification-Id", "logto-verification-id"], "{}", listed.name);
        let refused = &operation["responses"]["401"]["content"]["application/json"]["examples"];
        assert!(refused[Code::VerificationRequired.code()].is_object(), "{}", listed.name);
    }
}

#[test]
fn errors_name_their_codes_and_carry_examples() {
    for (method, path, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.as_str() < "400" {
                continue;
            }
            if response["content"]["text/html"].is_object() {
                continue; // A page for people.
            }
            let examples = response["content"]["application/json"]["examples"].as_object();
            let examples = examples.unwrap_or_else(|| panic!("{method} {path} {status} has no example"));
            for (name, example) in examples {
                let code = example["value"]["code"].as_str().unwrap();
                assert!(code.ends_with(name), "{method} {path} {status}: {code} under the name {name}");
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn look(document: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let target = document.pointer(reference.trim_start_matches('#'));
                    assert!(target.is_some(), "{reference} leads nowhere");
                }
                members.values().for_each(|value| look(document, value));
            }
            Value::Array(items) => items.iter().for_each(|value| look(document, value)),
            _ => {}
        }
    }
    let document = document();
    look(&document, &document);
}
