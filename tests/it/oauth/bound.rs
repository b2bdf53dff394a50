//! Tokens of people bound to a key, from the code to the last refresh (RFC 9449 5, 7, 10).

use serde_json::{Value, json};

use super::{CALLBACK, EVERYTHING, Flow, VERIFIER, claims, text};
use crate::harness::{Answer, Bound, ClientKey, TestApp};

/// A form to the token endpoint with a proof by that key; the nonce is there.
async fn ask(flow: &Flow<'_>, key: &ClientKey, form: &[(&str, &str)]) -> Answer {
    let nonce = flow.app.app().dpop_nonces.current(flow.app.now());
    let mut form = form.to_vec();
    form.push(("client_id", flow.client.as_str()));
    if flow.is_confidential {
        form.push(("client_secret", super::SECRET));
    }
    let proof = key.proof(flow.app, "POST", flow.token_path, &json!({ "nonce": nonce }));
    Answer::of(flow.app.http.post(flow.app.url(flow.token_path)).form(&form).header("dpop", proof)).await
}

async fn redeem(flow: &Flow<'_>, key: &ClientKey, code: &str) -> Answer {
    let grant = ("grant_type", "authorization_code");
    ask(flow, key, &[grant, ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]).await
}

async fn refresh(flow: &Flow<'_>, key: &ClientKey, token: &str) -> Answer {
    ask(flow, key, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

const REFUSED: &str = "400 oidc.invalid_dpop_proof";

#[tokio::test]
async fn a_code_and_refresh_tokens_of_a_public_client_serve_the_holder_of_the_key_only() {
    let app = TestApp::start().await;
    for token_path in ["/oauth/token", "/oidc/token"] {
        let flow = Flow { token_path, ..Flow::new(&app, "SPA").await };
        let (key, other) = (ClientKey::new(), ClientKey::new());
        let code = flow.arrive_with(EVERYTHING, None, |code| code.dpop_jkt = Some(key.jkt().to_owned())).await.code;
        flow.redeem(&code).await.expect(REFUSED);
        redeem(&flow, &other, &code).await.expect(REFUSED);
        let tokens = redeem(&flow, &key, &code).await.expect("200").json();
        assert_eq!(tokens["token_type"], "DPoP");
        assert_eq!(claims(&text(&tokens, "access_token"))["cnf"], json!({ "jkt": key.jkt() }));
        assert_eq!(claims(&text(&tokens, "id_token"))["cnf"], Value::Null);

        let token = text(&tokens, "refresh_token");
        flow.refresh(&token).await.expect(REFUSED);
        refresh(&flow, &other, &token).await.expect(REFUSED);
        let tokens = refresh(&flow, &key, &token).await.expect("200").json();
        let token = text(&tokens, "refresh_token");
        refresh(&flow, &other, &token).await.expect(REFUSED);
        let tokens = refresh(&flow, &key, &token).await.expect("200").json();
        assert_eq!(
            (&tokens["token_type"], &claims(&text(&tokens, "access_token"))["cnf"]["jkt"]),
            (&json!("DPoP"), &json!(key.jkt()))
        );
    }
}

#[tokio::test]
async fn refresh_tokens_of_a_client_with_a_secret_are_bound_to_the_client() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "Traditional").await;
    let code = flow.arrive(EVERYTHING).await.code;
    let (one, other) = (ClientKey::new(), ClientKey::new());
    let tokens = redeem(&flow, &one, &code).await.expect("200").json();
    let tokens = refresh(&flow, &other, &text(&tokens, "refresh_token")).await.expect("200").json();
    assert_eq!(claims(&text(&tokens, "access_token"))["cnf"], json!({ "jkt": other.jkt() }));
    let tokens = flow.refresh(&text(&tokens, "refresh_token")).await.expect("200").json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert!(flow.opens(&tokens).await);
}

#[tokio::test]
async fn userinfo_takes_a_bound_token_with_its_proof_only() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let key = ClientKey::new();
    let code = flow.arrive("openid email").await.code;
    let tokens = redeem(&flow, &key, &code).await.expect("200").json();
    let caller = Bound { app: &app, key, token: text(&tokens, "access_token") };
    for path in ["/userinfo", "/oidc/me"] {
        let bearer = app.http.get(app.url(path)).bearer_auth(&caller.token);
        Answer::of(bearer).await.expect("401 auth.unauthorized");
        Answer::of(caller.bare("GET", path)).await.expect("401 auth.invalid_dpop_proof");
        for method in ["GET", "POST"] {
            let refused = Answer::of(caller.request(method, path)).await.expect("401 auth.use_dpop_nonce");
            assert!(refused.header("www-authenticate").unwrap().starts_with("DPoP "));
            let proof = caller.proof(method, path, &json!({ "nonce": refused.header("dpop-nonce").unwrap() }));
            let answer = Answer::of(caller.bare(method, path).header("dpop", proof)).await.expect("200");
            assert_eq!(answer.json()["sub"], format!("email|{}", flow.user));
            assert!(answer.header("dpop-nonce").is_some());
        }
    }
    // Giving it up takes no proof: who has a stolen token may well do its owner that favour.
    flow.post("/oauth/revoke", &[("token", &caller.token)]).await.expect("200");
    let nonce = app.app().dpop_nonces.current(app.now());
    let proof = caller.proof("GET", "/userinfo", &json!({ "nonce": nonce }));
    Answer::of(caller.bare("GET", "/userinfo").header("dpop", proof)).await.expect("401 auth.unauthorized");
}
