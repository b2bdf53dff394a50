//! Tokens that are bound to a key, and the proofs that go with them (RFC 9449; contract `auth0.md` 5).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::{Answer, Bound, ClientKey, Service, TestApp, merge};

const TOKEN: &str = "/oauth/token";
const ACCOUNT: &str = "/api/my-account";

/// A client of the token endpoint: a public one, or the confidential one of the tests.
struct Client<'a> {
    app: &'a TestApp,
    manager: Service<'a>,
    user: Value,
    public: Option<String>,
}

impl<'a> Client<'a> {
    async fn public(app: &'a TestApp) -> Self {
        let manager = app.manager().await;
        let made = manager.post("/api/applications", json!({ "name": "x", "type": "SPA" })).await.expect("200").json();
        let client = Self::confidential(app).await;
        Self { public: made["id"].as_str().map(str::to_owned), ..client }
    }

    async fn confidential(app: &'a TestApp) -> Self {
        let manager = app.manager().await;
        let user = manager.post("/api/users", json!({ "name": "Ada" })).await.expect("200").json();
        Self { app, manager, user, public: None }
    }

    async fn subject_token(&self) -> String {
        let answer = self.manager.post("/api/subject-tokens", json!({ "userId": self.user["id"] })).await.expect("201");
        answer.json()["subjectToken"].as_str().unwrap().to_owned()
    }

    fn request(&self, subject: &str) -> RequestBuilder {
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:logto:token-type:impersonation_token"),
            ("subject_token", subject),
            ("scope", "openid profile"),
        ];
        let request = self.app.http.post(self.app.url(TOKEN));
        match &self.public {
            Some(id) => {
                form.push(("client_id", id));
                request.form(&form)
            }
            None => request.form(&form).basic_auth(&self.app.application, Some(&self.app.management_secret)),
        }
    }

    /// Asks with that proof.
    async fn ask(&self, subject: &str, proof: &str) -> Answer {
        Answer::of(self.request(subject).header("dpop", proof)).await
    }
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_public_client_learns_a_nonce_and_comes_again_with_the_same_code() {
    let app = TestApp::start().await;
    let (client, key) = (Client::public(&app).await, ClientKey::new());
    let subject = client.subject_token().await;
    let answer = client.ask(&subject, &key.proof(&app, "POST", TOKEN, &json!({}))).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("use_dpop_nonce")));
    assert_eq!((answer.header("cache-control"), answer.header("www-authenticate")), (Some("no-store"), None));
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    // Even with a clock that is wrong.
    let odd = key.proof(&app, "POST", TOKEN, &json!({ "iat": app.now().seconds() - 4000 }));
    assert_eq!(client.ask(&subject, &odd).await.json()["error"], "use_dpop_nonce");

    let proof = key.proof(&app, "POST", TOKEN, &json!({ "nonce": nonce, "iat": app.now().seconds() - 250 }));
    let answer = client.ask(&subject, &proof).await.expect("200");
    assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()));
    let issued = answer.json();
    assert_eq!(issued["token_type"], "DPoP");
    let token = issued["access_token"].as_str().unwrap().to_owned();
    assert_eq!(claims(&token)["cnf"], json!({ "jkt": key.jkt() }));

    let caller = Bound { app: &app, key, token };
    let answer = caller.get(ACCOUNT).await.expect("401 auth.use_dpop_nonce");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("DPoP realm=") && challenge.contains(r#"error="use_dpop_nonce""#), "{challenge}");
    assert!(challenge.ends_with(r#"algs="ES256 RS256 EdDSA""#), "{challenge}");
    let nonce = answer.header("dpop-nonce").unwrap();
    let proof = caller.proof("GET", ACCOUNT, &json!({ "nonce": nonce }));
    let answer = Answer::of(caller.bare("GET", ACCOUNT).header("dpop", proof)).await.expect("200");
    assert_eq!(answer.json()["id"], client.user["id"]);
    assert_eq!((answer.header("dpop-nonce"), answer.header("cache-control")), (Some(nonce), Some("no-store")));
}

#[tokio::test]
async fn an_application_that_must_gets_nothing_without_a_proof() {
    let app = TestApp::start().await;
    let (manager, key) = (app.manager().await, ClientKey::new());
    let body = json!({
        "name": "Shop", "type": "Traditional", "customClientMetadata": { "requireProofOfPossession": true },
    });
    let shop = manager.post("/api/applications", body).await.expect("200").json();
    let start = json!({
        "client_id": shop["id"], "client_secret": shop["secret"], "connection": "email", "email": "ada@example.com", "send": "code",
    });
    Answer::of(app.http.post(app.url("/passwordless/start")).json(&start)).await.expect("200");
    let code = app.mailed_code("ada@example.com").await;
    let ask = async |path: &str, more: Value, has_proof: bool| {
        let mut body = json!({ "client_id": shop["id"], "client_secret": shop["secret"] });
        merge(&mut body, &more);
        let request = app.http.post(app.url(path)).json(&body);
        let proof = key.proof(&app, "POST", path, &json!({}));
        Answer::of(if has_proof { request.header("dpop", proof) } else { request }).await
    };
    let otp = json!({
        "grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp", "username": "ada@example.com", "realm": "email", "otp": code,
        "scope": "openid offline_access",
    });
    let verify = json!({ "connection": "email", "username": "ada@example.com", "password": code });
    ask(TOKEN, otp.clone(), false).await.expect("400 oidc.invalid_dpop_proof");
    ask("/passwordless/verify", verify, false).await.expect("400 oidc.invalid_dpop_proof");
    assert_eq!(app.number("select guesses from sign_in_codes").await, 0);
    let tokens = ask(TOKEN, otp, true).await.expect("200").json();
    assert_eq!(tokens["token_type"], "DPoP");
    let refresh = json!({ "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"] });
    ask(TOKEN, refresh.clone(), false).await.expect("400 oidc.invalid_dpop_proof");
    assert_eq!(ask(TOKEN, refresh, true).await.expect("200").json()["token_type"], "DPoP");
}

#[tokio::test]
async fn without_a_proof_tokens_are_bearer_tokens() {
    let app = TestApp::start().await;
    for client in [Client::public(&app).await, Client::confidential(&app).await] {
        let answer = Answer::of(client.request(&client.subject_token().await)).await.expect("200");
        let token = answer.json();
        assert_eq!((&token["token_type"], answer.header("dpop-nonce")), (&json!("Bearer"), None));
        let token = token["access_token"].as_str().unwrap();
        assert_eq!(claims(token)["cnf"], Value::Null);
        Answer::of(app.http.get(app.url(ACCOUNT)).bearer_auth(token)).await.expect("200");
    }
}

/// What is wrong with a proof wherever it is shown: its header, its claims, and the `error` that says so.
fn broken(app: &TestApp, key: &ClientKey) -> Vec<(Value, Value, &'static str)> {
    const WRONG: &str = "invalid_dpop_proof";
    let (none, now) = (json!({}), app.now().seconds());
    let mut private = key.jwk();
    private["d"] = json!("AAAA");
    let root = &app.app().urls.root;
    let mut all: Vec<_> = [
        json!({ "typ": "JWT" }),
        json!({ "typ": null }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "RS256" }),
        json!({ "jwk": null }),
        json!({ "jwk": private }),
        json!({ "jwk": ClientKey::new().jwk() }),
        json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0" } }),
        json!({ "crit": ["exp"] }),
    ]
    .into_iter()
    .map(|header| (header, none.clone(), WRONG))
    .collect();
    all.extend(
        [
            json!({ "jti": null }),
            json!({ "htm": null }),
            json!({ "htu": null }),
            json!({ "iat": null }),
            json!({ "htm": "PUT" }),
            json!({ "htm": "post" }),
            json!({ "htu": format!("{root}/oauth/revoke") }),
            json!({ "htu": format!("http://127.0.0.2:{}{TOKEN}", app.running.address.port()) }),
            json!({ "iat": now - 61 }),
            json!({ "iat": now + 61 }),
        ]
        .map(|claims| (none.clone(), claims, WRONG)),
    );
    all.push((none, json!({ "nonce": "made up" }), "use_dpop_nonce"));
    all
}

#[tokio::test]
async fn each_shortcoming_of_a_proof_is_refused_before_anything_is_spent() {
    let app = TestApp::start().await;
    let (client, key) = (Client::confidential(&app).await, ClientKey::new());
    let subject = client.subject_token().await;
    for (header, said, error) in broken(&app, &key) {
        let answer = client.ask(&subject, &key.odd_proof(&app, "POST", TOKEN, &header, &said)).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!(error)), "{header} {said}");
        assert!(answer.header("dpop-nonce").is_some());
    }
    let good = || key.proof(&app, "POST", TOKEN, &json!({}));
    for proof in ["", "x", "a.b.c", &format!("{}, {}", good(), good())] {
        assert_eq!(client.ask(&subject, proof).await.json()["error"], "invalid_dpop_proof", "{proof}");
    }
    let twice = client.request(&subject).header("dpop", good()).header("dpop", good());
    assert_eq!(Answer::of(twice).await.json()["error"], "invalid_dpop_proof");
    assert_eq!(app.number("select count(*) from seen_ids").await, 0);
    client.ask(&subject, &good()).await.expect("200");
}

#[tokio::test]
async fn resources_refuse_each_shortcoming_as_well() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let caller = Bound::new(&user).await;
    let path = "/api/verifications/password/verify";
    let body = json!({ "password": user.password });
    let ask = async |proof: &str| Answer::of(caller.bare("POST", path).json(&body).header("dpop", proof)).await;
    let other = ClientKey::new();
    let ath = claims(&caller.proof("POST", path, &json!({})))["ath"].clone();
    let foreign = other.proof(&app, "POST", path, &json!({ "ath": ath }));
    let mut proofs = vec![(foreign, "invalid_dpop_proof")];
    for ath in [Value::Null, json!("x"), json!(user.token)] {
        proofs.push((caller.key.proof(&app, "POST", path, &json!({ "ath": ath })), "invalid_dpop_proof"));
    }
    for (header, mut said, error) in broken(&app, &caller.key) {
        said["ath"] = ath.clone();
        proofs.push((caller.key.odd_proof(&app, "POST", path, &header, &said), error));
    }
    for (proof, error) in proofs {
        let answer = ask(&proof).await;
        assert_eq!(answer.gist(), format!("401 auth.{error}"), "{}", claims(&proof));
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("DPoP ") && challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
        assert!(answer.header("dpop-nonce").is_some());
    }
    Answer::of(caller.bare("POST", path).json(&body)).await.expect("401 auth.invalid_dpop_proof");
    assert_eq!(app.number("select count(*) from seen_ids").await, 0);
    assert_eq!(app.number("select count(*) from verification_records").await, 0);
    // Query and fragment do not count, letter case of host and path neither.
    let loose = json!({ "htu": format!("{}?a=b#c", app.url(&path.to_uppercase()).replace("http", "HTTP")) });
    ask(&caller.proof("POST", path, &loose)).await.expect("201");
    let head = caller.bare("HEAD", ACCOUNT).header("dpop", caller.proof("HEAD", ACCOUNT, &json!({})));
    assert_eq!(Answer::of(head).await.status, 200);
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token_and_a_bearer_token_is_not_bound() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let caller = Bound::new(&user).await;
    caller.get(ACCOUNT).await.expect("200");
    let proof = || caller.proof("GET", ACCOUNT, &json!({}));
    let bearer = || app.http.get(app.url(ACCOUNT)).bearer_auth(&caller.token);
    Answer::of(bearer()).await.expect("401 auth.unauthorized");
    Answer::of(bearer().header("dpop", proof())).await.expect("401 auth.unauthorized");
    // The scheme has no letter case.
    let lower = app.http.get(app.url(ACCOUNT)).header("authorization", format!("dpop {}", caller.token));
    Answer::of(lower.header("dpop", proof())).await.expect("200");

    let unbound = Bound { token: user.token.clone(), ..Bound::new(&user).await };
    let answer = unbound.get(ACCOUNT).await.expect("401 auth.unauthorized");
    assert!(answer.header("www-authenticate").unwrap().starts_with("DPoP "), "{answer:?}");
    user.get(ACCOUNT).await.expect("200");
}

#[tokio::test]
async fn a_management_token_can_be_bound() {
    let app = TestApp::start().await;
    let key = ClientKey::new();
    let form = [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api")];
    let request = app.http.post(app.url(TOKEN)).form(&form);
    let request = request.basic_auth(&app.application, Some(&app.management_secret));
    let answer = Answer::of(request.header("dpop", key.proof(&app, "POST", TOKEN, &json!({})))).await.expect("200");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = app.http.get(app.url("/api/users")).bearer_auth(&token);
    Answer::of(bearer).await.expect("401 auth.unauthorized");
    let manager = Bound { app: &app, key, token };
    let answer = manager.get("/api/users").await.expect("200");
    assert!(answer.header("dpop-nonce").is_some());
    Answer::of(manager.bare("GET", "/api/users")).await.expect("401 auth.invalid_dpop_proof");
}

#[tokio::test]
async fn a_proof_is_used_once_on_all_nodes_together() {
    let app = TestApp::start().await;
    let other = app.second_node().await;
    let user = app.user().await;
    let caller = Bound::new(&user).await;
    let proof = caller.proof("GET", ACCOUNT, &json!({}));
    let ask = async |app: &TestApp| {
        let request = app.http.get(app.url(ACCOUNT)).header("authorization", format!("DPoP {}", caller.token));
        Answer::of(request.header("dpop", &proof)).await
    };
    let nodes = [&app, &other].into_iter().cycle().take(20);
    let answers = futures_util::future::join_all(nodes.map(ask)).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(taken, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.gist(), "401 auth.invalid_dpop_proof");
    }
    // When it is forgotten, it is too old.
    app.advance(371);
    countersign::jobs::sweeping::sweep(app.app()).await.unwrap();
    assert_eq!(app.number("select count(*) from seen_ids").await, 0);
    ask(&other).await.expect("401 auth.invalid_dpop_proof");
}

#[tokio::test]
async fn nonces_hold_on_every_node_and_expire() {
    let app = TestApp::start().await;
    let other = app.second_node().await;
    let user = app.user().await;
    let caller = Bound::new(&user).await;
    let nonce = caller.get(ACCOUNT).await.header("dpop-nonce").unwrap().to_owned();
    let ask = async |node: &TestApp| {
        let request = node.http.get(node.url(ACCOUNT)).header("authorization", format!("DPoP {}", caller.token));
        Answer::of(request.header("dpop", caller.proof("GET", ACCOUNT, &json!({ "nonce": nonce })))).await
    };
    ask(&other).await.expect("200");
    app.advance(120);
    let answer = ask(&other).await.expect("200");
    assert_ne!(answer.header("dpop-nonce"), Some(nonce.as_str()));
    app.advance(120);
    ask(&app).await.expect("401 auth.use_dpop_nonce");
}

/// Whoever has stolen a record, and even the session, needs the key as well.
#[tokio::test]
async fn a_record_made_under_a_key_is_of_use_to_its_holder_only() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (caller, thief) = (Bound::new(&user).await, Bound::new(&user).await);
    let (path, body) = ("/api/my-account/password", json!({ "password": "a-new-passphrase-77" }));
    let verified = caller.post("/api/verifications/password/verify", json!({ "password": user.password })).await;
    let record = verified.expect("201").record();
    let refused = "401 verification_record.permission_denied";
    user.call("POST", path, &record, body.clone()).await.expect(refused);
    let answer = thief.call("POST", path, &record, body.clone()).await.expect(refused);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("DPoP ") && challenge.contains("insufficient_user_authentication"), "{challenge}");
    caller.call("POST", path, &record, body).await.expect("204");
}

#[tokio::test]
async fn a_code_is_judged_and_bound_for_the_holder_of_its_key_only() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (caller, thief) = (Bound::new(&user).await, Bound::new(&user).await);
    let permission = caller.post("/api/verifications/password/verify", json!({ "password": user.password })).await;
    let (permission, of_bearer) = (permission.expect("201").record(), user.verify_password().await);
    let email = user.new_email();
    let identifier = json!({ "type": "email", "value": email });
    let sent = caller.post("/api/verifications/verification-code", json!({ "identifier": identifier })).await;
    let record = sent.expect("201").record();
    let path = "/api/verifications/verification-code/verify";
    let guess = json!({ "identifier": identifier, "verificationId": record, "code": app.code_for(&email) });
    user.post(path, guess.clone()).await.expect("400 verification_record.not_found");
    thief.post(path, guess.clone()).await.expect("400 verification_record.not_found");
    assert_eq!(app.number("select cast(sum(guesses) as bigint) from verification_records").await, 0);
    caller.post(path, guess).await.expect("200");

    let bind = json!({ "email": email, "newIdentifierVerificationRecordId": record });
    let path = "/api/my-account/primary-email";
    user.call("POST", path, &of_bearer, bind.clone()).await.expect("400 verification_record.not_found");
    // What was made without a key serves the user under any of their tokens, so the refusal is for the other record.
    thief.call("POST", path, &of_bearer, bind.clone()).await.expect("400 verification_record.not_found");
    caller.call("POST", path, &permission, bind).await.expect("204");
}

#[tokio::test]
async fn discovery_lists_the_algorithms_of_proofs_and_assertions() {
    let app = TestApp::start().await;
    for path in ["/.well-known/openid-configuration", "/oidc/.well-known/openid-configuration"] {
        let document = Answer::of(app.http.get(app.url(path))).await.expect("200").json();
        assert_eq!(document["dpop_signing_alg_values_supported"], json!(["ES256", "RS256", "EdDSA"]));
        let signing = &document["token_endpoint_auth_signing_alg_values_supported"];
        assert_eq!(signing, &json!(["RS256", "ES256", "PS256"]));
        let methods = document["token_endpoint_auth_methods_supported"].as_array().unwrap();
        assert!(methods.contains(&json!("private_key_jwt")));
    }
}
