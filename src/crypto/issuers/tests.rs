//! Foreign issuers against a small HTTP server: rotation, floods, outages, and answers no issuer should give.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::crypto::signing::{SigningAlgorithm, SigningKey};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/keys";

/// What the server says at a path.
#[derive(Clone)]
enum Answer {
    Json(Value),
    Status(&'static str),
    /// Endless: no content length, chunk upon chunk.
    Flood,
    /// Headers at once, the body never.
    Hang,
}

#[derive(Default)]
struct Script {
    answers: HashMap<&'static str, Answer>,
    asked: Vec<String>,
}

/// An issuer under test, and us with a clock that stands still.
struct World {
    url: String,
    script: Arc<Mutex<Script>>,
    issuers: TrustedIssuers,
    clock: ManualClock,
    key: SigningKey,
}

fn rsa() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Rs256, Timestamp(0)).unwrap()
}

fn es() -> SigningKey {
    SigningKey::generate(SigningAlgorithm::Es256, Timestamp(0)).unwrap()
}

fn answer(stream: &mut TcpStream, script: &Mutex<Script>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut script = script.lock().unwrap();
        script.asked.push(path.clone());
        script.answers.get(path.as_str()).cloned().unwrap_or(Answer::Status("404 Not Found"))
    };
    match answer {
        Answer::Json(value) => {
            let body = value.to_string();
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        }
        Answer::Status(status) => {
            write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\nlocation: /keys\r\ncontent-length: 0\r\n\r\n")
        }
        Answer::Flood => {
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            // Ends when the client hangs up; the bound is there so that a client that does not is noticed.
            (0..100_000).try_for_each(|_| stream.write_all(&[b' '; 1024]))
        }
        Answer::Hang => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")?;
            std::thread::sleep(Duration::from_secs(3));
            Ok(())
        }
    }
}

impl World {
    fn new() -> Self {
        Self::with(&json!({}))
    }

    /// `change` goes into the configuration entry; `{url}` stands for the server's address.
    fn with(change: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let served = Arc::clone(&script);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let script = Arc::clone(&served);
                std::thread::spawn(move || answer(&mut stream, &script));
            }
        });
        let mut entry = json!({ "issuer": url, "audience": ["account", "other"] });
        let change: Value = serde_json::from_str(&change.to_string().replace("{url}", &url)).unwrap();
        entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let issuers =
            TrustedIssuers::with_timeout(&[serde_json::from_value(entry).unwrap()], Duration::from_millis(400))
                .unwrap();
        let world = Self { url, script, issuers, clock: ManualClock::new(Timestamp(1_763_640_000_000)), key: rsa() };
        world.say(DISCOVERY, Answer::Json(json!({ "issuer": world.url, "jwks_uri": format!("{}{JWKS}", world.url) })));
        world.publish(&[&world.key]);
        world
    }

    fn say(&self, path: &'static str, answer: Answer) {
        self.script.lock().unwrap().answers.insert(path, answer);
    }

    fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.say(JWKS, Answer::Json(json!({ "keys": keys })));
    }

    fn asked(&self, path: &str) -> usize {
        self.script.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    fn claims(&self) -> Value {
        let now = self.clock.now().seconds();
        json!({
            "iss": self.url, "sub": "alice", "aud": "account", "iat": now, "exp": now + 86_400,
            "scope": "everything all", "azp": "web", "auth_time": now + 5, "amr": ["pwd"],
        })
    }

    fn token(&self, key: &SigningKey) -> String {
        key.sign("JWT", &self.claims()).unwrap()
    }

    async fn verify(&self, token: &str) -> Result<ExternalIdentity, TokenProblem> {
        self.issuers.verify(token, self.clock.now()).await
    }
}

#[tokio::test]
async fn a_token_is_believed_with_the_scopes_of_the_entry() {
    let world = World::with(&json!({ "scopes": ["openid", "email"], "external_id_prefix": "login|" }));
    let token = world.token(&world.key);
    assert_eq!(world.asked(DISCOVERY), 0, "nothing is fetched before the first token");
    let identity = world.verify(&token).await.unwrap();
    assert_eq!(identity.external_id(), "login|alice");
    assert_eq!(identity.scopes, ["openid", "email"]);
    assert_eq!(identity.client_id.as_deref(), Some("web"));
    assert_eq!(identity.amr.as_deref(), Some(["pwd".to_owned()].as_slice()));
    assert_eq!(identity.auth_time, Some(world.clock.now().seconds()), "never in the future");
    assert_eq!(world.verify(&token).await.unwrap(), identity);
    assert_eq!((world.asked(DISCOVERY), world.asked(JWKS)), (1, 1));
    assert!(world.issuers.knows(&world.url) && !world.issuers.knows("https://other.example"));
}

#[tokio::test]
async fn claims_are_pinned_to_the_entry() {
    let world = World::new();
    let now = world.clock.now().seconds();
    for (change, problem) in [
        (json!({ "iss": "https://evil.example" }), TokenProblem::Issuer),
        (json!({ "iss": format!("{}/", world.url) }), TokenProblem::Issuer),
        (json!({ "iss": [world.url] }), TokenProblem::Malformed),
        (json!({ "aud": "elsewhere" }), TokenProblem::Audience),
        (json!({ "aud": [] }), TokenProblem::Audience),
        (json!({ "aud": null }), TokenProblem::Claims),
        (json!({ "sub": "" }), TokenProblem::Claims),
        (json!({ "sub": null }), TokenProblem::Claims),
        (json!({ "exp": null }), TokenProblem::Claims),
        (json!({ "exp": "tomorrow" }), TokenProblem::Claims),
        (json!({ "exp": now - 31 }), TokenProblem::Expired),
        (json!({ "nbf": now + 31 }), TokenProblem::NotYet),
    ] {
        let mut claims = world.claims();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(world.verify(&world.key.sign("JWT", &claims).unwrap()).await, Err(problem), "{change}");
    }
    for change in [json!({ "exp": f64::from(u32::try_from(now).unwrap()) + 9.5 }), json!({ "aud": ["x", "other"] })] {
        let mut claims = world.claims();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert!(world.verify(&world.key.sign("at+jwt", &claims).unwrap()).await.is_ok(), "{change}");
    }
    for typ in ["logout+jwt", "dpop+jwt", ""] {
        let token = world.key.sign(typ, &world.claims()).unwrap();
        assert_eq!(world.verify(&token).await, Err(TokenProblem::Type), "{typ}");
    }
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let world = World::new();
    let token = world.token(&world.key);
    world.verify(&token).await.unwrap();
    world.clock.advance(Duration::from_secs(86_400 + 30));
    assert_eq!(world.verify(&token).await, Err(TokenProblem::Expired));
}

#[tokio::test]
async fn algorithms_are_the_entrys_choice_and_fit_the_key() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let world = World::with(&json!({ "algorithms": ["RS256"] }));
    let other = es();
    world.publish(&[&world.key, &other]);
    assert_eq!(world.verify(&world.token(&other)).await, Err(TokenProblem::Algorithm));

    let token = world.token(&world.key);
    let rest = token.split_once('.').unwrap().1;
    for (alg, problem) in [("none", TokenProblem::Malformed), ("ES256", TokenProblem::Algorithm)] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "kid": world.key.kid() }).to_string());
        assert_eq!(world.verify(&format!("{header}.{rest}")).await, Err(problem), "{alg}");
    }
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "kid": world.key.kid() }).to_string());
    let message = format!("{header}.{}", rest.split_once('.').unwrap().0);
    let secret = world.key.jwk()["n"].as_str().unwrap();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &URL_SAFE_NO_PAD.decode(secret).unwrap());
    let tag = aws_lc_rs::hmac::sign(&secret, message.as_bytes());
    let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
    assert_eq!(world.verify(&forged).await, Err(TokenProblem::Algorithm));
}

#[tokio::test]
async fn a_key_of_the_wrong_kind_under_the_right_id_is_not_used() {
    let world = World::new();
    let other = es();
    let mut posing = other.jwk().clone();
    posing["kid"] = world.key.kid().into();
    world.say(JWKS, Answer::Json(json!({ "keys": [posing] })));
    assert_eq!(world.verify(&world.token(&world.key)).await, Err(TokenProblem::Key));
}

#[tokio::test]
async fn a_rotated_key_is_found_and_the_old_one_is_forgotten_with_its_tokens() {
    let world = World::new();
    let old = world.token(&world.key);
    world.verify(&old).await.unwrap();
    let new = rsa();
    world.publish(&[&new]);
    world.verify(&world.token(&new)).await.unwrap();
    assert_eq!(world.asked(JWKS), 2);
    assert_eq!(world.asked(DISCOVERY), 1);
    assert_eq!(world.verify(&old).await, Err(TokenProblem::Key));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_the_issuer_once_a_minute() {
    let world = World::new();
    world.verify(&world.token(&world.key)).await.unwrap();
    let strangers: Vec<_> = (0..20).map(|_| world.token(&es())).collect();
    for round in 1..=3 {
        let all = futures_util::future::join_all(strangers.iter().map(|token| world.verify(token))).await;
        assert!(all.iter().all(|outcome| *outcome == Err(TokenProblem::Key)));
        assert_eq!(world.asked(JWKS), 1 + round);
        world.clock.advance(Duration::from_secs(59));
        assert_eq!(world.verify(&strangers[0]).await, Err(TokenProblem::Key));
        assert_eq!(world.asked(JWKS), 1 + round, "not before the minute is over");
        world.clock.advance(Duration::from_secs(1));
    }
    assert!(world.verify(&world.token(&world.key)).await.is_ok());
}

#[tokio::test]
async fn many_first_tokens_share_one_fetch() {
    let world = World::new();
    let token = world.token(&world.key);
    let all = futures_util::future::join_all((0..20).map(|_| world.verify(&token))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((world.asked(DISCOVERY), world.asked(JWKS)), (1, 1));
}

#[tokio::test]
async fn old_keys_stay_in_use_while_the_issuer_is_down() {
    let world = World::new();
    let token = world.token(&world.key);
    world.verify(&token).await.unwrap();
    for broken in [Answer::Status("500 Oops"), Answer::Json(json!({ "keys": [] })), Answer::Hang] {
        world.say(JWKS, broken);
        world.clock.advance(Duration::from_mins(1));
        assert_eq!(world.verify(&world.token(&es())).await, Err(TokenProblem::Key));
        assert!(world.verify(&world.token(&world.key)).await.is_ok());
    }
    assert_eq!(world.asked(JWKS), 4);
}

#[tokio::test]
async fn old_age_is_mended_behind_a_request() {
    let world = World::new();
    let token = world.token(&world.key);
    world.verify(&token).await.unwrap();
    world.publish(&[&rsa()]);
    world.clock.advance(Duration::from_mins(15));
    assert!(world.verify(&token).await.is_ok(), "the request itself does not wait");
    for _ in 0..200 {
        if world.verify(&token).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.verify(&token).await, Err(TokenProblem::Key), "the withdrawn key is gone");
}

#[tokio::test]
async fn without_any_key_the_answer_is_unavailable_and_soon_tried_again() {
    for broken in [Answer::Status("503 Down"), Answer::Status("302 Found"), Answer::Flood, Answer::Hang] {
        let world = World::new();
        world.say(DISCOVERY, broken);
        let token = world.token(&world.key);
        let start = std::time::Instant::now();
        assert_eq!(world.verify(&token).await, Err(TokenProblem::KeysUnavailable));
        assert!(start.elapsed() < Duration::from_secs(2), "bounded");
        assert_eq!(world.verify(&token).await, Err(TokenProblem::KeysUnavailable));
        assert_eq!((world.asked(DISCOVERY), world.asked(JWKS)), (1, 0));
        world.say(DISCOVERY, Answer::Json(json!({ "issuer": world.url, "jwks_uri": format!("{}{JWKS}", world.url) })));
        world.clock.advance(Duration::from_secs(5));
        assert!(world.verify(&token).await.is_ok());
    }
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_refused() {
    let world = World::new();
    let keys = format!("{}{JWKS}", world.url);
    for document in [
        json!({ "issuer": format!("{}/", world.url), "jwks_uri": keys }),
        json!({ "issuer": "https://evil.example", "jwks_uri": keys }),
        json!({ "issuer": world.url, "jwks_uri": "http://10.0.0.1/keys" }),
        json!({ "issuer": world.url }),
    ] {
        world.say(DISCOVERY, Answer::Json(document));
        assert_eq!(world.verify(&world.token(&world.key)).await, Err(TokenProblem::KeysUnavailable));
        world.clock.advance(Duration::from_secs(5));
    }
    assert_eq!((world.asked(DISCOVERY), world.asked(JWKS)), (4, 0));
}

#[tokio::test]
async fn addresses_may_be_set_by_hand() {
    let world = World::with(&json!({ "jwks_url": "{url}/keys" }));
    assert!(world.verify(&world.token(&world.key)).await.is_ok());
    assert_eq!(world.asked(DISCOVERY), 0);
    let world = World::with(&json!({ "discovery_url": "{url}/elsewhere" }));
    world.say("/elsewhere", Answer::Json(json!({ "issuer": world.url, "jwks_uri": format!("{}{JWKS}", world.url) })));
    assert!(world.verify(&world.token(&world.key)).await.is_ok());
    assert_eq!((world.asked(DISCOVERY), world.asked("/elsewhere")), (0, 1));
}

#[tokio::test]
async fn a_probe_tells_what_is_wrong() {
    let world = World::new();
    assert_eq!(*world.issuers.probe().await[0].1.as_ref().unwrap(), 1);
    world.say(JWKS, Answer::Status("500 Oops"));
    let outcome = world.issuers.probe().await;
    assert!(outcome[0].1.as_ref().unwrap_err().to_string().contains("answered 500"), "{outcome:?}");
}

#[test]
fn a_bad_section_or_file_is_refused_at_the_start() {
    let refused = |entry: Value| match TrustedIssuers::new(&[serde_json::from_value(entry).unwrap()]) {
        Ok(_) => panic!("taken"),
        Err(error) => error.to_string(),
    };
    let error = refused(json!({ "issuer": "https://a.example", "audience": "a", "algorithms": ["HS256"] }));
    assert!(error.contains("trusted_issuers[0].algorithms"), "{error}");
    let error = refused(json!({ "issuer": "https://a.example", "audience": "a", "ca_file": "/nowhere/ca.pem" }));
    assert!(error.contains("ca_file") && error.contains("/nowhere/ca.pem"), "{error}");
}
