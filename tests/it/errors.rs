//! Errors look the same everywhere (contract 0.1, 0.2, 0.6; D16 to D18).

use countersign::domain::refusal::Code;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, TestApp};

#[tokio::test]
async fn unknown_paths_and_methods_are_json_and_never_reach_authentication() {
    let app = TestApp::start().await;
    let ask =
        async |method: &str, path: &str| Answer::of(app.http.request(method.parse().unwrap(), app.url(path))).await;
    for path in ["/", "/nothing", "/api", "/api/nothing", "/api/my-account/nothing", "/api/verifications/a/b"] {
        ask("GET", path).await.expect("404 request.not_found");
    }
    let answer = ask("PUT", "/api/my-account").await.expect("405 request.method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, PATCH, HEAD, OPTIONS"));
    ask("PROPFIND", "/api/my-account").await.expect("405 request.method_not_allowed");
    ask("GET", "/api/verifications").await.expect("405 request.method_not_allowed");
    let answer = ask("OPTIONS", "/api/my-account").await.expect("200");
    assert_eq!(answer.header("allow"), Some("GET, PATCH, HEAD, OPTIONS"));
}

#[tokio::test]
async fn paths_match_in_any_case_and_with_a_slash_at_the_end() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for path in ["/api/my-account/", "/API/My-Account", "/api/MY-ACCOUNT/?x=1"] {
        user.get(path).await.expect("200");
    }
    let head = Answer::of(user.request(Method::HEAD, "/api/my-account")).await.expect("200");
    assert!(head.text.is_empty() && head.header("content-length").unwrap() != "0");
}

#[tokio::test]
async fn bodies_are_refused_in_the_shape_of_the_contract() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let path = "/api/verifications/password";
    let send = async |kind: Option<&str>, body: &str| {
        let mut request = user.request(Method::POST, path).body(body.to_owned());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        Answer::of(request).await
    };
    let json = Some("application/json");
    for body in ["{", "1", "\"text\"", "null", "{\"password\":\"x\"} trailing", "{\"__proto__\":{}}", "\u{feff}{}"] {
        send(json, body).await.expect("400 request.malformed_json");
    }
    let answer = send(json, "{}").await.expect("400 guard.invalid_input").json();
    assert_eq!(
        answer["details"],
        "Error in key path \"password\": (invalid_type) Expected string but received undefined."
    );
    assert_eq!(answer["data"]["name"], "ZodError");
    let issue = &answer["data"]["issues"][0];
    assert_eq!((&issue["code"], &issue["path"]), (&json!("invalid_type"), &json!(["password"])));
    let answer = send(json, "{\"password\":5}").await.expect("400 guard.invalid_input").json();
    assert_eq!(
        answer["details"],
        "Error in key path \"password\": (invalid_type) Expected string but received number."
    );
    let answer = send(json, "{\"password\":\"\"}").await.expect("400 guard.invalid_input").json();
    assert_eq!(answer["data"]["issues"][0]["code"], "too_small");
    send(json, "[]").await.expect("400 guard.invalid_input");
    send(None, "{\"password\":\"x\"}").await.expect("400 guard.invalid_input");
    send(json, "").await.expect("400 guard.invalid_input");
    send(Some("text/plain"), "password=x").await.expect("415 request.unsupported_media_type");
    send(Some("application/x-www-form-urlencoded"), "password=x").await.expect("422 session.invalid_credentials");
    let form = format!("password={}&unknown=1", user.password);
    send(Some("application/x-www-form-urlencoded; charset=utf-8"), &form).await.expect("201");
    let large = json!({ "password": "x".repeat(70_000) }).to_string();
    send(json, &large).await.expect("413 request.body_too_large");
    let unknown = json!({ "password": user.password, "other": { "deep": [1] } }).to_string();
    send(json, &unknown).await.expect("201");
}

#[tokio::test]
async fn unions_of_identifiers_say_what_is_wrong() {
    let app = TestApp::start().await;
    let user = app.user().await;
    for identifier in [
        json!({ "type": "username", "value": "x" }),
        json!({ "type": "email", "value": "no" }),
        json!({ "type": "email", "value": "a@b.c\r\nBcc: x@y.z" }),
        json!({ "type": "phone", "value": "+15550001111" }),
        json!({ "type": "email" }),
        json!("text"),
    ] {
        let body = json!({ "identifier": identifier });
        let answer = user.post("/api/verifications/verification-code", body).await.expect("400 guard.invalid_input");
        let path = answer.json()["data"]["issues"][0]["path"].clone();
        assert_eq!(path[0], "identifier", "{}", answer.text);
    }
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let answer = user.get("/api/my-account").await.expect("200");
    assert_eq!(answer.header("logto-core-request-id").unwrap().len(), 16);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let exposed: Vec<_> = answer.header("access-control-expose-headers").unwrap().split(", ").collect();
    assert!(["*", "DPoP-Nonce", "WWW-Authenticate"].iter().all(|name| exposed.contains(name)), "{exposed:?}");
    let etag = answer.header("etag").unwrap().to_owned();
    let again = user.request(Method::GET, "/api/my-account").header("if-none-match", &etag);
    let again = Answer::of(again).await.expect("304");
    assert!(again.text.is_empty());
    let refused = app.http.get(app.url("/api/my-account")).header("origin", "https://front.example");
    let refused = Answer::of(refused).await.expect("401 auth.authorization_header_missing");
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://front.example"));
    let preflight = app
        .http
        .request(Method::OPTIONS, app.url("/api/my-account"))
        .header("origin", "https://front.example")
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "authorization,verification-id");
    let preflight = Answer::of(preflight).await.expect("204");
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,HEAD,PUT,POST,DELETE,PATCH"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("authorization,verification-id"));
}

#[test]
fn the_table_of_refusals_is_the_documented_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    let documented = std::fs::read_to_string(path).unwrap();
    for code in Code::ALL {
        let line = format!("| {} | `{}` | {} |", code.status(), code.code(), code.sentence());
        assert!(documented.contains(&line), "docs/errors.md lacks: {line}");
    }
    let lines = documented.lines().filter(|line| line.contains("| `")).count();
    assert_eq!(lines, Code::ALL.len(), "docs/errors.md has lines that are no refusals");
}
