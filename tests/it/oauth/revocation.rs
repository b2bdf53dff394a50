//! Giving tokens up.

use serde_json::{Value, json};

use super::{EVERYTHING, Flow, SECRET, text};
use crate::harness::{Answer, TestApp};

const PATHS: [&str; 2] = ["/oauth/revoke", "/oidc/token/revocation"];

#[tokio::test]
async fn giving_up_a_refresh_token_or_an_access_token_ends_the_session() {
    let app = TestApp::start().await;
    for kind in ["SPA", "Traditional"] {
        let flow = Flow::new(&app, kind).await;
        for path in PATHS {
            for member in ["refresh_token", "access_token"] {
                let (tokens, bystander) = (flow.sign_in(EVERYTHING).await, flow.sign_in(EVERYTHING).await);
                let token = text(&tokens, member);
                let answer = flow.post(path, &[("token", &token), ("token_type_hint", "nonsense")]).await.expect("200");
                assert_eq!((answer.text.as_str(), answer.header("cache-control")), ("", Some("no-store")));
                assert!(!flow.opens(&tokens).await);
                flow.refresh(&text(&tokens, "refresh_token")).await.expect("403 oidc.invalid_grant");
                assert!(flow.opens(&bystander).await);
                // A second time is no error.
                flow.post(path, &[("token", &token)]).await.expect("200");
            }
        }
    }
    assert_eq!(Flow::new(&app, "SPA").await.events("session.ended").await, 8);
}

#[tokio::test]
async fn a_token_that_was_followed_by_another_takes_that_one_along() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let first = flow.sign_in(EVERYTHING).await;
    let second = flow.refresh(&text(&first, "refresh_token")).await.expect("200").json();
    flow.post(PATHS[0], &[("token", &text(&first, "refresh_token"))]).await.expect("200");
    assert!(!flow.opens(&second).await);
}

#[tokio::test]
async fn unknown_and_foreign_tokens_are_answered_alike_and_nothing_happens() {
    let app = TestApp::start().await;
    let (flow, other) = (Flow::new(&app, "SPA").await, Flow::new(&app, "Traditional").await);
    let tokens = other.sign_in(EVERYTHING).await;
    let forged = format!("{}x", text(&tokens, "access_token"));
    for token in [&text(&tokens, "refresh_token"), &text(&tokens, "access_token"), &forged, "unknown", "a.b.c", ""] {
        let answer = flow.post(PATHS[0], &[("token", token)]).await.expect("200");
        assert_eq!(answer.text, "");
    }
    assert!(other.opens(&tokens).await);
    flow.post(PATHS[0], &[]).await.expect("400 oidc.invalid_request");
}

#[tokio::test]
async fn a_client_shows_who_it_is_in_json_or_by_basic() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "Traditional").await;
    let post = |body: Value| Answer::of(app.http.post(app.url(PATHS[0])).json(&body));
    let tokens = flow.sign_in(EVERYTHING).await;
    let token = text(&tokens, "refresh_token");
    post(json!({ "token": token, "client_id": flow.client })).await.expect("401 oidc.invalid_client");
    post(json!({ "token": token, "client_id": flow.client, "client_secret": "x" }))
        .await
        .expect("401 oidc.invalid_client");
    post(json!({ "token": token })).await.expect("401 oidc.invalid_client");
    assert!(flow.opens(&tokens).await);
    post(json!({ "token": token, "client_id": flow.client, "client_secret": SECRET })).await.expect("200");
    assert!(!flow.opens(&tokens).await);
    let tokens = flow.sign_in(EVERYTHING).await;
    let form = [("token", text(&tokens, "refresh_token"))];
    Answer::of(app.http.post(app.url(PATHS[1])).form(&form).basic_auth(&flow.client, Some(SECRET))).await.expect("200");
    assert!(!flow.opens(&tokens).await);
}

#[tokio::test]
async fn an_applications_own_token_cannot_be_given_up_and_it_is_told_so() {
    let app = TestApp::start().await;
    let token = app.manager().await.token;
    let form = [("token", token.as_str())];
    let request = app.http.post(app.url(PATHS[0])).form(&form);
    let answer = Answer::of(request.basic_auth(&app.application, Some(&app.management_secret))).await;
    answer.expect("400 oidc.unsupported_token_type");
}
