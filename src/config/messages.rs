//! `[messages]`: what messages say.

use std::path::PathBuf;

use serde::Deserialize;

/// Settings of message texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessagesConfig {
    /// The name people know the service by, in every message. Default: `Countersign`.
    pub product: String,
    /// A folder of texts that replace the built-in ones: `<locale>/<Template>.subject.txt`, `.text.txt`, `.html` and
    /// `.sms.txt`. Default: none.
    pub templates_dir: Option<PathBuf>,
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self { product: "Countersign".to_owned(), templates_dir: None }
    }
}

impl MessagesConfig {
    /// Every problem of the section, one sentence each, with the key, what is wrong and what to write.
    ///
    /// The folder's files are judged when they are loaded.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let length = self.product.trim().chars().count();
        if (1..=64).contains(&length) {
            Vec::new()
        } else {
            vec![format!("messages.product has {length} characters: write the service's name in 1 to 64 characters")]
        }
    }
}
