//! What is signed: access tokens, exports of the audit log.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use countersign::{
    audit::verify,
    clock::ManualClock,
    crypto::{
        jws,
        signing::{KeyRing, RingKey, SigningAlgorithm, SigningKey},
        tokens::{self, Claims, Expectations},
    },
    domain::time::Timestamp,
};

const NOW: Timestamp = Timestamp(1_795_176_000_000);

struct World {
    ring: KeyRing,
    token: String,
    issuers: Vec<String>,
    audiences: Vec<String>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = SigningKey::generate(SigningAlgorithm::Es256, Timestamp(0)).unwrap();
    let ring = KeyRing::new(vec![RingKey::now(key)], Arc::new(ManualClock::new(NOW))).unwrap();
    let now = NOW.seconds();
    let claims = serde_json::json!({
        "iss": "https://a.example", "sub": "user", "aud": ["https://a.example/api"], "client_id": "app", "scope": "openid",
        "iat": now, "nbf": now, "exp": now + 3600, "jti": "one", "sid": "session",
    });
    let claims: Claims = serde_json::from_value(claims).unwrap();
    let token = tokens::sign(&ring, &claims).unwrap();
    let (issuers, audiences) = (vec!["https://a.example".to_owned()], vec!["https://a.example/api".to_owned()]);
    World { ring, token, issuers, audiences }
});

/// No token but the very one that was signed is believed. Bytes after a nought change the signed one, two by two: where, to what.
pub fn tokens(data: &[u8]) {
    let world = &*WORLD;
    let text = match data.split_first() {
        Some((0, edits)) => {
            let mut token = world.token.clone().into_bytes();
            for edit in edits.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % token.len();
                token[at] = edit[2];
            }
            String::from_utf8_lossy(&token).into_owned()
        }
        _ => String::from_utf8_lossy(data).into_owned(),
    };
    let (issuers, audiences) = (&*world.issuers, &*world.audiences);
    let expected = Expectations { issuers, audiences, now: NOW, leeway: Duration::from_secs(5) };
    let _ = (jws::header(&text), jws::claimed_issuer(&text));
    for found in [
        tokens::verify(&world.ring, &text, &expected).is_ok(),
        matches!(tokens::verify_own(&world.ring, &text, &expected), Ok(Some(_))),
    ] {
        assert!(!found || text == world.token, "a token that nobody signed is believed: {text}");
    }
}

const EXPORT: &[u8] = include_bytes!("../../seeds/exports/whole.jsonl");

/// No export but the very one that was signed is whole.
pub fn exports(mut data: &[u8]) {
    let all = data;
    if let Ok(report) = verify::verify(&mut data, None) {
        assert!(all == EXPORT, "an export that was changed passes: {report:?}");
    }
}
