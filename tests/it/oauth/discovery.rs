//! What issuers say of themselves, and who may read it.

use countersign::crypto::jws;
use jsonwebtoken::{Algorithm, DecodingKey, jwk::Jwk};
use serde_json::{Value, json};

use super::{Flow, part, text};
use crate::harness::{Answer, TestApp};

const DOCUMENTS: [&str; 2] = ["/.well-known/openid-configuration", "/oidc/.well-known/openid-configuration"];

#[tokio::test]
async fn every_endpoint_an_issuer_names_is_there() {
    let app = TestApp::start().await;
    for path in DOCUMENTS {
        let answer = Answer::of(app.http.get(app.url(path))).await.expect("200");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        let document = answer.json();
        let endpoints =
            ["authorization", "token", "userinfo", "revocation", "end_session"].map(|name| format!("{name}_endpoint"));
        for name in endpoints.iter().map(String::as_str).chain(["jwks_uri"]) {
            let answer = Answer::of(app.http.request(reqwest::Method::OPTIONS, text(&document, name))).await;
            assert_eq!(answer.status, 200, "{name}");
        }
        for (name, expected) in [
            ("response_types_supported", json!(["code"])),
            ("code_challenge_methods_supported", json!(["S256"])),
            ("id_token_signing_alg_values_supported", json!(["RS256"])),
            ("authorization_response_iss_parameter_supported", json!(true)),
            ("request_uri_parameter_supported", json!(false)),
            ("ui_locales_supported", json!(["en", "ja"])),
            ("acr_values_supported", json!(["urn:countersign:acr:1fa", "urn:countersign:acr:2fa"])),
        ] {
            assert_eq!(document[name], expected, "{name}");
        }
    }
}

#[tokio::test]
async fn an_id_token_holds_against_the_published_keys_and_has_only_published_claims() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    for (path, token_path) in DOCUMENTS.into_iter().zip(["/oauth/token", "/oidc/token"]) {
        let document = Answer::of(app.http.get(app.url(path))).await.json();
        assert_eq!(document["token_endpoint"], app.url(token_path));
        let tokens =
            Flow { token_path, ..flow.clone() }.sign_in("openid profile email phone address custom_data").await;
        let id_token = text(&tokens, "id_token");
        let answer = Answer::of(app.http.get(text(&document, "jwks_uri"))).await.expect("200");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        let keys = answer.json();
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == part(&id_token, 0)["kid"]).unwrap();
        assert_eq!((&key["alg"], &key["use"]), (&json!("RS256"), &json!("sig")));
        let key: Jwk = serde_json::from_value(key.clone()).unwrap();
        let claims: Value = jws::verify(&id_token, &DecodingKey::from_jwk(&key).unwrap(), Algorithm::RS256).unwrap();
        assert_eq!(claims["iss"], document["issuer"]);
        let published = document["claims_supported"].as_array().unwrap();
        for name in claims.as_object().unwrap().keys() {
            assert!(published.contains(&json!(name)), "{name} is not published");
        }
    }
}

#[tokio::test]
async fn pages_of_any_origin_may_ask_for_tokens_and_read_what_is_told_in_headers() {
    let app = TestApp::start().await;
    let origin = "https://app.example.com";
    for path in [
        "/oauth/token",
        "/oidc/token",
        "/oauth/revoke",
        "/userinfo",
        "/oidc/me",
        DOCUMENTS[0],
        "/.well-known/jwks.json",
    ] {
        let preflight = app.http.request(reqwest::Method::OPTIONS, app.url(path)).header("origin", origin);
        let wanted = "auth0-client,authorization,content-type,dpop,x-request-language";
        let preflight =
            preflight.header("access-control-request-method", "POST").header("access-control-request-headers", wanted);
        let answer = Answer::of(preflight).await.expect("204");
        assert_eq!(answer.header("access-control-allow-headers"), Some(wanted));
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let answer = Answer::of(app.http.post(app.url(path)).header("origin", origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{path}");
        // All of them, as no credentials of the browser's are sent.
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.starts_with("*, DPoP-Nonce, WWW-Authenticate"), "{exposed}");
    }
    let page = Answer::of(app.http.get(app.url("/oidc/logout")).header("origin", origin)).await.expect("200");
    assert_eq!(page.header("access-control-allow-origin"), None, "not for scripts");
}
