//! The master key: 32 random bytes in a file outside the database, from which every other key at rest is derived.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use aws_lc_rs::hkdf;
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::crypto::random::SystemRandom;
use crate::domain::id::Random;
use crate::error::Result;

/// The key everything at rest hangs from. Wiped from memory when dropped; `Debug` shows nothing of it.
pub struct MasterKey(Zeroizing<[u8; Self::LENGTH]>);

impl MasterKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 32;

    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        SystemRandom.fill(&mut *bytes);
        Self(bytes)
    }

    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Makes a key and writes it to a new file: one line of Base64, mode 0600, on the disk when this returns.
    ///
    /// An existing file is never touched: what was sealed under its key would be lost.
    pub fn generate_file(path: &Path) -> Result<Self> {
        let key = Self::generate();
        let line = Zeroizing::new(format!("{}\n", Zeroizing::new(STANDARD.encode(*key.0)).as_str()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => anyhow!(
                "{} exists already, and a master key is never overwritten, because what it sealed would be lost; \
                 choose another path",
                path.display()
            ),
            _ => anyhow!(error).context(format!("cannot create the master key file {}", path.display())),
        })?;
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
        if let Err(error) = written {
            // Half a key helps nobody and would block the next attempt; the write's error is the one to tell.
            let _ = std::fs::remove_file(path);
            return Err(anyhow!(error).context(format!("cannot write the master key file {}", path.display())).into());
        }
        Ok(key)
    }

    /// Reads the file that [`Self::generate_file`] wrote. Warns in the log when others may read it.
    pub fn read_file(path: &Path) -> Result<Self> {
        let shown = path.display();
        let fix = format!("make one with `countersign keys generate --master {shown}`");
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .with_context(|| format!("cannot read the master key file {shown}; {fix}"))?;
        let key = Self::parse(&text).ok_or_else(|| {
            anyhow!(
                "the master key file {shown} must hold {} bytes as one line of Base64 (44 characters); \
                 put the right file there, or, when nothing was sealed yet, remove it and {fix}",
                Self::LENGTH
            )
        })?;
        if is_readable_by_others(path) {
            tracing::warn!(path = %shown, "others may read the master key file; run `chmod 600` on it");
        }
        Ok(key)
    }

    /// A key of 32 bytes for one purpose: HKDF-SHA-256 (RFC 5869) with `label` as the info.
    pub(crate) fn derive(&self, label: &str) -> Result<Zeroizing<[u8; 32]>> {
        let mut out = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign")
            .extract(&*self.0)
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut *out))
            .map_err(|_| anyhow!("cannot derive the key for {label}"))?;
        Ok(out)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
        bytes.as_slice().try_into().ok().map(Self::from_bytes)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The new name must survive a power cut as well as the content.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_file_reads_back_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.key");
        let key = MasterKey::generate_file(&path).unwrap();
        assert_eq!(*key.0, *MasterKey::read_file(&path).unwrap().0);
        assert_eq!(std::fs::read_to_string(&path).unwrap().len(), 45);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(!is_readable_by_others(&path));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            assert!(is_readable_by_others(&path));
        }
    }

    #[test]
    fn a_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.key");
        std::fs::write(&path, "precious").unwrap();
        let error = MasterKey::generate_file(&path).unwrap_err().to_string();
        assert!(error.contains("never overwritten") && error.contains("countersign.key"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_missing_or_odd_file_names_path_shape_and_fix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.key");
        let error = MasterKey::read_file(&path).unwrap_err().to_string();
        assert!(error.contains("countersign keys generate --master") && error.contains("countersign.key"), "{error}");
        for odd in ["", "not base64 at all", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            std::fs::write(&path, odd).unwrap();
            let error = MasterKey::read_file(&path).unwrap_err().to_string();
            assert!(error.contains("32 bytes") && error.contains("countersign keys generate --master"), "{error}");
            assert!(odd.is_empty() || !error.contains(odd), "the content must not be shown");
        }
    }

    #[test]
    fn labels_and_master_keys_give_different_keys() {
        let key = MasterKey::from_bytes([1; 32]);
        assert_eq!(*key.derive("a").unwrap(), *key.derive("a").unwrap());
        assert_ne!(*key.derive("a").unwrap(), *key.derive("b").unwrap());
        assert_ne!(*key.derive("a").unwrap(), *MasterKey::from_bytes([2; 32]).derive("a").unwrap());
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
    }
}
