//! `countersign migrate`.

use std::process::ExitCode;

use super::{ConfigFile, output};
use crate::storage::{Db, PoolLimits};

/// Create the database, or bring it up to date
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

/// Runs what has not run yet; `serve` and the other commands do the same.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.config.load()?.database;
    let limits = PoolLimits::of(&config, 2);
    let db = Db::connect(&config.url, limits).await?;
    let was_done = db.is_migrated().await.unwrap_or(false);
    db.migrate().await?;
    db.close().await;
    output::tell(if was_done { "the database was up to date" } else { "the database is up to date" });
    Ok(ExitCode::SUCCESS)
}
