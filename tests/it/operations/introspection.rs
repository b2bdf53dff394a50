//! Introspection of records and assertions, and assertions that somebody tampered with.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::crypto::{
    signing::{SigningAlgorithm, SigningKey},
    stepup::{self, Assertion},
};
use countersign::jobs::rotation::{Start, rotate};
use serde_json::{Value, json};

use super::payment;
use crate::harness::{Answer, Redeemer, TestApp, User, with_operations};

async fn introspect(service: &Redeemer<'_>, token: &str) -> Value {
    let request = service.app.http.post(service.app.url("/api/verifications/introspect")).form(&[("token", token)]);
    let answer = Answer::of(request.basic_auth(&service.id, Some(&service.secret))).await.expect("200");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

fn inactive() -> Value {
    json!({ "active": false })
}

#[tokio::test]
async fn a_record_is_active_while_it_could_be_redeemed_and_looking_consumes_nothing() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let (bank, clinic) = (app.redeemer("bank-api").await, app.redeemer("clinic-api").await);
    let opened = user.open("bank.pay", payment()).await.expect("201");
    assert_eq!(introspect(&bank, &opened.record()).await, inactive(), "not satisfied");
    let record = user.consent(payment()).await;
    for _ in 0..2 {
        assert_eq!(
            introspect(&bank, &record).await,
            json!({
                "active": true, "token_type": "verification_record", "sub": user.id.0, "exp": 1_795_176_300, "iat": 1_795_176_000,
                "acr": "urn:countersign:acr:2fa", "amr": ["mfa", "pwd", "sms"], "auth_time": 1_795_176_000, "operation": "bank.pay",
                "payload_digest": opened.json()["payloadDigest"],
            })
        );
    }
    assert_eq!(introspect(&clinic, &record).await, inactive(), "not its operation");
    assert_eq!(introspect(&bank, &"0".repeat(32)).await, inactive());
    bank.redeem(&record, "bank.pay", payment(), &user).await.expect("200");
    assert_eq!(introspect(&bank, &record).await, inactive(), "redeemed");
}

async fn assertion(bank: &Redeemer<'_>, user: &User<'_>) -> String {
    let record = user.consent(payment()).await;
    let body = bank.redeem(&record, "bank.pay", payment(), user).await.expect("200").json();
    body["assertion"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_assertion_is_active_for_its_audience_for_two_minutes() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let (bank, batch) = (app.redeemer("bank-api").await, app.redeemer("bank-batch").await);
    let assertion = assertion(&bank, &user).await;
    let found = introspect(&bank, &assertion).await;
    assert_eq!(
        (&found["active"], &found["token_type"], &found["aud"]),
        (&json!(true), &json!("assertion"), &json!("bank-api"))
    );
    assert_eq!(introspect(&batch, &assertion).await, inactive());
    app.advance(119);
    assert_eq!(introspect(&bank, &assertion).await["active"], true);
    app.advance(1);
    assert_eq!(introspect(&bank, &assertion).await, inactive());
}

#[tokio::test]
async fn what_somebody_else_made_or_changed_is_not_active() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let real = assertion(&bank, &user).await;
    let [header, claims, signature] = real.split('.').collect::<Vec<_>>().try_into().unwrap();
    let decode =
        |part: &str| -> Value { serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let (head, body) = (decode(header), decode(claims));
    let with = |value: &Value, name: &str, change: Value| {
        let mut value = value.clone();
        value[name] = change;
        value
    };
    let key = app.app().keys.active(SigningAlgorithm::Es256).unwrap();
    let strange = SigningKey::generate(SigningAlgorithm::Es256, app.now()).unwrap();
    let rsa = app.app().keys.active(SigningAlgorithm::Rs256).unwrap();
    let secret = hs256(&encode(&with(&head, "alg", json!("HS256"))), claims, key.jwk());
    let forgeries = [
        ("the algorithm none", format!("{}.{claims}.", encode(&with(&head, "alg", json!("none"))))),
        ("none, and the old signature", format!("{}.{claims}.{signature}", encode(&with(&head, "alg", json!("none"))))),
        ("the public key as a secret", secret),
        (
            "another algorithm of ours",
            rsa.sign_under(&with(&with(&head, "alg", json!("RS256")), "kid", json!(rsa.kid())), &body).unwrap(),
        ),
        ("a key nobody knows", strange.sign_under(&with(&head, "kid", json!(strange.kid())), &body).unwrap()),
        ("a stranger's signature under our key id", strange.sign_under(&head, &body).unwrap()),
        ("no key id", key.sign_under(&json!({ "alg": "ES256", "typ": "stepup+jwt" }), &body).unwrap()),
        ("the type of an access token", key.sign_under(&with(&head, "typ", json!("at+jwt")), &body).unwrap()),
        ("another audience", key.sign_under(&head, &with(&body, "aud", json!("bank-batch"))).unwrap()),
        ("another issuer", key.sign_under(&head, &with(&body, "iss", json!("https://elsewhere.example/"))).unwrap()),
        ("expired", key.sign_under(&head, &with(&body, "exp", json!(1_795_176_000))).unwrap()),
        ("not issued yet", key.sign_under(&head, &with(&body, "iat", json!(1_795_176_100))).unwrap()),
        ("nobody's", key.sign_under(&head, &with(&body, "sub", json!("nobody"))).unwrap()),
        ("changed claims", format!("{header}.{}.{signature}", encode(&with(&body, "sub", json!("another"))))),
        ("something critical", key.sign_under(&with(&head, "crit", json!(["x"])), &body).unwrap()),
        ("an access token", user.token.clone()),
        ("nothing", String::new()),
    ];
    for (what, forgery) in forgeries {
        assert_eq!(introspect(&bank, &forgery).await, inactive(), "{what}");
    }
    assert_eq!(
        introspect(&bank, &key.sign_under(&head, &body).unwrap()).await["active"],
        true,
        "what was not changed passes"
    );
    // And an assertion is no access token.
    let answer = user.with_token(real).get("/api/my-account").await;
    assert_eq!(answer.gist(), "401 auth.unauthorized");
}

/// Signed with HMAC, the text of a public key being the secret.
fn hs256(header: &str, claims: &str, jwk: &Value) -> String {
    use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
    let message = format!("{header}.{claims}");
    let signature =
        sign(message.as_bytes(), &EncodingKey::from_secret(jwk.to_string().as_bytes()), Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[tokio::test]
async fn no_assertion_is_refused_while_the_key_rotates() {
    let app = TestApp::start_with(with_operations).await;
    let second = app.second_node_as(with_operations, |_| {}).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let there = bank.on(&second);
    let [issuer, _] = &app.app().urls.issuers;
    let mut kids = std::collections::BTreeSet::new();
    let mut last = None;
    for step in 0..12 {
        if step == 4 {
            rotate(app.app(), Start::AfterLead, None).await.unwrap();
        }
        app.advance(150);
        // A request of a user's tells each node of new keys; so does a job, each minute of real time.
        for node in [&app, &second] {
            user.on(node).get("/api/my-account").await.expect("200");
        }
        let now = app.now();
        let claims = Assertion {
            iss: issuer.clone(),
            sub: user.id.0.clone(),
            aud: bank.id.clone(),
            iat: now.seconds(),
            exp: now.seconds() + stepup::LIFE,
            jti: format!("j{step}"),
            auth_time: now.seconds(),
            acr: "urn:countersign:acr:1fa".to_owned(),
            amr: vec!["pwd".to_owned()],
            operation: "bank.view".to_owned(),
            payload_digest: None,
        };
        let token = stepup::sign(&app.app().keys, &claims).unwrap();
        kids.insert(jsonwebtoken::decode_header(&token).unwrap().kid);
        for service in [&bank, &there] {
            assert_eq!(introspect(service, &token).await["active"], true, "step {step}");
        }
        last = Some(token);
    }
    assert!(last.is_some() && kids.len() == 2, "the key has changed in between: {kids:?}");
}
