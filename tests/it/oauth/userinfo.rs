//! What applications may know of their users.

use serde_json::{Value, json};

use super::{Flow, text};
use crate::harness::{Answer, TestApp};

const PATHS: [&str; 2] = ["/userinfo", "/oidc/me"];

#[tokio::test]
async fn an_application_knows_what_its_scopes_say_and_the_subject_of_its_token() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let flow = Flow { user: user.id.clone(), ..Flow::new(&app, "SPA").await };
    let names = |claims: &Value| claims.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    for (scope, expected) in [
        ("openid", "sub"),
        ("openid email", "email email_verified sub"),
        ("openid phone", "phone_number phone_number_verified phone_verified sub"),
        ("openid profile", "name sub updated_at username"),
    ] {
        let tokens = flow.sign_in(scope).await;
        for path in PATHS {
            let answer = flow.get(path, &text(&tokens, "access_token")).await.expect("200");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let mut found: Vec<_> = names(&answer.json()).split(' ').map(str::to_owned).collect();
            found.sort();
            assert_eq!(found.join(" "), expected);
            assert_eq!(answer.json()["sub"], format!("email|{}", user.id));
            let post = app.http.post(app.url(path)).bearer_auth(text(&tokens, "access_token"));
            assert_eq!(Answer::of(post).await.expect("200").json(), answer.json());
        }
    }
    let tokens = Flow { token_path: "/oidc/token", ..flow.clone() }.sign_in("openid email").await;
    let told = flow.get("/oidc/me", &text(&tokens, "access_token")).await.expect("200").json();
    assert_eq!(told, json!({ "sub": user.id, "email": user.email, "email_verified": true }));
}

#[tokio::test]
async fn without_a_living_token_with_openid_there_is_a_challenge_and_nothing_else() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let (without, ended) = (flow.sign_in("profile").await, flow.sign_in("openid offline_access").await);
    flow.post("/oauth/revoke", &[("token", &text(&ended, "refresh_token"))]).await.expect("200");
    let challenge = |answer: &Answer| answer.header("www-authenticate").unwrap().to_owned();
    for path in PATHS {
        let none = Answer::of(app.http.get(app.url(path))).await.expect("401 auth.authorization_header_missing");
        assert_eq!(challenge(&none), r#"Bearer realm="countersign""#);
        let answer = flow.get(path, &text(&without, "access_token")).await.expect("401 auth.unauthorized");
        assert!(challenge(&answer).contains(r#"error="insufficient_scope", scope="openid""#));
        for token in [&text(&ended, "access_token"), "nonsense", &app.manager().await.token] {
            let answer = flow.get(path, token).await.expect("401 auth.unauthorized");
            assert!(challenge(&answer).contains(r#"error="invalid_token""#));
        }
        // Not in the address, where logs would keep it (RFC 6750 2.3).
        let in_query = format!("{path}?access_token={}", text(&flow.sign_in("openid").await, "access_token"));
        Answer::of(app.http.get(app.url(&in_query))).await.expect("401 auth.authorization_header_missing");
    }
}

#[tokio::test]
async fn the_account_centre_may_be_off() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let tokens = flow.sign_in("openid").await;
    app.change_settings(|settings| settings.account_center.enabled = false).await;
    flow.get("/api/my-account", &text(&tokens, "access_token")).await.expect("400 account_center.not_enabled");
    flow.get("/userinfo", &text(&tokens, "access_token")).await.expect("200");
}
