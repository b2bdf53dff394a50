//! `countersign config`.

use std::process::ExitCode;

use super::{ConfigFile, output, serve};
use crate::{channels::Channels, config::EXAMPLE, operations, texts::Templates};

/// Show and check the configuration
#[derive(clap::Subcommand)]
pub enum Command {
    /// Print every key with its meaning and default
    Example,
    /// Say whether `serve` can use the configuration, and if not, everything that is wrong
    Check(ConfigFile),
}

/// Neither touches anything.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Example => output::print(EXAMPLE.trim_end()),
        Command::Check(file) => {
            let config = file.load()?;
            let mut problems = serve::missing(&config);
            problems.extend(Channels::from_config(&config.email, &config.sms).err().unwrap_or_default());
            let templates = Templates::load(&config.messages, config.sms.otp_host.as_deref());
            problems.extend(templates.err().unwrap_or_default());
            problems.extend(operations::policies(&config).err().unwrap_or_default());
            anyhow::ensure!(problems.is_empty(), "the configuration cannot be used:\n  - {}", problems.join("\n  - "));
            output::print("ok");
        }
    }
    Ok(ExitCode::SUCCESS)
}
