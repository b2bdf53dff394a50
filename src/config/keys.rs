//! `[keys]`.

use std::path::PathBuf;

use serde::Deserialize;

/// `[keys]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysConfig {
    /// File with the master key: 32 random bytes in Base64, written by `countersign keys generate --master FILE`. Required by `serve`.
    pub master_key_file: Option<PathBuf>,
    /// Files of further master keys, which open what they sealed but seal nothing: the next one before a change, the last one
    /// after it. Default: none.
    pub older_master_key_files: Vec<PathBuf>,
    /// Days after which a new key signs tokens; 0 leaves it to `countersign keys rotate`. Default 90.
    pub signing_rotation_days: u32,
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self { master_key_file: None, older_master_key_files: Vec::new(), signing_rotation_days: 90 }
    }
}
