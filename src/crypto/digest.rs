//! What is stored in place of a secret: digests of ids and tokens, and MACs of codes.

use std::fmt::Write;

use aws_lc_rs::hmac;

use crate::crypto::master_key::MasterKey;
use crate::domain::id::{RecordId, RecordKey};
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

/// Where the record of this id is stored: the digest of the id.
#[must_use]
pub fn record_key(id: &RecordId) -> RecordKey {
    RecordKey(digest(id.expose().as_bytes()))
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
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
        let derive = |master: &MasterKey| {
            let key = master.derive("countersign code mac v1")?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
        };
        Ok(Self { keys: std::iter::once(current).chain(older).map(derive).collect::<Result<_>>()? })
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
    fn a_code_sent_before_a_change_of_master_keys_still_verifies() {
        let record = RecordKey([7; 32]);
        let mac = CodeKey::new(&key(1), &[]).unwrap().mac(&record, "123456");
        assert!(CodeKey::new(&key(2), &[key(1)]).unwrap().verify(&record, "123456", &mac));
        assert!(!CodeKey::new(&key(2), &[]).unwrap().verify(&record, "123456", &mac));
    }
}
