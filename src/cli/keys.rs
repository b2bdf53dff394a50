//! `countersign keys`.

use std::{path::PathBuf, process::ExitCode};

use serde_json::json;

use super::{ConfigFile, output};
use crate::{
    crypto::master_key::MasterKey,
    storage::{self, Db, PoolLimits},
};

/// Make and list keys
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write a new master key: 32 random bytes in Base64, readable by its owner alone. Never overwrites a file
    Generate {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        master: PathBuf,
    },
    /// List the keys that sign tokens, without their private halves
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
}

/// Makes or lists.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Generate { master } => {
            MasterKey::generate_file(&master)?;
            output::tell(format_args!(
                "{} holds a new master key; keep a copy apart from the database, which cannot be read without it",
                master.display()
            ));
        }
        Command::List { config, json } => list(&config, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: &ConfigFile, as_json: bool) -> anyhow::Result<()> {
    let config = config.load()?.database;
    let db = Db::connect(&config.url, PoolLimits { connections: 2, acquire_timeout: config.acquire_timeout() }).await?;
    db.migrate().await?;
    let keys = storage::keys::list(&mut db.read().await?).await?;
    db.close().await;
    if as_json {
        let list = keys.iter().map(|key| {
            json!({
                "kid": key.kid,
                "algorithm": key.algorithm,
                "createdAt": key.created_at.to_iso(),
                "retiredAt": key.retired_at.map(crate::domain::time::Timestamp::to_iso),
            })
        });
        output::print_json(&list.collect());
        return Ok(());
    }
    for key in &keys {
        let state = if key.retired_at.is_some() { "retired" } else { "signs" };
        output::print(format_args!("{}  {}  {}  {state}", key.kid, key.algorithm, key.created_at.to_iso()));
    }
    if keys.is_empty() {
        output::tell("there are no signing keys yet; the first start of the service makes one");
    }
    Ok(())
}
