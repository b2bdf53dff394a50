//! `[keys]`.

use std::path::PathBuf;

use serde::Deserialize;

/// `[keys]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysConfig {
    /// File with the master key: 32 random bytes in Base64, written by `countersign keys generate --master FILE`. Required by `serve`.
    pub master_key_file: Option<PathBuf>,
}
