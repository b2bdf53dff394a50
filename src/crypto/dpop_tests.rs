use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};

use super::*;
use crate::crypto::signing::{SigningAlgorithm, SigningKey};

/// RFC 9449 4.2, figure 2: a proof for the token endpoint.
const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

/// RFC 9449 7.1, figure 14: a token, and the proof that goes with it (figure 13).
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const PROOF_WITH_TOKEN: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

/// `jkt` of the key of both (RFC 9449 6.1, figure 8).
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

#[test]
fn the_proofs_of_the_rfc_hold() {
    let proof = Proof::read(PROOF).unwrap();
    assert_eq!(proof.jkt, JKT);
    let claims = &proof.claims;
    assert_eq!((claims.htm.as_str(), claims.htu.as_str()), ("POST", "https://server.example.com/token"));
    assert_eq!((claims.jti.as_str(), claims.iat.0), ("-BwC3ESc6acc2lTc", 1_562_262_616));
    assert_eq!((&claims.nonce, &claims.ath), (&None, &None));
    assert!(!proof.is_for(TOKEN));
    let proof = Proof::read(PROOF_WITH_TOKEN).unwrap();
    assert_eq!(proof.jkt, JKT);
    assert_eq!(proof.claims.ath.as_deref(), Some("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"));
    assert!(proof.is_for(TOKEN));
    assert!(!proof.is_for("another"));
}

/// RFC 7638 3.1.
#[test]
fn the_thumbprint_is_that_of_the_rfc() {
    let jwk = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    });
    let jwk: Jwk = serde_json::from_value(jwk).unwrap();
    assert_eq!(thumbprint(&jwk).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
}

/// A proof by `key` with another header and other claims than the plain ones.
fn proof(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let mut jwk = key.jwk().clone();
    jwk.as_object_mut().unwrap().retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
    let mut whole = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
    merge(&mut whole, header);
    let mut said = json!({ "jti": "a", "htm": "POST", "htu": "https://id.example.com/", "iat": 1 });
    merge(&mut said, claims);
    key.sign_under(&whole, &said).unwrap()
}

fn merge(into: &mut Value, changes: &Value) {
    let members = into.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
}

#[test]
fn each_thing_that_is_wrong_with_a_proof_is_told() {
    use ProofProblem as P;
    let key = SigningKey::generate(SigningAlgorithm::Es256, Timestamp(0)).unwrap();
    let other = SigningKey::generate(SigningAlgorithm::Es256, Timestamp(0)).unwrap();
    let rsa = SigningKey::generate(SigningAlgorithm::Rs256, Timestamp(0)).unwrap();
    let none = json!({});
    Proof::read(&proof(&key, &none, &none)).unwrap();
    Proof::read(&proof(&rsa, &json!({ "alg": "RS256" }), &none)).unwrap();
    assert_eq!(Proof::read(&proof(&key, &none, &json!({ "iat": 7.9 }))).unwrap().claims.iat.0, 7);
    let mut private = key.jwk().clone();
    private["d"] = json!("AAAA");
    for (header, problem) in [
        (json!({ "typ": null }), P::Type),
        (json!({ "typ": "JWT" }), P::Type),
        (json!({ "alg": null }), P::Algorithm),
        (json!({ "alg": "none" }), P::Algorithm),
        (json!({ "alg": "HS256" }), P::Algorithm),
        (json!({ "alg": "ES384" }), P::Algorithm),
        (json!({ "alg": "RS256" }), P::Key),
        (json!({ "jwk": null }), P::Key),
        (json!({ "jwk": private }), P::Key),
        (json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0" } }), P::Key),
        (json!({ "jwk": rsa.jwk() }), P::Key),
        (json!({ "jwk": other.jwk() }), P::Signature),
        (json!({ "crit": ["b64"], "b64": false }), P::Malformed),
    ] {
        assert_eq!(Proof::read(&proof(&key, &header, &none)), Err(problem), "{header}");
    }
    for claims in [
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "jti": "x".repeat(513) }),
        json!({ "htm": null }),
        json!({ "htu": null }),
        json!({ "iat": null }),
        json!({ "iat": "now" }),
        json!({ "nonce": 7 }),
    ] {
        assert_eq!(Proof::read(&proof(&key, &none, &claims)), Err(P::Claims), "{claims}");
    }
    let good = proof(&key, &none, &none);
    let (head, rest) = good.split_once('.').unwrap();
    for text in ["", "a", "a.b", "a.b.c", &format!("{good}.x"), &format!("{head}=.{rest}"), &"x".repeat(10_000)] {
        assert_eq!(Proof::read(text), Err(P::Malformed), "{text}");
    }
    let unsigned = good.rsplit_once('.').unwrap().0;
    assert_eq!(Proof::read(&format!("{unsigned}.")), Err(P::Signature));
}

#[test]
fn the_place_of_a_used_proof_depends_on_key_and_id() {
    let keys = [0, 1].map(|_| SigningKey::generate(SigningAlgorithm::Es256, Timestamp(0)).unwrap());
    let hash = |key, id: &str| Proof::read(&proof(key, &json!({}), &json!({ "jti": id }))).unwrap().id_hash();
    assert_eq!(hash(&keys[0], "a"), hash(&keys[0], "a"));
    assert_ne!(hash(&keys[0], "a"), hash(&keys[0], "b"));
    assert_ne!(hash(&keys[0], "a"), hash(&keys[1], "a"));
}

#[test]
fn a_nonce_is_fresh_for_two_to_four_minutes_on_every_node() {
    let master = |byte| MasterKey::from_bytes([byte; 32]);
    let (one, other) = (Nonces::new(&master(1), &[]).unwrap(), Nonces::new(&master(1), &[]).unwrap());
    let at = |seconds: i64| Timestamp(1_000 * (1_200_000 + seconds));
    let nonce = one.current(at(0));
    assert_eq!(nonce.len(), 22);
    assert_eq!(nonce, other.current(at(119)));
    assert_ne!(nonce, other.current(at(120)));
    for (seconds, is_fresh) in [(-121, false), (-1, true), (0, true), (239, true), (240, false)] {
        assert_eq!(other.is_fresh(&nonce, at(seconds)), is_fresh, "{seconds}");
    }
    assert!(!other.is_fresh("", at(0)));
    assert!(!Nonces::new(&master(2), &[]).unwrap().is_fresh(&nonce, at(0)));
    assert!(Nonces::new(&master(2), &[master(1)]).unwrap().is_fresh(&nonce, at(0)));
}
