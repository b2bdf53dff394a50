//! `[sign_in]`: signing in without a password.

use serde::Deserialize;

use crate::domain::application::Connection;

/// `[sign_in]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignInConfig {
    /// Codes and links by e-mail.
    pub email: ConnectionConfig,
    /// Codes by text message.
    pub sms: ConnectionConfig,
    /// Whether a link that was mailed opens only in the browser that asked for it. Default false.
    pub strict_same_browser: bool,
    /// Requests for a code or link that one client address may make in an hour, over all nodes, when no secret of an application
    /// comes with them; 0 for no limit. Default 50.
    pub starts_per_hour: u32,
    /// Days without use after which a refresh token is worthless. Default 30.
    pub refresh_days: u32,
    /// Days after signing in when refreshing ends, however often it was done; at least `refresh_days`. Default 365.
    pub refresh_longest_days: u32,
    /// Days after which a browser signs in again. Default 14.
    pub session_days: u32,
    /// Audiences beside our own that access tokens may be asked for: other APIs that take our tokens. Default: none.
    pub audiences: Vec<String>,
}

/// `[sign_in.email]`, `[sign_in.sms]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionConfig {
    /// Whether anybody may sign in this way. Default true.
    pub enabled: bool,
    /// Seconds a code or link works, 60 to 3600. Default 300.
    pub code_seconds: u32,
    /// Digits of a code, 6 to 10. Default 6.
    pub code_digits: u8,
    /// Wrong codes before a new one must be asked for, 1 to 10. Default 3.
    pub tries: u32,
    /// Whether an unknown address makes a new account. Default true.
    pub sign_up: bool,
}

impl Default for SignInConfig {
    fn default() -> Self {
        Self {
            email: ConnectionConfig::default(),
            sms: ConnectionConfig::default(),
            strict_same_browser: false,
            starts_per_hour: 50,
            refresh_days: 30,
            refresh_longest_days: 365,
            session_days: 14,
            audiences: Vec::new(),
        }
    }
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self { enabled: true, code_seconds: 300, code_digits: 6, tries: 3, sign_up: true }
    }
}

impl SignInConfig {
    /// The section of one connection.
    #[must_use]
    pub fn of(&self, connection: Connection) -> &ConnectionConfig {
        match connection {
            Connection::Email => &self.email,
            Connection::Sms => &self.sms,
        }
    }

    /// Numbers out of bounds.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for connection in Connection::ALL {
            let (name, section) = (connection.name(), self.of(*connection));
            let bounds = [
                ("code_seconds", section.code_seconds, 60, 3600),
                ("code_digits", u32::from(section.code_digits), 6, 10),
                ("tries", section.tries, 1, 10),
            ];
            let is_out = |(_, value, least, most): &(&str, u32, u32, u32)| value < least || value > most;
            problems.extend(bounds.into_iter().filter(is_out).map(|(key, value, least, most)| {
                format!("sign_in.{name}.{key} is {value}: write a number from {least} to {most}")
            }));
        }
        let days = [
            ("refresh_days", self.refresh_days),
            ("refresh_longest_days", self.refresh_longest_days),
            ("session_days", self.session_days),
        ];
        if self.refresh_longest_days < self.refresh_days {
            problems.push("sign_in.refresh_longest_days is less than sign_in.refresh_days".to_owned());
        }
        for (key, days) in days {
            if !(1..=3650).contains(&days) {
                problems.push(format!("sign_in.{key} is {days}: write a number of days from 1 to 3650"));
            }
        }
        problems
    }
}
