//! Applications that authenticate by a key instead of a secret: `private_key_jwt` (RFC 7523; contract `auth0.md` 1.1).

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PSS_SHA256, RsaKeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::crypto::signing::{SigningAlgorithm, SigningKey};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::{Answer, START, TestApp, merge};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const RESOURCE: &str = "https://default.logto.app/api";

/// An application that has registered public keys.
struct Application<'a> {
    app: &'a TestApp,
    id: String,
    secret: String,
    key: SigningKey,
}

impl<'a> Application<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let key = SigningKey::generate(SigningAlgorithm::Es256, START).unwrap();
        let metadata = json!({ "jwks": { "keys": [key.jwk()] } });
        let body = json!({
            "name": "x", "type": "MachineToMachine", "isManagement": true, "customClientMetadata": metadata,
        });
        let made = app.manager().await.post("/api/applications", body).await.expect("200").json();
        assert_eq!(made["customClientMetadata"]["jwks"], metadata["jwks"]);
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Self { app, id: text("id"), secret: text("secret"), key }
    }

    fn claims(&self, changes: &Value) -> Value {
        let now = self.app.now().seconds();
        let jti = countersign::domain::id::random_text(&*self.app.app().random, 16);
        let mut claims = json!({
            "iss": self.id, "sub": self.id, "aud": self.app.url("/"), "jti": jti, "iat": now, "exp": now + 60,
        });
        merge(&mut claims, changes);
        claims
    }

    fn assertion(&self, changes: &Value) -> String {
        self.key.sign("JWT", &self.claims(changes)).unwrap()
    }

    fn request(&self, assertion: &str, more: &[(&str, &str)]) -> RequestBuilder {
        Self::request_at(self.app, assertion, more)
    }

    fn request_at(app: &TestApp, assertion: &str, more: &[(&str, &str)]) -> RequestBuilder {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("resource", RESOURCE),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        form.extend_from_slice(more);
        app.http.post(app.url("/oauth/token")).form(&form)
    }

    async fn ask(&self, assertion: &str) -> Answer {
        Answer::of(self.request(assertion, &[])).await
    }

    async fn register(&self, keys: Value) -> Answer {
        let body = json!({ "customClientMetadata": { "jwks": { "keys": keys } } });
        self.app.manager().await.patch(&format!("/api/applications/{}", self.id), body).await
    }
}

#[tokio::test]
async fn a_key_does_what_a_secret_does() {
    let app = TestApp::start().await;
    let client = Application::new(&app).await;
    for aud in
        [json!(app.url("/")), json!(app.url("/oidc")), json!(app.url("/oauth/token")), json!(["x", app.url("/")])]
    {
        client.ask(&client.assertion(&json!({ "aud": aud }))).await.expect("200");
    }
    let with_id =
        client.request(&client.assertion(&json!({ "nbf": app.now().seconds() })), &[("client_id", &client.id)]);
    Answer::of(with_id).await.expect("200");
    let body = json!({
        "grant_type": "client_credentials", "resource": RESOURCE, "client_assertion_type": TYPE,
        "client_assertion": client.assertion(&json!({ "aud": app.url("/oidc/token") })),
    });
    Answer::of(app.http.post(app.url("/oidc/token")).json(&body)).await.expect("200");
}

/// Its key shows who the application is; only its secret lets it speak for others (contract `auth0.md` 1.8).
#[tokio::test]
async fn an_assertion_does_not_make_the_named_client_believed() {
    let app = TestApp::start_with(|config| config.sign_in.starts_per_hour = 1).await;
    let client = Application::new(&app).await;
    let changes =
        json!({ "grantTypes": ["http://auth0.com/oauth/grant-type/passwordless/otp"], "trustForwardedFor": true });
    let path = format!("/api/applications/{}", client.id);
    app.manager().await.patch(&path, json!({ "customClientMetadata": changes })).await.expect("200");
    let start = async |shown: Value, number: u32| {
        let mut body = json!({ "connection": "email", "email": format!("n{number}@example.com"), "send": "code" });
        merge(&mut body, &shown);
        let request = app.http.post(app.url("/passwordless/start")).json(&body);
        Answer::of(request.header("auth0-forwarded-for", "203.0.113.7")).await
    };
    for number in 0..2 {
        let shown = json!({ "client_assertion_type": TYPE, "client_assertion": client.assertion(&json!({})) });
        start(shown, number).await.expect("200");
    }
    let told = "select count(*) from audit_events where type = 'sign_in.code_sent' and ip = '203.0.113.7'";
    assert_eq!(app.number(told).await, 0);
    let secret = json!({ "client_id": client.id, "client_secret": client.secret });
    start(secret.clone(), 2).await.expect("200");
    assert_eq!(start(secret, 3).await.status, 429);
    assert_eq!(app.number(told).await, 1);
}

#[tokio::test]
async fn each_shortcoming_of_an_assertion_is_refused_alike() {
    let app = TestApp::start().await;
    let (client, other) = (Application::new(&app).await, Application::new(&app).await);
    let now = app.now().seconds();
    let mut assertions: Vec<String> = [
        json!({ "iss": other.id }),
        json!({ "iss": null }),
        json!({ "sub": null }),
        json!({ "sub": other.id, "iss": other.id }),
        json!({ "sub": "nobody", "iss": "nobody" }),
        json!({ "aud": "https://elsewhere.example/" }),
        json!({ "aud": app.running.url() }),
        json!({ "aud": null }),
        json!({ "exp": null }),
        json!({ "exp": now - 10 }),
        json!({ "exp": now + 611 }),
        json!({ "nbf": now + 11 }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
    ]
    .iter()
    .map(|changes| client.assertion(changes))
    .collect();
    let claims = client.claims(&json!({}));
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "kid": kid });
    let kid = client.key.kid();
    for (key, header) in [
        (&other.key, header("ES256", kid)),
        (&client.key, header("ES256", "unknown")),
        (&client.key, header("none", kid)),
        (&client.key, header("HS256", kid)),
        (&client.key, header("RS256", kid)),
    ] {
        assertions.push(key.sign_under(&header, &claims).unwrap());
    }
    assertions.extend(["", "x", "a.b.c"].map(str::to_owned));
    for assertion in &assertions {
        let answer = client.ask(assertion).await;
        assert_eq!(answer.gist(), "401 oidc.invalid_client", "{assertion}");
        assert_eq!(answer.header("www-authenticate"), None);
    }
    let foreign = client.request(&client.assertion(&json!({})), &[("client_id", &other.id)]);
    Answer::of(foreign).await.expect("401 oidc.invalid_client");
    for more in [[("client_secret", client.secret.as_str())], [("client_assertion_type", "saml")]] {
        let form = [&more[..], &[("grant_type", "client_credentials"), ("client_assertion", "a.b.c")][..]].concat();
        let answer = Answer::of(app.http.post(app.url("/oauth/token")).form(&form)).await;
        answer.expect("400 oidc.invalid_request");
    }
    let both = client.request(&client.assertion(&json!({})), &[]).basic_auth(&client.id, Some(&client.secret));
    Answer::of(both).await.expect("400 oidc.invalid_request");
    assert_eq!(app.number("select count(*) from seen_ids").await, 0);
    client.ask(&client.assertion(&json!({}))).await.expect("200");
}

#[tokio::test]
async fn an_assertion_is_used_once_on_all_nodes_together() {
    let app = TestApp::start().await;
    let other = app.second_node().await;
    let (client, neighbour) = (Application::new(&app).await, Application::new(&app).await);
    let assertion = client.assertion(&json!({ "jti": "one" }));
    let nodes = [&app, &other].into_iter().cycle().take(20);
    let asked = nodes.map(async |node| Answer::of(Application::request_at(node, &assertion, &[])).await.status);
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 401].contains(status)), "{answers:?}");
    // The same id of another client is another id.
    neighbour.ask(&neighbour.assertion(&json!({ "jti": "one" }))).await.expect("200");
    client.ask(&client.assertion(&json!({ "jti": "one" }))).await.expect("401 oidc.invalid_client");
}

#[tokio::test]
async fn keys_take_turns_and_are_of_every_listed_kind() {
    let app = TestApp::start().await;
    let client = Application::new(&app).await;
    let rsa = SigningKey::generate(SigningAlgorithm::Rs256, START).unwrap();
    let mut public = rsa.jwk().clone();
    public.as_object_mut().unwrap().remove("alg");
    client.register(json!([client.key.jwk(), public])).await.expect("200");
    client.ask(&client.assertion(&json!({}))).await.expect("200");
    client.ask(&rsa.sign("JWT", &client.claims(&json!({}))).unwrap()).await.expect("200");
    client.ask(&pss(&rsa, &client.claims(&json!({})))).await.expect("200");

    client.register(json!([public])).await.expect("200");
    client.ask(&client.assertion(&json!({}))).await.expect("401 oidc.invalid_client");
    let none = json!({ "customClientMetadata": { "jwks": null } });
    app.manager().await.patch(&format!("/api/applications/{}", client.id), none).await.expect("200");
    client.ask(&pss(&rsa, &client.claims(&json!({})))).await.expect("401 oidc.invalid_client");
}

#[tokio::test]
async fn a_key_serves_wherever_a_client_authenticates() {
    let app = TestApp::start().await;
    let client = Application::new(&app).await;
    let grants =
        json!({ "customClientMetadata": { "grantTypes": ["http://auth0.com/oauth/grant-type/passwordless/otp"] } });
    app.manager().await.patch(&format!("/api/applications/{}", client.id), grants).await.expect("200");
    let asked = |path: &str, assertion: &str, more: Value| {
        let mut body = json!({ "client_id": client.id, "client_assertion_type": TYPE, "client_assertion": assertion });
        merge(&mut body, &more);
        app.http.post(app.url(path)).json(&body)
    };
    let email = json!({ "connection": "email", "email": "ada@example.com", "send": "code" });
    for (path, more) in [
        ("/passwordless/start", email),
        ("/otp/challenge", json!({ "connection": "email", "email": "bob@example.com" })),
        ("/oauth/revoke", json!({ "token": "unknown" })),
        ("/oidc/token/revocation", json!({ "token": "unknown" })),
    ] {
        let assertion = client.assertion(&json!({}));
        Answer::of(asked(path, &assertion, more.clone())).await.expect("200");
        assert_eq!(Answer::of(asked(path, &assertion, more.clone())).await.status, 401, "{path}: shown twice");
        let forged = client.assertion(&json!({ "aud": "https://elsewhere.example/" }));
        assert_eq!(Answer::of(asked(path, &forged, more)).await.status, 401, "{path}");
    }
}

/// PS256.
fn pss(key: &SigningKey, claims: &Value) -> String {
    let header = json!({ "alg": "PS256", "kid": key.kid() });
    let message = [&header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let pair = RsaKeyPair::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn only_public_keys_that_can_be_told_apart_are_registered() {
    let app = TestApp::start().await;
    let client = Application::new(&app).await;
    let (one, other) = (client.key.jwk().clone(), SigningKey::generate(SigningAlgorithm::Es256, START).unwrap());
    let with = |changes: Value| {
        let mut key = one.clone();
        merge(&mut key, &changes);
        key
    };
    for keys in [
        json!([]),
        json!(vec![&one; 11]),
        json!([with(json!({ "d": "AAAA" }))]),
        json!([{ "kty": "oct", "k": "c2VjcmV0" }]),
        json!([{ "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode([1; 32]) }]),
        json!([with(json!({ "use": "enc" }))]),
        json!([with(json!({ "alg": "ES384" }))]),
        json!([with(json!({ "x": "AAAA" }))]),
        json!([one, with(json!({}))]),
        json!([one, with(json!({ "kid": null }))]),
        json!([one, { "kty": "new" }]),
        json!(["key"]),
        json!({}),
    ] {
        let answer = client.register(keys.clone()).await;
        assert_eq!(answer.gist(), "400 guard.invalid_input", "{keys}");
        assert!(!answer.text.contains("c2VjcmV0"));
    }
    client.register(json!([one, other.jwk()])).await.expect("200");
    client.register(json!([with(json!({ "kid": null, "alg": null, "use": null }))])).await.expect("200");
}
