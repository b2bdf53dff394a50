//! Refreshing.

use std::collections::BTreeSet;

use countersign::storage::{sessions, users};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{EVERYTHING, Flow, claims, text};
use crate::harness::{Answer, TestApp};

const REFUSED: &str = "403 oidc.invalid_grant";
const DAY: u64 = 24 * 3600;

fn next(answer: &Answer) -> String {
    text(&answer.json(), "refresh_token")
}

/// A public application, a user in it, and their first tokens.
async fn start(app: &TestApp) -> (Flow<'_>, Value, String) {
    let flow = Flow::new(app, "SPA").await;
    let tokens = flow.sign_in(EVERYTHING).await;
    let token = text(&tokens, "refresh_token");
    (flow, tokens, token)
}

#[tokio::test]
async fn each_refresh_gives_the_next_token_of_the_same_sign_in() {
    let app = TestApp::start().await;
    let (flow, first, token) = start(&app).await;
    app.advance(1800);
    let answer = flow.refresh(&token).await.expect("200");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let second = answer.json();
    assert_ne!(text(&second, "refresh_token"), token);
    assert_eq!(second["scope"], EVERYTHING);
    let [old, new] = [&first, &second].map(|tokens| claims(&text(tokens, "id_token")));
    // When and how the user signed in is not renewed (P13), nor is the nonce repeated.
    for same in ["iss", "sub", "aud", "sid", "auth_time", "acr", "amr"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_eq!((new.get("nonce"), &new["iat"]), (None, &json!(app.now().seconds())));
    let access = claims(&text(&second, "access_token"));
    assert_eq!((&access["auth_time"], &access["amr"], &access["sid"]), (&old["auth_time"], &old["amr"], &old["sid"]));
    assert!(flow.opens(&second).await);
    let third = flow.refresh(&text(&second, "refresh_token")).await.expect("200");
    assert_ne!(next(&third), text(&second, "refresh_token"));
    assert_eq!(flow.events("tokens.issued").await, 3);
}

#[tokio::test]
async fn a_client_whose_answer_was_lost_asks_again_and_gets_the_same_successor() {
    let app = TestApp::start().await;
    let (flow, _, token) = start(&app).await;
    let answer = flow.refresh(&token).await.expect("200");
    app.advance(30);
    let again = flow.refresh(&token).await.expect("200");
    assert_eq!(next(&again), next(&answer));
    assert!(flow.opens(&again.json()).await);
    flow.refresh(&next(&again)).await.expect("200");
    assert_eq!(app.number("select count(*) from refresh_tokens").await, 3, "there is one branch");
}

#[tokio::test]
async fn a_used_token_past_the_grace_ends_the_session() {
    let app = TestApp::start().await;
    let (flow, _, token) = start(&app).await;
    let answer = flow.refresh(&token).await.expect("200");
    app.advance(31);
    assert!(flow.opens(&answer.json()).await);
    let refused = flow.refresh(&token).await.expect(REFUSED);
    assert_eq!(refused.json()["error_description"], "Unknown or invalid refresh token.");
    assert!(!flow.opens(&answer.json()).await, "the thief's and the owner's tokens are the same to us");
    flow.refresh(&next(&answer)).await.expect(REFUSED);
    assert_eq!(flow.events("tokens.reused").await, 1);
}

#[tokio::test]
async fn a_used_token_whose_successor_was_used_ends_the_session_at_once() {
    let app = TestApp::start().await;
    let (flow, _, token) = start(&app).await;
    let second = flow.refresh(&token).await.expect("200");
    let third = flow.refresh(&next(&second)).await.expect("200");
    flow.refresh(&token).await.expect(REFUSED);
    assert!(!flow.opens(&third.json()).await);
    flow.refresh(&next(&third)).await.expect(REFUSED);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_refreshes_of_one_token_over_two_nodes_all_get_one_successor() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let (flow, _, mut token) = start(&app).await;
    let there = flow.on(&second);
    for round in 2..5 {
        let tries = (0..20).map(|number| (if number % 2 == 0 { &flow } else { &there }).refresh(&token));
        let answers = join_all(tries).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let successors: BTreeSet<String> = answers.iter().map(next).collect();
        assert_eq!(successors.len(), 1);
        assert_eq!(app.number("select count(*) from refresh_tokens").await, round, "a second branch");
        assert_eq!(app.number("select count(*) from refresh_tokens where used_at is null").await, 1);
        token = successors.into_iter().next().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_beside_a_suspension_leaves_nothing_that_works() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    for _ in 0..5 {
        let (flow, _, token) = start(&app).await;
        let path = format!("/api/users/{}/is-suspended", flow.user);
        let suspend = manager.call(reqwest::Method::PATCH, &path, Some(json!({ "isSuspended": true })));
        let (suspended, refreshed) = tokio::join!(suspend, flow.refresh(&token));
        suspended.expect("200");
        if refreshed.status == 200 {
            assert!(!flow.opens(&refreshed.json()).await);
            flow.refresh(&next(&refreshed)).await.expect(REFUSED);
        } else {
            refreshed.expect(REFUSED);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_beside_the_deletion_of_their_user_are_answered_one_way_or_the_other() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    for _ in 0..10 {
        let (flow, _, token) = start(&app).await;
        let path = format!("/api/users/{}", flow.user);
        let refreshing = join_all((0..4).map(|_| flow.refresh(&token)));
        let (deleted, answers) = tokio::join!(manager.delete(&path), refreshing);
        deleted.expect("204");
        let odd = answers.iter().find(|answer| answer.status != 200 && answer.gist() != REFUSED);
        assert!(odd.is_none(), "{odd:?}");
        assert_eq!(app.number("select count(*) from refresh_tokens").await, 0);
    }
}

#[tokio::test]
async fn scopes_are_narrowed_for_one_answer_and_never_widened() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let token = text(&flow.sign_in("openid offline_access email").await, "refresh_token");
    // One library sends an empty scope, which is as good as none.
    let whole = flow.refresh_with(&token, &[("scope", "")]).await.expect("200");
    assert_eq!(whole.json()["scope"], "openid offline_access email");
    let less = flow.refresh_with(&next(&whole), &[("scope", "openid")]).await.expect("200");
    assert_eq!(less.json()["scope"], "openid");
    assert_eq!(claims(&text(&less.json(), "access_token"))["scope"], "openid");
    assert_eq!(claims(&text(&less.json(), "id_token")).get("email"), None);
    // RFC 6749 6: the token itself keeps the scope it was given. One that was not granted is refused, and spends nothing.
    let token = next(&less);
    flow.refresh_with(&token, &[("scope", "openid profile")]).await.expect("400 oidc.invalid_scope");
    let whole = flow.refresh_with(&token, &[("scope", "openid email read:things")]).await.expect("200");
    assert_eq!(whole.json()["scope"], "openid email");
    let none = flow.refresh_with(&next(&whole), &[("scope", "read:things")]).await.expect("200").json();
    assert_eq!((&none["scope"], none.get("id_token")), (&json!(""), None));
}

#[tokio::test]
async fn access_tokens_are_for_the_audience_the_user_signed_in_for() {
    let app = TestApp::start_with(|config| {
        config.sign_in.audiences = vec!["https://one.example".into(), "https://two.example".into()];
    })
    .await;
    let flow = Flow::new(&app, "SPA").await;
    let own = app.app().urls.account_audience.clone();
    let code =
        flow.arrive_with(EVERYTHING, None, |code| code.audience = Some("https://one.example".to_owned())).await.code;
    let first = flow.redeem(&code).await.expect("200").json();
    let aud = |tokens: &Value| claims(&text(tokens, "access_token"))["aud"].clone();
    assert_eq!(aud(&first), json!(["https://one.example", own]));
    let second = flow.refresh(&text(&first, "refresh_token")).await.expect("200").json();
    assert_eq!(aud(&second), json!(["https://one.example", own]));
    let token = text(&second, "refresh_token");
    flow.refresh_with(&token, &[("audience", "https://two.example")]).await.expect("400 oidc.invalid_target");
    let third = flow.refresh_with(&token, &[("resource", &own)]).await.expect("200").json();
    assert_eq!(aud(&third), json!(own));
    let token = text(&third, "refresh_token");
    let fourth = flow.refresh_with(&token, &[("audience", "https://one.example")]).await.expect("200").json();
    assert_eq!(aud(&fourth), json!(["https://one.example", own]));
}

#[tokio::test]
async fn a_token_that_is_of_no_use_is_answered_as_an_unknown_one() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let mut tokens = vec!["unknown".to_owned(), String::new()];
    tokens.push(text(&flow.elsewhere("SPA").await.sign_in(EVERYTHING).await, "refresh_token"));
    tokens.push(text(&flow.elsewhere("Traditional").await.sign_in(EVERYTHING).await, "refresh_token"));
    let of = async |change: u8| {
        let user = Flow { user: app.user().await.id, ..flow.clone() };
        let token = text(&user.sign_in(EVERYTHING).await, "refresh_token");
        let mut session = app.write().await;
        match change {
            0 => users::set_suspended(&mut session, &user.user, true, app.now()).await.map(drop).unwrap(),
            1 => users::delete(&mut session, &user.user).await.map(drop).unwrap(),
            _ => sessions::end_all(&mut session, &user.user, None, app.now()).await.map(drop).unwrap(),
        }
        session.commit().await.unwrap();
        token
    };
    for change in 0..3 {
        tokens.push(of(change).await);
    }
    let (good, late) = (flow.sign_in(EVERYTHING).await, flow.sign_in(EVERYTHING).await);
    let mut texts = BTreeSet::new();
    for token in &tokens {
        texts.insert(flow.refresh(token).await.expect(REFUSED).text);
    }
    flow.refresh(&text(&good, "refresh_token")).await.expect("200");
    app.advance(30 * DAY);
    texts.insert(flow.refresh(&text(&late, "refresh_token")).await.expect(REFUSED).text);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts.first().unwrap().contains("Unknown or invalid refresh token."));
    flow.token(&[("grant_type", "refresh_token")]).await.expect("400 oidc.invalid_request");
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_refreshed() {
    let app = TestApp::start().await;
    let (flow, tokens, mut token) = start(&app).await;
    let sid = claims(&text(&tokens, "access_token"))["sid"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        app.advance(29 * DAY);
        token = next(&flow.refresh(&token).await.expect("200"));
        let mut session = app.write().await;
        let id = countersign::domain::id::SessionId(sid.clone());
        let stored = sessions::find(&mut session, &id, app.now()).await.unwrap().expect("it lives");
        assert_eq!(stored.last_used_at, Some(app.now()));
        assert_eq!(stored.expires_at.unwrap().since(app.now()).as_secs(), 30 * DAY);
    }
    app.advance(30 * DAY);
    flow.refresh(&token).await.expect(REFUSED);
}

#[tokio::test]
async fn however_often_it_is_refreshed_a_session_ends() {
    let change = |config: &mut countersign::config::Config| config.sign_in.refresh_longest_days = 70;
    let app = TestApp::start_with(change).await;
    let (flow, _, mut token) = start(&app).await;
    for _ in 0..3 {
        app.advance(23 * DAY);
        token = next(&flow.refresh(&token).await.expect("200"));
    }
    app.advance(DAY - 1);
    token = next(&flow.refresh(&token).await.expect("200"));
    app.advance(1);
    flow.refresh(&token).await.expect(REFUSED);
}

#[tokio::test]
async fn a_token_bound_to_a_key_needs_a_proof_by_it() {
    let app = TestApp::start().await;
    let (flow, _, token) = start(&app).await;
    let mut session = app.write().await;
    session.execute("update refresh_tokens set dpop_jkt = 'thumbprint'", ()).await.unwrap();
    session.commit().await.unwrap();
    flow.refresh(&token).await.expect("400 oidc.invalid_dpop_proof");
    assert_eq!(app.number("select count(*) from refresh_tokens where used_at is null").await, 1, "it is not spent");
}
