//! The configuration: defaults < file < environment < flags. One file a section; unknown keys are errors.

pub mod address;
mod audit;
mod database;
pub mod email;
mod environment;
pub mod forward_auth;
mod hashing;
mod keys;
mod limits;
mod log;
pub mod messages;
pub mod operations;
pub mod pages;
mod retention;
mod server;
pub mod sign_in;
pub mod sms;
pub mod trusted_issuers;
mod webhooks;

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::domain::policy::BUILT_IN_AREA;

pub use audit::AuditConfig;
pub use database::DatabaseConfig;
pub use forward_auth::ForwardAuthConfig;
pub use hashing::HashingConfig;
pub use keys::KeysConfig;
pub use limits::LimitsConfig;
pub use log::{LogConfig, LogFormat};
pub use retention::RetentionConfig;
pub use server::ServerConfig;
pub use webhooks::WebhooksConfig;

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
    /// What hosted pages look like.
    pub pages: pages::PagesConfig,
    /// Webhooks.
    pub webhooks: WebhooksConfig,
    /// Secrets of the service.
    pub keys: KeysConfig,
    /// What hashing a password costs.
    pub hashing: HashingConfig,
    /// Bounds.
    pub limits: LimitsConfig,
    /// The audit log.
    pub audit: AuditConfig,
    /// Signing in without a password.
    pub sign_in: sign_in::SignInConfig,
    /// Requests at other back ends, asked about by proxies.
    pub forward_auth: ForwardAuthConfig,
    /// How long what is over is kept.
    pub retention: RetentionConfig,
    /// The log.
    pub log: LogConfig,
    /// Issuers whose access tokens are welcome beside our own.
    pub trusted_issuers: Vec<trusted_issuers::TrustedIssuer>,
    /// What operations demand.
    pub operations: Vec<operations::OperationConfig>,
}

/// Every key with its meaning and default, commented out: a file to start from.
pub const EXAMPLE: &str = include_str!("example.toml");

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
        for (path, value) in environment::keys(environment) {
            builder = builder.set_override(&path, value).with_context(|| format!("the configuration key {path}"))?;
        }
        let config: Self =
            builder.build().and_then(config::Config::try_deserialize).context("the configuration cannot be used")?;
        let problems = config.problems();
        anyhow::ensure!(problems.is_empty(), "the configuration cannot be used:\n  - {}", problems.join("\n  - "));
        Ok(config)
    }

    /// What no type can say: every problem, one sentence each with the key, the value's shape and the fix.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.server.problems();
        problems.extend(self.database.problems());
        problems.extend(self.email.route().err().unwrap_or_default());
        problems.extend(self.sms.route().err().unwrap_or_default());
        problems.extend(self.messages.problems());
        problems.extend(self.pages.problems());
        problems.extend(self.limits.problems());
        problems.extend(self.sign_in.problems());
        problems.extend(self.forward_auth.problems());
        problems.extend(self.forward_auth.unknown_operations(|name| {
            !name.starts_with(BUILT_IN_AREA) && self.operations.iter().any(|operation| operation.name == name)
        }));
        problems.extend(self.retention.problems());
        problems.extend(self.log.problems());
        problems.extend(trusted_issuers::problems(&self.trusted_issuers));
        problems.extend(operations::policies(&self.operations).err().unwrap_or_default());
        problems
    }

    /// What production needs and is not there: one sentence each with the key, its shape and how to mend it.
    #[must_use]
    pub fn missing_for_production(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.server.public_url.is_none() {
            missing.push(
                "server.public_url is missing: write the URL under which clients reach this service, which is the issuer of \
                 its tokens, such as public_url = \"https://accounts.example.com\" in [server], or set \
                 COUNTERSIGN_SERVER__PUBLIC_URL"
                    .to_owned(),
            );
        }
        if self.keys.master_key_file.is_none() {
            missing.push(
                "keys.master_key_file is missing: make a key with `countersign keys generate --master countersign.key`, and \
                 write master_key_file = \"countersign.key\" in [keys], or set COUNTERSIGN_KEYS__MASTER_KEY_FILE"
                    .to_owned(),
            );
        }
        if self.email.smtp_url.is_none() && self.email.hook_url.is_none() {
            missing.push(
                "email.smtp_url is missing: write the mail server, such as smtp_url = \"smtps://user:password@mail.example.com\", \
                 and from = \"Example <no-reply@example.com>\" in [email], or hook_url for an HTTP endpoint that sends mail; in \
                 the environment COUNTERSIGN_EMAIL__SMTP_URL and COUNTERSIGN_EMAIL__FROM"
                    .to_owned(),
            );
        }
        missing
    }
}

#[cfg(test)]
mod tests;
