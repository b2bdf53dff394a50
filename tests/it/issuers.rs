//! Tokens of other issuers: here, of another Countersign, found by its discovery document.

use countersign::config::trusted_issuers::TrustedIssuer;
use serde_json::json;

use crate::harness::{TestApp, User};

/// A service that trusts `issuer`, and grants its tokens `scopes`.
async fn trusting(issuer: &TestApp, audience: &str, scopes: &[&str]) -> TestApp {
    let entry = json!({ "issuer": issuer.url("/oidc"), "audience": audience, "scopes": scopes });
    let entry: TrustedIssuer = serde_json::from_value(entry).unwrap();
    TestApp::start_with(|config| config.trusted_issuers.push(entry)).await
}

async fn link(user: &User<'_>, external_id: &str) {
    let mut session = user.app.write().await;
    let now = user.app.now();
    countersign::storage::users::set_external_id(&mut session, &user.id, Some(external_id), now).await.unwrap();
    session.commit().await.unwrap();
}

#[tokio::test]
async fn a_trusted_issuers_user_verifies_and_changes_the_account() {
    let elsewhere = TestApp::start().await;
    let there = elsewhere.user().await;
    let audience = elsewhere.url("/api/my-account");
    let app = trusting(&elsewhere, &audience, &["openid", "profile"]).await;
    let here = app.user().await;
    let foreign = here.with_token(there.token.clone());
    foreign.get("/api/my-account").await.expect("401 auth.unauthorized");
    link(&here, there.id.as_str()).await;
    let seen = foreign.get("/api/my-account").await.expect("200").json();
    assert_eq!(seen["id"], here.id.as_str());
    // The token says `email`, too; the configuration decides.
    assert!(seen.get("primaryEmail").is_none());
    let record = foreign.verify_password().await;
    foreign.call("PATCH", "/api/my-account", &record, json!({ "username": "foreign" })).await.expect("200");
    let mut session = app.write().await;
    session.execute("update users set is_suspended = true where id = $1", (&here.id,)).await.unwrap();
    session.commit().await.unwrap();
    foreign.get("/api/my-account").await.expect("401 auth.unauthorized");
}

#[tokio::test]
async fn another_audience_and_an_unknown_issuer_are_refused() {
    let elsewhere = TestApp::start().await;
    let there = elsewhere.user().await;
    let app = trusting(&elsewhere, "somebody-else", &["openid"]).await;
    let here = app.user().await;
    link(&here, there.id.as_str()).await;
    let foreign = here.with_token(there.token.clone());
    foreign.get("/api/my-account").await.expect("401 auth.unauthorized");
    let stranger = TestApp::start().await;
    let token = stranger.user().await.token.clone();
    here.with_token(token).get("/api/my-account").await.expect("401 auth.unauthorized");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_a_503_and_never_a_pass() {
    let elsewhere = TestApp::start().await;
    let token = elsewhere.user().await.token.clone();
    let app = trusting(&elsewhere, &elsewhere.url("/api/my-account"), &["openid"]).await;
    elsewhere.running.stop().await;
    let here = app.user().await;
    let answer = here.with_token(token).get("/api/my-account").await;
    answer.expect("503 request.service_unavailable");
}
