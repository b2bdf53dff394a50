//! What is stored in place of a secret: digests of ids and tokens, and MACs of codes.

use std::fmt::Write;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::crypto::master_key::MasterKey;
use crate::domain::id::{RecordId, RecordKey};
use crate::domain::method::Method;
use crate::domain::payload::Payload;
use crate::error::Result;

/// SHA-256: for secrets with enough entropy of their own (record ids, tokens, client secrets).
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // SHA-256 has 32 bytes, so the lengths always agree.
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What a payload is bound by: SHA-256 of its canonical form (RFC 8785). Like it, the same for every order and spacing of the members.
#[must_use]
pub fn payload_digest(payload: &Payload) -> [u8; 32] {
    digest(payload.canonical().as_bytes())
}

/// Base64url without padding (RFC 4648, 5): digests on the wire.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where the record of this id is stored: the digest of the id.
#[must_use]
pub fn record_key(id: &RecordId) -> RecordKey {
    RecordKey(digest(id.expose().as_bytes()))
}

/// Where the part of an opened record is stored that proves `method`.
#[must_use]
pub fn part_key(whole: &RecordKey, method: Method) -> RecordKey {
    RecordKey(digest(&[whole.0.as_slice(), b"|", method.name().as_bytes()].concat()))
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// Keys for one purpose, the current master key's first.
pub(super) fn hmac_keys(purpose: &str, current: &MasterKey, older: &[MasterKey]) -> Result<Vec<hmac::Key>> {
    let derive = |master: &MasterKey| Ok(hmac::Key::new(hmac::HMAC_SHA256, &*master.derive(purpose)?));
    std::iter::once(current).chain(older).map(derive).collect()
}

/// The key of the MACs that stand for codes: a code has too little entropy for a bare digest (contract D4).
///
/// Codes live for minutes, so after a change of master keys the older ones are tried as well.
pub struct CodeKey {
    keys: Vec<hmac::Key>,
}

impl CodeKey {
    /// Made from the master keys, the current one first.
    pub fn new(current: &MasterKey, older: &[MasterKey]) -> Result<Self> {
        Ok(Self { keys: hmac_keys("countersign code mac v1", current, older)? })
    }

    /// HMAC-SHA-256 over the record's key and the code: the same code has another MAC in every record.
    #[must_use]
    pub fn mac(&self, record: &RecordKey, code: &str) -> [u8; 32] {
        let mut out = [0; 32];
        if let Some(key) = self.keys.first() {
            out.copy_from_slice(hmac::sign(key, &input(record, code)).as_ref());
        }
        out
    }

    /// Whether `mac` stands for this code in this record; in constant time.
    #[must_use]
    pub fn verify(&self, record: &RecordKey, code: &str, mac: &[u8]) -> bool {
        let input = input(record, code);
        self.keys.iter().any(|key| hmac::verify(key, &input, mac).is_ok())
    }
}

/// Codes that are not stored but follow from an id and a key of the server's, so that the same one can be sent again.
pub struct DerivedCodes {
    keys: Vec<hmac::Key>,
    links: Vec<hmac::Key>,
}

impl DerivedCodes {
    /// Made from the master keys, the current one first.
    pub fn new(current: &MasterKey, older: &[MasterKey]) -> Result<Self> {
        let keys = hmac_keys("countersign sign-in code v1", current, older)?;
        Ok(Self { keys, links: hmac_keys("countersign sign-in link v1", current, older)? })
    }

    /// The code of `id`: so many digits, each code equally likely.
    #[must_use]
    pub fn code(&self, id: &str, digits: u8) -> String {
        self.keys.first().map(|key| derived(key, id, digits)).unwrap_or_default()
    }

    /// The secret of the link that does what the code of `id` does: 43 characters, 256 bits.
    #[must_use]
    pub fn link(&self, id: &str) -> String {
        let secret = |key| URL_SAFE_NO_PAD.encode(hmac::sign(key, id.as_bytes()));
        self.links.first().map(secret).unwrap_or_default()
    }

    /// Whether `code` is that of `id`, also one that was sent before a change of master keys; in constant time.
    #[must_use]
    pub fn is_code(&self, id: &str, digits: u8, code: &str) -> bool {
        let is_of = |key| same(derived(key, id, digits).as_bytes(), code.as_bytes());
        self.keys.iter().map(is_of).fold(false, |any, this| any | this)
    }
}

/// Draws until a number lies below the last multiple of `10^digits` (no modulo bias); the first draw does nearly always.
fn derived(key: &hmac::Key, id: &str, digits: u8) -> String {
    let range = 10_u64.pow(u32::from(digits.min(18)));
    let fair = u64::MAX - u64::MAX % range;
    for draw in 0_u8..=u8::MAX {
        let tag = hmac::sign(key, &[&[draw, digits], id.as_bytes()].concat());
        let number = tag.as_ref().first_chunk().map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes));
        if number < fair {
            return format!("{:0width$}", number % range, width = usize::from(digits));
        }
    }
    // Once in 2^4096 at the least favourable number of digits: matches no code.
    String::new()
}

/// The tokens that follow from others: what is presented twice within the grace gets the same successor again (contract P8), though
/// only digests are stored.
pub struct Successors {
    keys: Vec<hmac::Key>,
}

impl Successors {
    /// Made from the master keys, the current one first.
    pub fn new(current: &MasterKey, older: &[MasterKey]) -> Result<Self> {
        Ok(Self { keys: hmac_keys("countersign refresh token successor v1", current, older)? })
    }

    /// What may follow `token`: 43 characters, 256 bits; the one of the current master key first.
    pub fn of(&self, token: &str) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| URL_SAFE_NO_PAD.encode(hmac::sign(key, token.as_bytes())))
    }
}

/// The record's key has a fixed length, so no two pairs give the same bytes.
fn input(record: &RecordKey, code: &str) -> Vec<u8> {
    [record.0.as_slice(), code.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    #[test]
    fn digest_is_sha_256() {
        // FIPS 180-4, "abc"
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
            0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(digest(b"abc"), expected);
    }

    #[test]
    fn a_payload_has_the_digest_that_a_shell_makes() {
        // printf '{"amount":"120.50","currency":"EUR","payee":"ACME GmbH"}' | openssl dgst -sha256 -binary | basenc --base64url
        let written = r#"{ "payee": "ACME GmbH", "currency": "EUR", "amount": "120.50" }"#;
        let digest = payload_digest(&Payload::parse(written).unwrap());
        assert_eq!(base64url(&digest), "N-bxxSxSyImBJN7aPou_5Us8kZWRF5k0_99nNSvFKFY");
    }

    #[test]
    fn a_mac_holds_for_its_code_and_record_only() {
        let codes = CodeKey::new(&key(1), &[]).unwrap();
        let (record, other) = (RecordKey([7; 32]), RecordKey([8; 32]));
        let mac = codes.mac(&record, "123456");
        assert!(codes.verify(&record, "123456", &mac));
        assert!(!codes.verify(&record, "123457", &mac));
        assert!(!codes.verify(&other, "123456", &mac));
        assert!(!codes.verify(&record, "123456", &mac[..31]));
        assert!(!codes.verify(&record, "123456", &[]));
        assert_ne!(mac, codes.mac(&other, "123456"));
    }

    #[test]
    fn the_stored_form_of_a_code_stays_as_it_is() {
        // Made with another implementation of HKDF and HMAC.
        let mac = "c4b599907ae6e2ffc54caeaaf929279d5c4f904d3e6dd4886b312699fd217a3f";
        let made = CodeKey::new(&key(1), &[]).unwrap().mac(&RecordKey([7; 32]), "123456");
        assert_eq!(made.map(|byte| format!("{byte:02x}")).concat(), mac);
    }

    #[test]
    fn derived_codes_have_their_digits_and_differ_by_id_and_key() {
        let codes = DerivedCodes::new(&key(1), &[]).unwrap();
        let seen: std::collections::HashSet<String> = (0..1000).map(|id| codes.code(&id.to_string(), 6)).collect();
        assert!(seen.iter().all(|code| code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit())));
        assert!(seen.len() > 990, "{}", seen.len());
        assert_eq!(codes.code("one", 10).len(), 10);
        let code = codes.code("one", 6);
        assert!(codes.is_code("one", 6, &code));
        assert!(!codes.is_code("two", 6, &code));
        assert!(!codes.is_code("one", 6, ""));
        assert!(DerivedCodes::new(&key(2), &[key(1)]).unwrap().is_code("one", 6, &code));
        assert!(!DerivedCodes::new(&key(2), &[]).unwrap().is_code("one", 6, &code));
    }

    #[test]
    fn derived_codes_are_spread_evenly() {
        let codes = DerivedCodes::new(&key(1), &[]).unwrap();
        let mut counts = [0_u32; 10];
        for id in 0..20_000 {
            for digit in codes.code(&id.to_string(), 6).bytes() {
                counts[usize::from(digit - b'0')] += 1;
            }
        }
        // 12,000 expected of each; five standard deviations are 520.
        assert!(counts.iter().all(|count| count.abs_diff(12_000) < 520), "{counts:?}");
    }

    #[test]
    fn a_code_sent_before_a_change_of_master_keys_still_verifies() {
        let record = RecordKey([7; 32]);
        let mac = CodeKey::new(&key(1), &[]).unwrap().mac(&record, "123456");
        assert!(CodeKey::new(&key(2), &[key(1)]).unwrap().verify(&record, "123456", &mac));
        assert!(!CodeKey::new(&key(2), &[]).unwrap().verify(&record, "123456", &mac));
    }
}
