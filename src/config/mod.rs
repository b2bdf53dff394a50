//! The configuration: defaults < file < environment < flags. One file a section; unknown keys are errors.

pub mod address;
mod database;
pub mod email;
mod hashing;
mod keys;
mod limits;
pub mod messages;
mod server;
pub mod sms;
pub mod trusted_issuers;

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

pub use database::DatabaseConfig;
pub use hashing::HashingConfig;
pub use keys::KeysConfig;
pub use limits::LimitsConfig;
pub use server::ServerConfig;

/// Everything an operator may set. `countersign config example` prints it with meanings and defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the service listens and how the outside sees it.
    pub server: ServerConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// E-mail.
    pub email: email::EmailConfig,
    /// Text messages.
    pub sms: sms::SmsConfig,
    /// What messages look like.
    pub messages: messages::MessagesConfig,
    /// Secrets of the service.
    pub keys: KeysConfig,
    /// What hashing a password costs.
    pub hashing: HashingConfig,
    /// Bounds.
    pub limits: LimitsConfig,
    /// Issuers whose access tokens are welcome beside our own.
    pub trusted_issuers: Vec<trusted_issuers::TrustedIssuer>,
}

const PREFIX: &str = "COUNTERSIGN_";

impl Config {
    /// Reads `file` when given, then the environment over it.
    ///
    /// # Errors
    /// Names the key, and what is wrong with it.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        Self::load_with(file, std::env::vars())
    }

    /// The same with an environment handed in.
    pub fn load_with(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut builder = config::Config::builder();
        if let Some(file) = file {
            anyhow::ensure!(
                file.is_file(),
                "there is no configuration file at {}; give its path with --config FILE (`countersign config example` prints one)",
                file.display()
            );
            builder = builder.add_source(config::File::from(file).format(config::FileFormat::Toml));
        }
        // Only COUNTERSIGN_<SECTION>__<KEY> is ours: other variables of that prefix are no keys.
        let ours = environment
            .into_iter()
            .filter(|(name, _)| name.strip_prefix(PREFIX).is_some_and(|key| key.contains("__")))
            .collect();
        let environment = config::Environment::with_prefix("COUNTERSIGN")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("server.trusted_proxies")
            .source(Some(ours));
        let config: Self = builder
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize)
            .context("the configuration cannot be used")?;
        let problems = config.problems();
        anyhow::ensure!(problems.is_empty(), "the configuration cannot be used:\n  - {}", problems.join("\n  - "));
        Ok(config)
    }

    /// What no type can say: every problem, one sentence each with the key, the value's shape and the fix.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.server.problems();
        problems.extend(self.email.route().err().unwrap_or_default());
        problems.extend(self.sms.route().err().unwrap_or_default());
        problems.extend(self.messages.problems());
        problems.extend(trusted_issuers::problems(&self.trusted_issuers));
        problems
    }
}
