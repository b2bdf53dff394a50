//! The OTP grant.

use serde_json::{Value, json};

use super::{BACK, EXHAUSTED, EXPIRED, OTP, Shop, WRONG, claims, other_than, told};
use crate::harness::{Answer, ClientKey, TestApp};

#[tokio::test]
async fn a_code_makes_an_account_and_tokens_that_open_the_account_api() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let code = shop.code("Ada@example.com").await;
    let answer = shop.redeem("ada@EXAMPLE.com", &code).await.expect("200");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(tokens["scope"], "openid profile email phone offline_access");
    let id = claims(&tokens["id_token"]);
    let root = format!("{}/", app.running.url());
    assert_eq!((&id["iss"], &id["aud"], &id["email"]), (&json!(root), &json!(shop.id), &json!("Ada@example.com")));
    assert_eq!((&id["email_verified"], &id["nonce"], &id["amr"]), (&json!(true), &Value::Null, &json!(["otp"])));
    let sub = id["sub"].as_str().unwrap();
    let user = sub.strip_prefix("email|").unwrap_or_else(|| panic!("{sub}"));
    let access = claims(&tokens["access_token"]);
    assert_eq!((&access["sub"], &access["sid"], &access["auth_time"]), (&id["sub"], &id["sid"], &id["auth_time"]));
    let account = app.http.get(app.url("/api/my-account")).bearer_auth(tokens["access_token"].as_str().unwrap());
    assert_eq!(Answer::of(account).await.expect("200").json()["id"], user);
    // Again: the same account, at the other endpoint, by form.
    app.advance(31);
    let code = shop.code("ADA@example.com").await;
    let realm = "email";
    let form = [
        ("grant_type", OTP),
        ("client_id", &shop.id),
        ("username", "ada@example.com"),
        ("otp", &code),
        ("realm", realm),
        ("scope", "openid"),
    ];
    let tokens = Answer::of(app.http.post(app.url("/oidc/token")).form(&form)).await.expect("200").json();
    let id = claims(&tokens["id_token"]);
    assert_eq!((&id["sub"], &id["iss"]), (&json!(user), &json!(format!("{}/oidc", app.running.url()))));
    assert_eq!((&tokens["refresh_token"], &id["email"]), (&Value::Null, &Value::Null));
    assert_eq!(app.number("select count(*) from users").await, 1);
    assert_eq!(
        app.number("select count(*) from audit_events where type in ('user.signed_up', 'sign_in.succeeded')").await,
        3
    );
}

#[tokio::test]
async fn a_phone_signs_in_as_well() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let to = "+441632960001";
    shop.post("/passwordless/start", json!({ "connection": "sms", "phone_number": to })).await.expect("200");
    let code = super::code_of(&app.wait_for_message(|message| message.to == to).await);
    let wrong = "403 invalid_grant: Wrong phone number or verification code.";
    assert_eq!(told(&shop.redeem(to, other_than(&code)).await), wrong);
    let id = claims(&shop.redeem(to, &code).await.expect("200").json()["id_token"]);
    assert_eq!((&id["name"], &id["phone_number"], &id["phone_verified"]), (&json!(to), &json!(to), &json!(true)));
    assert!(id["sub"].as_str().unwrap().starts_with("sms|"));
}

#[tokio::test]
async fn every_error_has_its_words() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let to = "ada@example.com";
    let code = shop.code(to).await;
    let wrong = other_than(&code);
    let answer = shop.redeem(to, wrong).await;
    assert_eq!(told(&answer), WRONG);
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(told(&shop.redeem("nobody@example.com", &code).await), WRONG);
    assert_eq!(told(&shop.redeem("no@address", &code).await), WRONG, "no address is as good as an unknown one");
    // Another application's code is none.
    let other = Shop::public(&app).await;
    assert_eq!(told(&other.redeem(to, &code).await), WRONG);
    assert_eq!(told(&shop.redeem(to, wrong).await), WRONG);
    assert_eq!(told(&shop.redeem(to, wrong).await), EXHAUSTED, "the third");
    assert_eq!(told(&shop.redeem(to, &code).await), EXHAUSTED);
    let to = "bob@example.com";
    let code = shop.code(to).await;
    app.advance(300);
    assert_eq!(told(&shop.redeem(to, &code).await), EXPIRED);
    assert_eq!(told(&shop.redeem(to, other_than(&code)).await), EXPIRED);
    shop.start(to).await.expect("200");
    let code = super::code_of(&super::messages_to(&app, to, 2).await[0]);
    shop.redeem(to, &code).await.expect("200");
    assert_eq!(told(&shop.redeem(to, &code).await), WRONG, "once");
}

#[tokio::test]
async fn what_is_wrong_with_the_request_costs_no_try() {
    let app = TestApp::start_with(|config| config.sign_in.audiences = vec!["https://api.example.com".into()]).await;
    let shop = Shop::public(&app).await;
    let to = "ada@example.com";
    let code = shop.code(to).await;
    let body = || json!({ "grant_type": OTP, "username": to, "otp": code, "realm": "email", "scope": "openid" });
    for (name, value, error) in [
        ("username", None, "invalid_request"),
        ("otp", None, "invalid_request"),
        ("realm", None, "invalid_request"),
        ("realm", Some("github"), "invalid_request"),
        ("redirect_uri", Some("https://evil.example.com"), "invalid_request"),
        ("audience", Some("https://unknown.example.com"), "invalid_target"),
    ] {
        let mut body = body();
        match value {
            Some(value) => body[name] = json!(value),
            None => drop(body.as_object_mut().unwrap().remove(name)),
        }
        let answer = shop.post("/oauth/token", body).await;
        let got = answer.json();
        assert_eq!((answer.status, got["error"].as_str().unwrap()), (400, error), "{name}");
        if value.is_none() {
            assert!(got["error_description"].as_str().unwrap().contains(name), "{got}");
        }
    }
    let m2m = Shop::new(&app, "MachineToMachine", json!({})).await;
    let answer = m2m.redeem(to, &code).await;
    assert_eq!(told(&answer), format!("403 unauthorized_client: Grant type '{OTP}' not allowed for the client."));
    let confidential = Shop { secret: Some("wrong".into()), ..Shop::new(&app, "Traditional", json!({})).await };
    confidential.redeem(to, &code).await.expect("401 oidc.invalid_client");
    // The code went by mail: it is no code of the other realm.
    let mut sms = body();
    sms["realm"] = json!("sms");
    assert_eq!(shop.post("/oauth/token", sms).await.status, 403);
    assert_eq!(app.number("select guesses from sign_in_codes").await, 0);
    let mut right = body();
    right["redirect_uri"] = json!(BACK);
    right["audience"] = json!("https://api.example.com");
    right["unknown"] = json!("x");
    let tokens = shop.post("/oauth/token", right).await.expect("200").json();
    assert_eq!(claims(&tokens["access_token"])["aud"][0], "https://api.example.com");
    assert_eq!(tokens["refresh_token"], Value::Null);
}

#[tokio::test]
async fn a_code_with_a_holder_is_no_use_to_anybody_else() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let to = "ada@example.com";
    let body = json!({ "connection": "email", "email": to, "delivery_method": "text" });
    let held =
        shop.post("/otp/challenge", body).await.expect("200").json()["auth_session"].as_str().unwrap().to_owned();
    let code = super::code_of(&app.wait_for_message(|message| message.to == to).await);
    assert_eq!(told(&shop.redeem(to, &code).await), WRONG);
    let redeem = async |held: &str, code: &str| {
        shop.post("/oauth/token", json!({ "grant_type": OTP, "auth_session": held, "otp": code, "scope": "openid" }))
            .await
    };
    let (wrong, unknown) = (redeem(&held, other_than(&code)).await, redeem("unknown", &code).await);
    assert_eq!((wrong.status, wrong.json()["error"].as_str().unwrap()), (400, "invalid_request"));
    assert_eq!(wrong.text, unknown.text);
    let other = Shop::public(&app).await;
    let body = json!({ "grant_type": OTP, "auth_session": held, "otp": code });
    assert_eq!(other.post("/oauth/token", body).await.text, wrong.text);
    let tokens = redeem(&held, &code).await.expect("200").json();
    assert_eq!(claims(&tokens["id_token"])["aud"], shop.id);
    assert_eq!(redeem(&held, &code).await.text, wrong.text);
}

/// A library that is told a nonce comes again with the same code (contract 0.13): until then nothing may be counted.
#[tokio::test]
async fn a_proof_that_is_refused_costs_no_try() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let key = ClientKey::new();
    let code = shop.code("ada@example.com").await;
    let ask = async |code: &str, said: Value| {
        let proof = key.proof(&app, "POST", "/oauth/token", &said);
        Answer::of(shop.grant("ada@example.com", code).header("dpop", proof)).await
    };
    let mut nonce = String::new();
    for _ in 0..5 {
        let answer = ask(&code, json!({})).await.expect("400 oidc.use_dpop_nonce");
        nonce = answer.header("dpop-nonce").unwrap().to_owned();
        ask(other_than(&code), json!({ "nonce": nonce, "htm": "GET" })).await.expect("400 oidc.invalid_dpop_proof");
    }
    assert_eq!(app.number("select guesses from sign_in_codes").await, 0);
    let answer = ask(other_than(&code), json!({ "nonce": nonce })).await;
    assert_eq!((told(&answer).as_str(), answer.header("dpop-nonce").is_some()), (WRONG, true));
    let tokens = ask(&code, json!({ "nonce": nonce })).await.expect("200").json();
    assert_eq!(
        (&tokens["token_type"], &claims(&tokens["access_token"])["cnf"]["jkt"]),
        (&json!("DPoP"), &json!(key.jkt()))
    );
}
