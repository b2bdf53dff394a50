//! `countersign keys`.

use std::{path::PathBuf, process::ExitCode};

use serde_json::{Value, json};

use super::{ConfigFile, offline, output};
use crate::{
    app::keys::{self, State},
    clock::{Clock, SystemClock},
    config::Config,
    crypto::master_key::MasterKey,
    jobs::{
        resealing,
        rotation::{self, Start},
    },
    server::Options,
    storage::{self, Db, PoolLimits, keys::StoredKey},
};

/// Make, list and change keys
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write a new master key: 32 random bytes in Base64, readable by its owner alone. Never overwrites a file
    Generate {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        master: PathBuf,
    },
    /// List the keys that sign tokens and what each is doing, without their private halves
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Let a new key sign tokens, while the service runs
    ///
    /// The new key is published at once and signs ten minutes later, when nobody keeps an older list of keys. The old one verifies
    /// until the last token it signed has expired; then its private half is removed.
    Rotate {
        #[command(flatten)]
        config: ConfigFile,
        /// Sign with the new key at once. Whoever verifies our tokens elsewhere refuses the new ones until they have fetched the key
        #[arg(long)]
        now: bool,
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Seal everything under a new master key, while the service runs
    ///
    /// 1. Write a new key: `countersign keys generate --master new.key`. On every node name it in `keys.older_master_key_files`, and
    ///    restart the nodes one by one: from now on all can open what it seals.
    /// 2. On every node swap the two: `keys.master_key_file` is the new one, the old one goes into `keys.older_master_key_files`. Restart
    ///    the nodes one by one.
    /// 3. Run this command with that configuration. It may be broken off and run again.
    /// 4. Ten minutes later no code made under the old key is alive: take it out of `keys.older_master_key_files`, and restart.
    ///
    /// No request is refused meanwhile, and no message is lost. With --new, step 3 may come before step 2; run it once more after
    /// step 2.
    #[command(verbatim_doc_comment)]
    RotateMaster {
        #[command(flatten)]
        config: ConfigFile,
        /// The new master key, where it is not `keys.master_key_file` yet
        #[arg(long, value_name = "FILE")]
        new: Option<PathBuf>,
    },
}

/// Makes, lists or changes.
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
        Command::Rotate { config, now, json } => rotate(&config, now, json).await?,
        Command::RotateMaster { config, new } => rotate_master(&config, new).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(config: &ConfigFile, as_json: bool) -> anyhow::Result<()> {
    let config = config.load()?.database;
    let db = Db::connect(&config.url, PoolLimits::of(&config, 2)).await?;
    db.migrate().await?;
    let rows = storage::keys::list(&mut db.read().await?).await?;
    db.close().await;
    let states = keys::states(&rows, SystemClock.now());
    if as_json {
        output::print_json(&rows.iter().zip(states).map(|(row, state)| described(row, state)).collect());
        return Ok(());
    }
    for (row, state) in rows.iter().zip(states) {
        let state = match state {
            State::Waiting => format!("signs from {}", row.signs_from.to_iso()),
            State::Signing => "signs".to_owned(),
            State::Verifying { until } => format!("verifies until {}", until.to_iso()),
            State::Over => "about to be retired".to_owned(),
            State::Retired => "retired".to_owned(),
        };
        output::print(format_args!("{}  {}  {}  {state}", row.kid, row.algorithm, row.created_at.to_iso()));
    }
    if rows.is_empty() {
        output::tell("there are no signing keys yet; the first start of the service makes one");
    }
    Ok(())
}

fn described(row: &StoredKey, state: State) -> Value {
    let (state, until) = match state {
        State::Waiting => ("waiting", None),
        State::Signing => ("signing", None),
        State::Verifying { until } => ("verifying", Some(until.to_iso())),
        State::Over => ("over", None),
        State::Retired => ("retired", None),
    };
    json!({
        "kid": row.kid,
        "algorithm": row.algorithm,
        "state": state,
        "createdAt": row.created_at.to_iso(),
        "signsFrom": row.signs_from.max(row.created_at).to_iso(),
        "verifiesUntil": until,
        "retiredAt": row.retired_at.map(crate::domain::time::Timestamp::to_iso),
        "publicKey": row.public_key.as_ref().map(|key| &key.0),
    })
}

async fn rotate(config: &ConfigFile, now: bool, as_json: bool) -> anyhow::Result<()> {
    let config = config.load()?;
    require_master_key(&config)?;
    let app = offline::app(config).await?;
    let start = if now { Start::Now } else { Start::AfterLead };
    let successors = rotation::rotate(&app, start, None).await.map_err(offline::told)?;
    app.db.close().await;
    if as_json {
        let shown = successors.iter().map(|successor| {
            json!({
                "kid": successor.kid,
                "algorithm": successor.algorithm.name(),
                "signsFrom": successor.signs_from.to_iso(),
            })
        });
        output::print_json(&shown.collect());
        return Ok(());
    }
    for successor in &successors {
        let (kid, algorithm) = (&successor.kid, successor.algorithm.name());
        output::print(format_args!("{kid}  {algorithm}  signs from {}", successor.signs_from.to_iso()));
    }
    if successors.is_empty() {
        output::tell("there are no signing keys yet; the first start of the service makes one");
    }
    Ok(())
}

async fn rotate_master(config: &ConfigFile, new: Option<PathBuf>) -> anyhow::Result<()> {
    let config = config.load()?;
    let current = require_master_key(&config)?;
    let mut options = Options::default();
    if let Some(file) = &new {
        let others = std::iter::once(&current).chain(&config.keys.older_master_key_files);
        options.older_master_keys = others.map(|file| MasterKey::read_file(file)).collect::<Result<_, _>>()?;
        options.master_key = Some(MasterKey::read_file(file)?);
    }
    let app = offline::app_with(config, options).await?;
    let done = resealing::reseal(&app, &app.sealer).await.map_err(offline::told)?;
    app.db.close().await;
    output::tell(format_args!("{} values were sealed anew", done.values));
    anyhow::ensure!(
        done.unreadable == 0,
        "{} values cannot be opened: name the key they were sealed under in keys.older_master_key_files, and run this again",
        done.unreadable
    );
    if new.is_some() {
        output::tell(
            "once every node seals under the new key (keys.master_key_file), run this again: they may have sealed something under \
             the old one meanwhile",
        );
    } else {
        output::tell("ten minutes from now the old key may be taken out of keys.older_master_key_files");
    }
    Ok(())
}

fn require_master_key(config: &Config) -> anyhow::Result<PathBuf> {
    let file = config.keys.master_key_file.clone().filter(|file| file.exists());
    file.ok_or_else(|| {
        anyhow::anyhow!(
            "keys.master_key_file: it names no file that is there; give the master key that the service uses"
        )
    })
}
