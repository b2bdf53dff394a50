//! `[retention]`: how long what is over is kept before it is swept away.

use serde::Deserialize;

/// `[retention]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Hours a verification record is kept after it expired. Default 24.
    pub records_hours: u32,
    /// Hours a guess is kept, at least 2: the last hour counts. Default 24.
    pub guesses_hours: u32,
    /// Hours for which it is kept that a message was sent, and to whom (as a digest), at least 25. Default 48.
    pub sends_hours: u32,
    /// Hours a message's row is kept after it was delivered or given up; its content goes at once. Default 168.
    pub messages_hours: u32,
    /// Hours a subject token is kept after it expired, used or not. Default 24.
    pub subject_tokens_hours: u32,
    /// Hours codes and links to sign in with, authorization codes and refresh tokens are kept after they expired, used or not.
    /// Default 24.
    pub sign_in_hours: u32,
    /// Hours a session is kept after it ended, or its last token expired. Default 720.
    pub sessions_hours: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            records_hours: 24,
            guesses_hours: 24,
            sends_hours: 48,
            messages_hours: 168,
            subject_tokens_hours: 24,
            sign_in_hours: 24,
            sessions_hours: 720,
        }
    }
}

impl RetentionConfig {
    /// Refuses to forget what limits still count.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let least = [("guesses_hours", self.guesses_hours, 2), ("sends_hours", self.sends_hours, 25)];
        let is_short = |(_, hours, least): &(&str, u32, u32)| hours < least;
        let told = |(key, hours, least)| {
            format!("retention.{key} is {hours}: write at least {least}, because limits count what happened before")
        };
        least.into_iter().filter(is_short).map(told).collect()
    }
}
