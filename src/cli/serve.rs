//! `countersign serve`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;

use super::{
    ConfigFile, output,
    run::{self, Signals},
};
use crate::{config::Config, server, telemetry};

/// Serve, in production: refuses to start without what that needs
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Write the URL into this file once requests are answered
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Start although the audit log has events that are later than this machine's clock shows
    #[arg(long)]
    trust_clock: bool,
}

/// Serves until told to stop.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.config.load()?;
    telemetry::start(&config.log);
    let missing = missing(&config);
    anyhow::ensure!(missing.is_empty(), "the service cannot start:\n  - {}", missing.join("\n  - "));
    if let Some(path) = arguments.ready_file.as_ref().filter(|path| path.exists()) {
        // Whoever waits for the file must not find that of an earlier start.
        std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    let signals = Signals::take()?;
    raise_file_limit(config.limits.connections);
    let running =
        server::start(config, server::Options { trusts_clock: arguments.trust_clock, ..Default::default() }).await?;
    let (address, url) = (running.address, running.url());
    if let Some(path) = &arguments.ready_file {
        output::write_whole(path, &format!("{url}\n"))?;
    }
    tracing::info!(%address, url, issuer = running.app.urls.root, "ready, listening on {address}");
    run::until_told(running, signals).await
}

/// Every connection is an open file, and most systems begin with 1024 of these: takes what the configuration asks for, as far as the
/// system allows it.
fn raise_file_limit(connections: usize) {
    // Database, log and messages need some, too.
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(512);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(files) if files >= wanted => {}
        Ok(files) => tracing::warn!(
            files,
            wanted,
            "fewer files may be open than limits.connections needs; raise the limit of the system (`LimitNOFILE=` of systemd) or \
             lower limits.connections"
        ),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// What production needs and is not there, the key file among it.
pub fn missing(config: &Config) -> Vec<String> {
    let mut missing = config.missing_for_production();
    if let Some(file) = config.keys.master_key_file.as_ref().filter(|file| !file.exists()) {
        let file = file.display();
        missing.push(format!(
            "keys.master_key_file is {file}, where there is no file: make one with `countersign keys generate --master {file}` \
             (a new installation), or put the key there with which the database was made"
        ));
    }
    missing
}
