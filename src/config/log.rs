//! `[log]`: what the log looks like. It goes to standard error.

use serde::Deserialize;

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How a line looks. Default `auto`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`; `RUST_LOG` goes before it. Default `info`.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".to_owned() }
    }
}

impl LogConfig {
    /// Refuses a level that is none.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        if LEVELS.contains(&self.level.as_str()) {
            Vec::new()
        } else {
            vec![format!("log.level is `{}`: write one of {}", self.level, LEVELS.join(", "))]
        }
    }
}
