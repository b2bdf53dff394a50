//! Tests of access tokens: what is believed, and every way in which a token is not.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::crypto::signing::{RingKey, SigningKey};
use crate::domain::refusal::Code;
use crate::error::Error;

struct World {
    ring: KeyRing,
    clock: Arc<ManualClock>,
    issuers: Vec<String>,
    audiences: Vec<String>,
}

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm, Timestamp(0)).unwrap()
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(1_763_640_000_000)));
        let keys = [SigningAlgorithm::Es256, SigningAlgorithm::Rs256].map(|algorithm| RingKey::now(key(algorithm)));
        Self {
            ring: KeyRing::new(keys.into(), clock.clone()).unwrap(),
            clock,
            issuers: vec!["https://id.example.com".into(), "https://id.example.com/".into()],
            audiences: vec!["https://id.example.com/api".into()],
        }
    }

    fn claims(&self) -> Claims {
        let now = self.clock.now().seconds();
        Claims {
            iss: "https://id.example.com".into(),
            sub: "user12345678".into(),
            aud: OneOrMany::One("https://id.example.com/api".into()),
            client_id: "app".into(),
            scope: "openid profile".into(),
            iat: now,
            nbf: now,
            exp: now + 3600,
            jti: "one".into(),
            verification: None,
            sid: Some("session".into()),
            auth_time: Some(now),
            acr: None,
            amr: Some(vec!["pwd".into()]),
            cnf: None,
        }
    }

    fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenProblem> {
        let leeway = Duration::from_secs(5);
        let (issuers, audiences) = (&self.issuers, &self.audiences);
        verify(&self.ring, token, &Expectations { issuers, audiences, now: self.clock.now(), leeway })
    }

    fn kid(&self, algorithm: SigningAlgorithm) -> String {
        self.ring.active(algorithm).unwrap().kid().to_owned()
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The token with other header members, its signature left as it was.
fn with_header(token: &str, header: &Value) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", encode(header))
}

#[test]
fn a_signed_token_is_believed_and_says_what_was_signed() {
    let world = World::new();
    let claims = world.claims();
    let token = sign(&world.ring, &claims).unwrap();
    for _ in 0..2 {
        assert_eq!(*world.verify(&token).unwrap(), claims);
    }
    assert!(claims.has_scope("openid") && claims.has_scope("profile") && !claims.has_scope("open"));
    let header = jws::header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(header.kid, Some(world.kid(SigningAlgorithm::Es256)));
    assert_eq!(claimed_issuer(&token).unwrap(), "https://id.example.com");
}

#[test]
fn the_clock_handed_in_decides_even_for_remembered_tokens() {
    let world = World::new();
    let token = sign(&world.ring, &world.claims()).unwrap();
    assert!(world.verify(&token).is_ok());
    world.clock.advance(Duration::from_secs(3604));
    assert!(world.verify(&token).is_ok(), "within the leeway");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.verify(&token), Err(TokenProblem::Expired));
    world.clock.set(Timestamp(1_763_640_000_000 - 6_000));
    assert_eq!(world.verify(&token), Err(TokenProblem::NotYet));
}

#[test]
fn wrong_issuer_audience_or_subject_is_refused() {
    let world = World::new();
    let refused = |change: &dyn Fn(&mut Claims)| {
        let mut claims = world.claims();
        change(&mut claims);
        world.verify(&sign(&world.ring, &claims).unwrap()).unwrap_err()
    };
    assert_eq!(refused(&|claims| claims.iss = "https://evil.example.com".into()), TokenProblem::Issuer);
    assert_eq!(refused(&|claims| claims.aud = OneOrMany::One("other".into())), TokenProblem::Audience);
    assert_eq!(refused(&|claims| claims.aud = OneOrMany::Many(vec![])), TokenProblem::Audience);
    assert_eq!(refused(&|claims| claims.sub = String::new()), TokenProblem::Claims);
    let mut claims = world.claims();
    claims.aud = OneOrMany::Many(vec!["other".into(), "https://id.example.com/api".into()]);
    assert!(world.verify(&sign(&world.ring, &claims).unwrap()).is_ok());
}

#[test]
fn a_changed_token_is_refused_even_after_the_real_one_was_remembered() {
    let world = World::new();
    let token = sign(&world.ring, &world.claims()).unwrap();
    world.verify(&token).unwrap();
    let mut claims = world.claims();
    claims.sub = "somebodyelse".into();
    let parts: Vec<_> = token.split('.').collect();
    let changed = format!("{}.{}.{}", parts[0], encode(&serde_json::to_value(claims).unwrap()), parts[2]);
    assert_eq!(world.verify(&changed), Err(TokenProblem::Signature));
    for odd in ["", ".", "..", "a.b.c", &token[..token.len() - 2], &format!("{token}."), &format!("{token} ")] {
        assert!(world.verify(odd).is_err(), "{odd}");
    }
}

#[test]
fn only_the_access_token_type_is_taken() {
    let world = World::new();
    for (typ, taken) in [("at+jwt", true), ("AT+JWT", true), ("application/at+jwt", true), ("JWT", false), ("", false)]
    {
        let token = world.ring.sign(SigningAlgorithm::Es256, typ, &world.claims()).unwrap();
        assert_eq!(world.verify(&token).is_ok(), taken, "{typ}");
    }
    let token = sign(&world.ring, &world.claims()).unwrap();
    let bare = with_header(&token, &json!({ "alg": "ES256", "kid": world.kid(SigningAlgorithm::Es256) }));
    assert_eq!(world.verify(&bare), Err(TokenProblem::Type));
}

#[test]
fn the_algorithm_is_never_the_tokens_choice() {
    let world = World::new();
    let token = sign(&world.ring, &world.claims()).unwrap();
    let kid = world.kid(SigningAlgorithm::Es256);
    let none = with_header(&token, &json!({ "alg": "none", "typ": "at+jwt", "kid": kid }));
    assert!(world.verify(&none).is_err());
    let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
    assert!(world.verify(&unsigned).is_err());
    // Our own RS256 key signs ID tokens; it must not make access tokens.
    let rsa = world.ring.sign(SigningAlgorithm::Rs256, "at+jwt", &world.claims()).unwrap();
    assert_eq!(world.verify(&rsa), Err(TokenProblem::Algorithm));
    let crossed =
        with_header(&rsa, &json!({ "alg": "ES256", "typ": "at+jwt", "kid": world.kid(SigningAlgorithm::Rs256) }));
    assert_eq!(world.verify(&crossed), Err(TokenProblem::Key));
}

#[test]
fn a_public_key_used_as_an_hmac_secret_is_refused() {
    let world = World::new();
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let active = world.ring.active(algorithm).unwrap();
        let header = encode(&json!({ "alg": "HS256", "typ": "at+jwt", "kid": active.kid() }));
        let message = format!("{header}.{}", encode(&serde_json::to_value(world.claims()).unwrap()));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, active.jwk().to_string().as_bytes());
        let tag = hmac::sign(&secret, message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
        assert_eq!(world.verify(&token), Err(TokenProblem::Algorithm));
    }
}

#[test]
fn a_key_is_named_and_known() {
    let world = World::new();
    let stranger = key(SigningAlgorithm::Es256);
    assert_eq!(world.verify(&stranger.sign("at+jwt", &world.claims()).unwrap()), Err(TokenProblem::Key));
    let token = sign(&world.ring, &world.claims()).unwrap();
    let nameless = with_header(&token, &json!({ "alg": "ES256", "typ": "at+jwt" }));
    assert_eq!(world.verify(&nameless), Err(TokenProblem::Key));
    let critical =
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": world.kid(SigningAlgorithm::Es256), "crit": ["b64"] });
    assert_eq!(world.verify(&with_header(&token, &critical)), Err(TokenProblem::Malformed));
}

#[test]
fn a_key_that_leaves_the_ring_takes_remembered_tokens_along() {
    let world = World::new();
    let token = sign(&world.ring, &world.claims()).unwrap();
    world.verify(&token).unwrap();
    world.ring.replace(vec![RingKey::now(key(SigningAlgorithm::Es256))]).unwrap();
    assert_eq!(world.verify(&token), Err(TokenProblem::Key));
}

#[test]
fn a_rotated_key_that_stays_published_still_verifies() {
    let world = World::new();
    let old = key(SigningAlgorithm::Es256);
    let token = old.sign("at+jwt", &world.claims()).unwrap();
    world.ring.replace(vec![RingKey::now(key(SigningAlgorithm::Es256)), RingKey::now(old)]).unwrap();
    assert!(world.verify(&token).is_ok());
}

#[test]
fn a_token_is_bounded() {
    let world = World::new();
    let mut claims = world.claims();
    claims.scope = "x".repeat(jws::MAX_LENGTH);
    let token = sign(&world.ring, &claims).unwrap();
    assert_eq!(world.verify(&token), Err(TokenProblem::Malformed));
    assert_eq!(claimed_issuer(&token), Err(TokenProblem::Malformed));
}

#[test]
fn claims_must_all_be_there() {
    let world = World::new();
    for missing in ["iss", "sub", "aud", "client_id", "iat", "nbf", "exp", "jti"] {
        let mut claims = serde_json::to_value(world.claims()).unwrap();
        claims.as_object_mut().unwrap().remove(missing);
        let token = world.ring.sign(SigningAlgorithm::Es256, "at+jwt", &claims).unwrap();
        assert_eq!(world.verify(&token), Err(TokenProblem::Claims), "{missing}");
    }
}

#[test]
fn callers_learn_one_answer() {
    for problem in [TokenProblem::Signature, TokenProblem::Expired, TokenProblem::Issuer, TokenProblem::Malformed] {
        assert_eq!(Error::from(problem).shown().code, Code::Unauthorized);
    }
    assert_eq!(Error::from(TokenProblem::KeysUnavailable).shown().code, Code::Unavailable);
}
