//! Redeeming authorization codes.

use countersign::storage::{sessions, users};
use futures_util::future::join_all;
use serde_json::json;

use super::{Arrival, CALLBACK, CHALLENGE, EVERYTHING, Flow, SECRET, VERIFIER, claims, part, text};
use crate::harness::{Answer, TestApp};

const GRANT: (&str, &str) = ("grant_type", "authorization_code");
const WAY_BACK: (&str, &str) = ("redirect_uri", CALLBACK);
const REFUSED: &str = "400 oidc.invalid_grant";

#[tokio::test]
async fn a_code_gets_tokens_that_say_who_signed_in_and_how_and_open_the_account() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let Arrival { code, session, .. } = flow.arrive(EVERYTHING).await;
    app.advance(20);
    let answer = flow.redeem(&code).await.expect("200");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"], &tokens["scope"]),
        (&json!("Bearer"), &json!(3600), &json!(EVERYTHING))
    );
    let (now, sub) = (app.now().seconds(), format!("email|{}", flow.user));
    let id_token = text(&tokens, "id_token");
    assert_eq!(part(&id_token, 0)["alg"], "RS256");
    let id = claims(&id_token);
    let expected = json!({
        "iss": app.url("/"), "sub": sub, "aud": flow.client, "nonce": "the-nonce", "sid": session, "iat": now,
        "exp": now + 3600, "auth_time": now - 20, "acr": "urn:countersign:acr:1fa", "amr": ["otp"], "email_verified": true,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&id[name], value, "{name}");
    }
    let access_token = text(&tokens, "access_token");
    assert_eq!((&part(&access_token, 0)["alg"], &part(&access_token, 0)["typ"]), (&json!("ES256"), &json!("at+jwt")));
    let access = claims(&access_token);
    assert_eq!(
        (&access["sub"], &access["sid"], &access["client_id"]),
        (&json!(sub), &json!(session), &json!(flow.client))
    );
    assert_eq!((&access["auth_time"], &access["acr"], &access["amr"]), (&id["auth_time"], &id["acr"], &id["amr"]));
    assert!(flow.opens(&tokens).await);
    assert_eq!(flow.events("tokens.issued").await, 1);
    // Without `offline_access` there is no refresh token, without `openid` no ID token.
    let little = flow.sign_in("profile").await;
    assert_eq!((little.get("refresh_token"), little.get("id_token")), (None, None));
}

#[tokio::test]
async fn tokens_carry_the_issuer_whose_token_endpoint_was_asked() {
    let app = TestApp::start().await;
    let flow = Flow { token_path: "/oidc/token", ..Flow::new(&app, "Traditional").await };
    let tokens = flow.sign_in(EVERYTHING).await;
    for token in ["id_token", "access_token"] {
        let claims = claims(&text(&tokens, token));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(app.url("/oidc")), &json!(flow.user)));
    }
    assert!(flow.opens(&tokens).await);
}

#[tokio::test]
async fn a_code_is_bound_to_its_client_way_back_and_verifier_and_no_wrong_try_burns_it() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let other = flow.elsewhere("SPA").await;
    let Arrival { code, .. } = flow.arrive(EVERYTHING).await;
    let (code_, verifier) = (("code", code.as_str()), ("code_verifier", VERIFIER));
    let wrong = [
        vec![GRANT, code_, WAY_BACK],
        vec![GRANT, code_, WAY_BACK, ("code_verifier", CHALLENGE)],
        vec![GRANT, code_, WAY_BACK, ("code_verifier", "")],
        vec![GRANT, code_, verifier],
        vec![GRANT, code_, verifier, ("redirect_uri", "https://app.example.com/callback/")],
        vec![GRANT, code_, verifier, ("redirect_uri", "https://evil.example/callback")],
        vec![GRANT, ("code", "0000"), WAY_BACK, verifier],
    ];
    for form in &wrong {
        flow.token(form).await.expect(REFUSED);
    }
    flow.token(&[GRANT, WAY_BACK, verifier]).await.expect("400 oidc.invalid_request");
    other.redeem(&code).await.expect(REFUSED);
    flow.redeem(&code).await.expect("200");
}

#[tokio::test]
async fn a_code_without_a_challenge_is_for_those_with_a_secret_and_for_links_and_takes_no_verifier() {
    let app = TestApp::start().await;
    let (public, confidential) = (Flow::new(&app, "Native").await, Flow::new(&app, "Traditional").await);
    for (flow, is_from_link, expected) in
        [(&public, false, REFUSED), (&public, true, "200"), (&confidential, false, "200"), (&confidential, true, "200")]
    {
        let arrival = flow
            .arrive_with(EVERYTHING, None, |code| {
                code.code_challenge = None;
                code.is_from_link = is_from_link;
            })
            .await;
        let code = ("code", arrival.code.as_str());
        // Whoever took the challenge out of the request cannot bring the code in here.
        flow.token(&[GRANT, code, WAY_BACK, ("code_verifier", VERIFIER)]).await.expect(REFUSED);
        flow.token(&[GRANT, code, WAY_BACK]).await.expect(expected);
    }
    // A request that named no way back: it had only one.
    let arrival = confidential.arrive_with("openid", None, |code| code.redirect_uri = None).await;
    let (code, verifier) = (("code", arrival.code.as_str()), ("code_verifier", VERIFIER));
    confidential.token(&[GRANT, code, verifier, ("redirect_uri", "https://evil.example")]).await.expect(REFUSED);
    confidential.token(&[GRANT, code, verifier]).await.expect("200");
}

#[tokio::test]
async fn a_confidential_client_shows_its_secret_with_the_code() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "Traditional").await;
    let code = flow.arrive("openid").await.code;
    let silent = Flow { is_confidential: false, ..flow.clone() };
    silent.redeem(&code).await.expect("401 oidc.invalid_client");
    let form = [GRANT, ("code", code.as_str()), WAY_BACK, ("code_verifier", VERIFIER)];
    let basic = app.http.post(app.url("/oauth/token")).form(&form).basic_auth(&flow.client, Some(SECRET));
    Answer::of(basic).await.expect("200");
}

#[tokio::test]
async fn a_code_that_is_shown_again_with_all_it_takes_ends_its_session() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let code = flow.arrive(EVERYTHING).await.code;
    let tokens = flow.redeem(&code).await.expect("200").json();
    let bystander = flow.sign_in(EVERYTHING).await;
    // By somebody who saw the code and no more: nothing comes of it.
    flow.token(&[GRANT, ("code", &code), WAY_BACK, ("code_verifier", CHALLENGE)]).await.expect(REFUSED);
    flow.elsewhere("SPA").await.redeem(&code).await.expect(REFUSED);
    assert!(flow.opens(&tokens).await);
    flow.redeem(&code).await.expect(REFUSED);
    assert!(!flow.opens(&tokens).await);
    flow.refresh(&text(&tokens, "refresh_token")).await.expect("403 oidc.invalid_grant");
    assert!(flow.opens(&bystander).await, "another session of the same user goes on");
    assert_eq!(flow.events("tokens.reused").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_redemptions_of_one_code_over_two_nodes_one_wins() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let flow = Flow::new(&app, "SPA").await;
    let there = flow.on(&second);
    for _ in 0..3 {
        let code = flow.arrive(EVERYTHING).await.code;
        let tries = (0..20).map(|number| (if number % 2 == 0 { &flow } else { &there }).redeem(&code));
        let answers = join_all(tries).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.gist() == REFUSED), "{answers:?}");
        assert!(!flow.opens(&won[0].json()).await, "the others were thieves, for all we know");
    }
    assert_eq!(app.number("select count(*) from refresh_tokens").await, 3);
}

#[tokio::test]
async fn a_code_is_good_for_a_minute_and_for_whom_it_was_made() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let late = flow.arrive(EVERYTHING).await.code;
    app.advance(60);
    flow.redeem(&late).await.expect(REFUSED);
    let ended = flow.arrive(EVERYTHING).await;
    let mut session = app.write().await;
    sessions::end(&mut session, &ended.session, app.now()).await.unwrap();
    session.commit().await.unwrap();
    flow.redeem(&ended.code).await.expect(REFUSED);
    let suspended = flow.arrive(EVERYTHING).await.code;
    let mut session = app.write().await;
    users::set_suspended(&mut session, &flow.user, true, app.now()).await.unwrap();
    session.commit().await.unwrap();
    flow.redeem(&suspended).await.expect(REFUSED);
    assert_eq!(app.number("select count(*) from refresh_tokens").await, 0);
}

#[tokio::test]
async fn a_code_that_was_asked_for_with_a_key_needs_a_proof_by_it() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let bound = flow.arrive_with("openid", None, |code| code.dpop_jkt = Some("thumbprint".to_owned())).await;
    flow.redeem(&bound.code).await.expect("400 oidc.invalid_dpop_proof");
}

#[tokio::test]
async fn an_application_uses_only_the_grants_it_may() {
    let app = TestApp::start().await;
    let none = Flow::with(&app, "SPA", |application| application.client_settings.grant_types = Some(Vec::new())).await;
    let code = none.arrive(EVERYTHING).await.code;
    let answer = none.redeem(&code).await.expect("403 oidc.unauthorized_client");
    assert_eq!(answer.json()["error_description"], "Grant type 'authorization_code' not allowed for the client.");
    none.refresh("anything").await.expect("403 oidc.unauthorized_client");
}

#[tokio::test]
async fn token_requests_come_as_json_or_form_with_a_charset_and_say_nothing_twice() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "SPA").await;
    let post = |kind: &'static str, body: String| {
        Answer::of(app.http.post(app.url("/oauth/token")).header("content-type", kind).body(body))
    };
    let form = |code: &str| {
        format!(
            "grant_type=authorization_code&client_id={}&code={code}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}",
            flow.client
        )
    };
    let code = flow.arrive("openid").await.code;
    let kind = "application/x-www-form-urlencoded;charset=UTF-8";
    let twice =
        post(kind, format!("{}&code_verifier={VERIFIER}", form(&code))).await.expect("400 oidc.invalid_request");
    assert_eq!(twice.header("www-authenticate"), None);
    post(kind, form(&code)).await.expect("200");
    let code = flow.arrive("openid").await.code;
    let body = json!({
        "grant_type": "authorization_code", "client_id": flow.client, "code": code, "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER, "auth0_telemetry": { "any": "thing" },
    });
    post("application/json; charset=utf-8", body.to_string()).await.expect("200");
}

#[tokio::test]
async fn the_token_endpoint_challenges_only_who_used_the_authorization_header() {
    let app = TestApp::start().await;
    let flow = Flow::new(&app, "Traditional").await;
    for path in ["/oauth/token", "/oidc/token", "/oauth/revoke", "/oidc/token/revocation"] {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "unknown"), ("token", "unknown")];
        let in_body = [&form[..], &[("client_id", flow.client.as_str()), ("client_secret", "wrong")]].concat();
        let answer = Answer::of(app.http.post(app.url(path)).form(&in_body)).await.expect("401 oidc.invalid_client");
        assert_eq!(answer.header("www-authenticate"), None, "{path}");
        let basic = app.http.post(app.url(path)).form(&form).basic_auth(&flow.client, Some("wrong"));
        let answer = Answer::of(basic).await.expect("401 oidc.invalid_client");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")), "{path}");
        let right = app.http.post(app.url(path)).form(&form).basic_auth(&flow.client, Some(SECRET));
        assert_eq!(Answer::of(right).await.header("www-authenticate"), None, "{path}");
    }
}
