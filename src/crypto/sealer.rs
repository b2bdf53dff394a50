//! Sealing of columns: AES-256-GCM, each value tied to its place.
//!
//! A sealed value is `version (1 byte: 1) | key id (4) | nonce (12) | ciphertext | tag (16)`. The key id says which
//! master key sealed it, so that several can be in use while they rotate.

use anyhow::{Context, anyhow};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::crypto::master_key::MasterKey;
use crate::error::Result;

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const HEADER: usize = 1 + KEY_ID;

/// Seals under the current master key and opens what any known one sealed.
pub struct Sealer {
    keys: Vec<SealingKey>,
}

struct SealingKey {
    id: [u8; KEY_ID],
    key: RandomizedNonceKey,
}

impl Sealer {
    /// Made from the master keys: `current` seals, all open.
    pub fn new(current: &MasterKey, older: &[MasterKey]) -> Result<Self> {
        Ok(Self { keys: std::iter::once(current).chain(older).map(SealingKey::new).collect::<Result<_>>()? })
    }

    /// Seals `plain` for this place. The name of a table or column holds no `|`; `row` is the row's key, as text.
    pub fn seal(&self, table: &'static str, row: &str, column: &'static str, plain: &[u8]) -> Result<Vec<u8>> {
        let current = self.keys.first().context("no master key")?;
        let header = current.header();
        let mut text = plain.to_vec();
        let nonce = current
            .key
            .seal_in_place_append_tag(Aad::from(place(&header, table, row, column)), &mut text)
            .map_err(|_| anyhow!("cannot seal {table}.{column}"))?;
        Ok([header.as_slice(), nonce.as_ref(), &text].concat())
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// Failed, naming table and column: changed, moved from another place, or sealed under a key that is not here.
    pub fn open(
        &self,
        table: &'static str,
        row: &str,
        column: &'static str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let opened = self.try_open(table, row, column, sealed);
        Ok(opened.with_context(|| {
            format!("cannot open {table}.{column}: it was changed or moved, or its master key is not configured")
        })?)
    }

    /// Whether the value was sealed under the current master key; if not, it is to be sealed again.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        self.keys.first().is_some_and(|current| sealed.starts_with(&current.header()))
    }

    fn try_open(&self, table: &str, row: &str, column: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (header, rest) = sealed.split_at_checked(HEADER)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        let key = self.keys.iter().find(|key| key.header() == header)?;
        let mut plain = Zeroizing::new(text.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = key.key.open_in_place(nonce, Aad::from(place(header, table, row, column)), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl SealingKey {
    fn new(master: &MasterKey) -> Result<Self> {
        let mut id = [0; KEY_ID];
        let derived = master.derive("countersign key id v1")?;
        id.iter_mut().zip(derived.iter()).for_each(|(to, from)| *to = *from);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*master.derive("countersign column sealing v1")?)
            .map_err(|_| anyhow!("cannot make the sealing key"))?;
        Ok(Self { id, key })
    }

    fn header(&self) -> [u8; HEADER] {
        let mut header = [VERSION; HEADER];
        header.iter_mut().skip(1).zip(self.id).for_each(|(to, from)| *to = from);
        header
    }
}

/// The associated data. Only `row` may hold a `|`, and it stands between two that do not, so no two places look alike.
fn place(header: &[u8], table: &str, row: &str, column: &str) -> Vec<u8> {
    [header, table.as_bytes(), b"|", row.as_bytes(), b"|", column.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let keeper = Sealer::new(&key(1), &[]).unwrap();
        let sealed = keeper.seal("users", "u1", "totp", b"secret").unwrap();
        assert_eq!(&**keeper.open("users", "u1", "totp", &sealed).unwrap(), b"secret");
        assert!(keeper.open("users", "u2", "totp", &sealed).is_err(), "another row");
        assert!(keeper.open("users", "u1", "mail", &sealed).is_err(), "another column");
        assert!(keeper.open("outbox", "u1", "totp", &sealed).is_err(), "another table");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, keeper.seal("users", "u1", "totp", b"secret").unwrap(), "nonces differ");
    }

    #[test]
    fn no_byte_may_change() {
        let keeper = Sealer::new(&key(1), &[]).unwrap();
        let sealed = keeper.seal("users", "u1", "totp", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keeper.open("users", "u1", "totp", &changed).is_err(), "byte {at}");
            assert!(keeper.open("users", "u1", "totp", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_stored_form_of_a_value_stays_as_it_is() {
        // Made with another implementation of HKDF and AES-GCM.
        let stored = "01e5c32833000102030405060708090a0beae4ffc793bb2addfb6e5b8a91f07f0419c5f0d124be";
        let stored: Vec<_> =
            (0..stored.len()).step_by(2).map(|at| u8::from_str_radix(&stored[at..at + 2], 16).unwrap()).collect();
        let keeper = Sealer::new(&key(1), &[]).unwrap();
        assert_eq!(&**keeper.open("users", "u1", "totp", &stored).unwrap(), b"secret");
    }

    #[test]
    fn an_older_master_key_still_opens_and_is_known_as_old() {
        let old = Sealer::new(&key(1), &[]).unwrap();
        let sealed = old.seal("users", "u1", "totp", b"").unwrap();
        let both = Sealer::new(&key(2), &[key(1)]).unwrap();
        assert!(both.open("users", "u1", "totp", &sealed).unwrap().is_empty());
        assert!(old.is_current(&sealed) && !both.is_current(&sealed));
        let error = Sealer::new(&key(2), &[]).unwrap().open("users", "u1", "totp", &sealed).unwrap_err();
        assert!(error.to_string().contains("users.totp"), "{error}");
    }
}
