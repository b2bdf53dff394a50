//! Who the caller is (contract 2.1, D3).

use countersign::domain::id::UserId;
use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Answer, TestApp};

#[tokio::test]
async fn tokens_are_judged_before_anything_else() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let url = app.url("/api/my-account");
    let with = |value: &str| app.http.get(&url).header("authorization", value);
    let missing = Answer::of(app.http.get(&url)).await.expect("401 auth.authorization_header_missing");
    assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"countersign\""));
    let answer = Answer::of(with("Basic abc")).await.expect("401 auth.authorization_token_type_not_supported");
    assert_eq!(answer.json()["data"], json!({ "supportedTypes": ["Bearer"] }));
    Answer::of(with("bearer x")).await.expect("401 auth.authorization_token_type_not_supported");
    for token in ["", "x", "a.b.c", &user.token[..user.token.len() - 3]] {
        let answer = Answer::of(with(&format!("Bearer {token}"))).await.expect("401 auth.unauthorized");
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
    let narrow = user.with_token(user.new_token(&app.application, &["profile"]).await);
    narrow.get("/api/my-account").await.expect("403 auth.forbidden");
    // Before the body is looked at.
    let answer = app.http.post(app.url("/api/verifications/password/verify")).body("{");
    Answer::of(answer).await.expect("401 auth.authorization_header_missing");
}

#[tokio::test]
async fn suspension_deletion_and_sign_out_count_from_the_next_request() {
    let app = TestApp::start().await;
    for sql in [
        "update users set is_suspended = true where id = $1",
        "delete from users where id = $1",
        "update sessions set ended_at = 1 where user_id = $1",
    ] {
        let user = app.user().await;
        user.get("/api/my-account").await.expect("200");
        let mut session = app.write().await;
        session.execute(sql, (&user.id,)).await.unwrap();
        session.commit().await.unwrap();
        user.get("/api/my-account").await.expect("401 auth.unauthorized");
    }
}

/// Callers that arrive together are read together.
#[tokio::test]
async fn in_a_crowd_everyone_is_who_they_are() {
    let app = TestApp::start().await;
    let mut users = Vec::new();
    for _ in 0..12 {
        users.push(app.user().await);
    }
    let (ended, deleted) = (&users[3], &users[7]);
    let mut session = app.write().await;
    session.execute("update sessions set ended_at = 1 where user_id = $1", (&ended.id,)).await.unwrap();
    session.execute("delete from users where id = $1", (&deleted.id,)).await.unwrap();
    session.commit().await.unwrap();
    let crowd = (0..120).map(|number| &users[number % users.len()]);
    let answers =
        futures_util::future::join_all(crowd.map(async |user| (user, user.get("/api/my-account").await))).await;
    for (user, answer) in answers {
        if user.id == ended.id || user.id == deleted.id {
            answer.expect("401 auth.unauthorized");
        } else {
            assert_eq!(answer.expect("200").json()["id"], json!(user.id));
        }
    }
}

#[tokio::test]
async fn callers_are_found_in_the_order_they_were_asked_for() {
    use countersign::{
        domain::id::SessionId,
        storage::{
            sessions,
            users::{Asked, TOGETHER, find_callers, set_suspended},
        },
    };
    let app = TestApp::start().await;
    let (one, other, suspended, ended) = (app.user().await, app.user().await, app.user().await, app.user().await);
    let mut session = app.write().await;
    set_suspended(&mut session, &suspended.id, true, app.now()).await.unwrap();
    sessions::end_all(&mut session, &ended.id, None, app.now()).await.unwrap();
    let mut asked = Vec::new();
    for user in [&other, &suspended, &one, &ended] {
        let sql = "select id from sessions where user_id = $1";
        let (sid,): (String,) = session.fetch_one(sql, (&user.id,)).await.unwrap();
        let (user, application) = (user.id.clone(), app.application.clone());
        asked.push(Asked { user, session: Some(SessionId(sid)), application });
    }
    session.commit().await.unwrap();
    // Nobody, a session of another, and none.
    asked.push(Asked { user: UserId("nobody".to_owned()), ..asked[0].clone() });
    asked.push(Asked { session: asked[0].session.clone(), ..asked[2].clone() });
    asked.push(Asked { session: None, ..asked[0].clone() });
    let is_found = |place: usize| place == 0 || place == 2 || place > 6;
    for length in [7, TOGETHER] {
        asked.resize(length, asked[0].clone());
        let mut session = app.app().db.read().await.unwrap();
        let rows = find_callers(&mut session, &asked).await.unwrap();
        let alone = find_callers(&mut session, &asked[..1]).await.unwrap();
        assert_eq!(alone[0].as_ref().map(|row| &row.user.id), Some(&other.id));
        for place in 1..7 {
            let alone = find_callers(&mut session, &asked[place..=place]).await.unwrap();
            assert_eq!(alone[0].is_some(), is_found(place), "{place}");
        }
        for (place, row) in rows.iter().enumerate() {
            let expected = Some(&asked[place].user).filter(|_| is_found(place));
            assert_eq!(row.as_ref().map(|row| &row.user.id), expected, "{place}");
        }
        assert!(rows.iter().flatten().all(|row| row.is_third_party == Some(false)));
    }
}

#[tokio::test]
async fn a_token_expires_after_an_hour() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.advance(3599);
    user.get("/api/my-account").await.expect("200");
    app.advance(10);
    user.get("/api/my-account").await.expect("401 auth.unauthorized");
}

#[tokio::test]
async fn a_management_token_is_no_users_token_and_the_other_way_round() {
    let app = TestApp::start().await;
    let (user, manager) = (app.user().await, app.manager().await);
    manager.get("/api/my-account").await.expect("401 auth.unauthorized");
    let answer = Answer::of(app.http.get(app.url("/api/my-account")).bearer_auth(&manager.token)).await;
    answer.expect("401 auth.unauthorized");
    user.get("/api/my-account").await.expect("200");
}

#[tokio::test]
async fn the_switched_off_account_centre_answers_after_the_token_and_before_the_body() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.change_settings(|settings| settings.account_center.enabled = false).await;
    for path in ["/api/verifications/password", "/api/my-account/password"] {
        user.post(path, json!([])).await.expect("400 account_center.not_enabled");
    }
    let answer = Answer::of(app.http.get(app.url("/api/my-account"))).await;
    answer.expect("401 auth.authorization_header_missing");
}

#[tokio::test]
async fn clients_must_show_their_secret_at_the_token_endpoint() {
    let app = TestApp::start().await;
    let url = app.url("/oidc/token");
    let form = [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api")];
    let id = app.application.as_str();
    let wrong = app.http.post(&url).form(&form).basic_auth(id, Some("wrong"));
    let answer = Answer::of(wrong).await.expect("401 oidc.invalid_client");
    assert_eq!(answer.json()["error"], "invalid_client");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    for odd in ["%00", "\0", "a%00b"] {
        let answer = Answer::of(app.http.post(&url).form(&form).basic_auth(odd, Some("wrong"))).await;
        answer.expect("401 oidc.invalid_client");
    }
    let in_body = [form[0], form[1], ("client_id", id), ("client_secret", "wrong")];
    let answer = Answer::of(app.http.post(&url).form(&in_body)).await.expect("401 oidc.invalid_client");
    assert_eq!(answer.header("www-authenticate"), None);
    let none = [form[0], form[1], ("client_id", id)];
    Answer::of(app.http.post(&url).form(&none)).await.expect("401 oidc.invalid_client");
    let json = json!({ "grant_type": "client_credentials", "audience": format!("{}/api", app.running.url()),
        "client_id": id, "client_secret": app.management_secret });
    let answer = Answer::of(app.http.post(app.url("/oauth/token")).json(&json)).await.expect("200");
    assert_eq!(answer.json()["scope"], "all");
    let target = [form[0], ("resource", "https://elsewhere.example"), ("client_id", id)];
    let request = app.http.post(&url).form(&target).basic_auth(id, Some(&app.management_secret));
    Answer::of(request).await.expect("400 oidc.invalid_target");
}

#[tokio::test]
async fn discovery_names_issuers_and_keys() {
    let app = TestApp::start().await;
    for (path, issuer) in [
        ("/.well-known/openid-configuration", app.url("/")),
        ("/oidc/.well-known/openid-configuration", app.url("/oidc")),
    ] {
        let document = Answer::of(app.http.get(app.url(path))).await.expect("200").json();
        assert_eq!(document["issuer"], issuer);
        let keys = Answer::of(app.http.get(document["jwks_uri"].as_str().unwrap())).await.json();
        let keys = keys["keys"].as_array().unwrap();
        let algorithms: BTreeSet<_> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
        assert_eq!(algorithms, ["ES256", "RS256"].into(), "of access tokens and of ID tokens");
        assert!(keys.iter().all(|key| key.get("d").is_none()));
    }
}
