//! `[pages]`: what the hosted pages look like.

use serde::Deserialize;

/// `[pages]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagesConfig {
    /// The colour of buttons and links, as `#rrggbb`; where it would be hard to read it is made darker or lighter. Default: `#1f4e79`.
    pub accent: String,
}

impl Default for PagesConfig {
    fn default() -> Self {
        Self { accent: "#1f4e79".to_owned() }
    }
}

impl PagesConfig {
    /// What is no colour.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        if self.rgb().is_some() {
            Vec::new()
        } else {
            vec![format!("pages.accent is {:?}: write a colour as #rrggbb, such as \"#1f4e79\"", self.accent)]
        }
    }

    /// Red, green and blue.
    #[must_use]
    pub fn rgb(&self) -> Option<[u8; 3]> {
        let digits = self.accent.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some([part(0)?, part(2)?, part(4)?])
    }
}
