//! `countersign doctor`: tries everything the service needs, and says in words what is wrong and how to mend it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Value, json};

use super::{ConfigFile, output, serve};
use crate::{
    app::keys as signing,
    channels::{Channels, webhook::Webhooks},
    clock::{Clock, SystemClock},
    config::Config,
    crypto::{issuers::TrustedIssuers, master_key::MasterKey, sealer::Sealer},
    domain::time::Timestamp,
    hooks::config::unseal,
    storage::{self, Db, PoolLimits},
    texts::Templates,
};

/// Try configuration, database, keys, mail, text messages, issuers and clock, and say what is wrong
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Print the findings as one JSON array
    #[arg(long)]
    json: bool,
}

/// What was tried and what came of it.
struct Findings {
    list: Vec<(String, Result<String, String>)>,
    as_json: bool,
}

impl Findings {
    fn add(&mut self, what: impl Into<String>, outcome: Result<String, String>) {
        let what = what.into();
        if !self.as_json {
            let (mark, text) = match &outcome {
                Ok(text) => ("ok   ", text),
                Err(text) => ("WRONG", text),
            };
            output::print(format_args!("{mark}  {what}: {text}"));
        }
        self.list.push((what, outcome));
    }

    fn finish(self) -> ExitCode {
        let is_well = self.list.iter().all(|(_, outcome)| outcome.is_ok());
        if self.as_json {
            let entry = |(what, outcome): &(String, Result<String, String>)| {
                let (Ok(text) | Err(text)) = outcome;
                json!({ "what": what, "ok": outcome.is_ok(), "text": text })
            };
            output::print_json(&self.list.iter().map(entry).collect::<Value>());
        }
        if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Tries it all; nothing is changed and no message is sent.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut findings = Findings { list: Vec::new(), as_json: arguments.json };
    let config = match arguments.config.load() {
        Ok(config) => config,
        Err(error) => {
            findings.add("configuration", Err(format!("{error:#}")));
            return Ok(findings.finish());
        }
    };
    let mut problems = serve::missing(&config);
    problems.extend(Templates::load(&config.messages, config.sms.otp_host.as_deref()).err().unwrap_or_default());
    if problems.is_empty() {
        findings.add("configuration", Ok("it can be used".to_owned()));
    }
    for problem in problems {
        findings.add("configuration", Err(problem));
    }
    let sealer = config
        .keys
        .master_key_file
        .as_deref()
        .filter(|file| file.exists())
        .and_then(|file| master_key(&mut findings, file, &config.keys.older_master_key_files));
    database(&mut findings, &config, sealer.as_ref()).await;
    channels(&mut findings, &config).await;
    issuers(&mut findings, &config).await;
    Ok(findings.finish())
}

fn master_key(findings: &mut Findings, file: &Path, older: &[PathBuf]) -> Option<Sealer> {
    let sealer = MasterKey::read_file(file).and_then(|key| Sealer::new(&key, &older_keys(older)?));
    let outcome = sealer.as_ref().map(|_| format!("{} can be read", file.display())).map_err(ToString::to_string);
    findings.add("master key", outcome);
    sealer.ok()
}

fn older_keys(files: &[PathBuf]) -> Result<Vec<MasterKey>, crate::error::Error> {
    files.iter().map(|file| MasterKey::read_file(file)).collect()
}

async fn database(findings: &mut Findings, config: &Config, sealer: Option<&Sealer>) {
    let url = &config.database.url;
    let path = url.strip_prefix("sqlite://").map(|path| path.split('?').next().unwrap_or(path));
    if let Some(path) = path.filter(|path| !Path::new(path).exists()) {
        let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
        findings.add(
            "database",
            match folder.filter(|folder| !folder.is_dir()) {
                Some(folder) => {
                    Err(format!("the folder {} is not there; make it, or change database.url", folder.display()))
                }
                None => Ok(format!("{path} is not there yet; the first start makes it")),
            },
        );
        return;
    }
    let limits = PoolLimits::of(&config.database, 2);
    let db = match Db::connect(url, limits).await {
        Ok(db) => db,
        Err(error) => return findings.add("database", Err(format!("{error:#}"))),
    };
    match db.is_migrated().await {
        Ok(true) => findings.add("database", Ok("it answers, and its schema is up to date".to_owned())),
        Ok(false) => {
            return findings.add(
                "database",
                Err("it answers, but its schema is not up to date; run `countersign migrate`, or start the service"
                    .to_owned()),
            );
        }
        Err(error) => return findings.add("database", Err(error.to_string())),
    }
    signing_keys(findings, &db, sealer).await;
    if let Some(sealer) = sealer {
        webhooks(findings, config, &db, sealer).await;
    }
    db.close().await;
}

async fn signing_keys(findings: &mut Findings, db: &Db, sealer: Option<&Sealer>) {
    let list = async { Ok::<_, crate::error::Error>(storage::keys::list(&mut db.read().await?).await?) };
    let keys = match list.await {
        Ok(keys) => keys,
        Err(error) => return findings.add("signing keys", Err(error.to_string())),
    };
    clock(findings, keys.iter().map(|key| key.created_at).max());
    let Some(sealer) = sealer else { return };
    let unreadable = keys.iter().find(|key| key.retired_at.is_none() && signing::open(key, sealer).is_err());
    let in_use = keys.iter().filter(|key| key.retired_at.is_none()).count();
    findings.add(
        "signing keys",
        match unreadable {
            Some(key) => Err(format!(
                "the key {} does not open with this master key; put the master key there with which the database was made",
                key.kid
            )),
            None if keys.is_empty() => Ok("there are none yet; the first start makes one".to_owned()),
            None => Ok(format!("{in_use} of {} are in use, and open with the master key", keys.len())),
        },
    );
}

/// Whether those that are registered can be read, and may be reached as their names resolve here and now.
async fn webhooks(findings: &mut Findings, config: &Config, db: &Db, sealer: &Sealer) {
    let list = async { Ok::<_, crate::error::Error>(storage::hooks::list(&mut db.read().await?, i64::MAX, 0).await?) };
    let (hooks, way) = match (list.await, Webhooks::new(&config.webhooks.allowed_networks)) {
        (Ok(hooks), Ok(way)) => (hooks, way),
        (Err(error), _) => return findings.add("webhooks", Err(error.to_string())),
        (_, Err(problem)) => return findings.add("webhooks", Err(problem)),
    };
    for hook in hooks.iter().filter(|hook| hook.enabled) {
        let outcome = match unseal(sealer, hook) {
            Ok((config, _)) => way.check(config.url.get()).await.map_err(|problem| {
                format!("{problem}; change the webhook, or allow its network in webhooks.allowed_networks")
            }),
            Err(error) => Err(error.to_string()),
        };
        findings.add(format!("webhook {}", hook.id), outcome.map(|()| "it may be reached".to_owned()));
    }
}

/// The database remembers moments that have been: a clock behind them is wrong.
fn clock(findings: &mut Findings, latest: Option<Timestamp>) {
    let now = SystemClock.now();
    let outcome = match latest {
        Some(latest) if latest > now => Err(format!(
            "it shows {}, but the database has an entry of {}; set the clock, best by NTP",
            now.to_iso(),
            latest.to_iso()
        )),
        _ => Ok(format!("it shows {}", now.to_iso())),
    };
    findings.add("clock", outcome);
}

async fn channels(findings: &mut Findings, config: &Config) {
    match Channels::from_config(&config.email, &config.sms) {
        Ok(channels) => {
            for (kind, outcome) in channels.check().await {
                let name = kind.name();
                let mend = |error| format!("{error}; mend [{name}] in the configuration, or the service it names");
                findings.add(name, outcome.map_err(mend));
            }
            if channels.sms.is_none() {
                findings.add(
                    "sms",
                    Ok("not configured: text messages are answered with 501 connector.not_found".to_owned()),
                );
            }
        }
        Err(problems) => {
            for problem in problems {
                findings.add("channels", Err(problem));
            }
        }
    }
}

async fn issuers(findings: &mut Findings, config: &Config) {
    let issuers = match TrustedIssuers::new(&config.trusted_issuers) {
        Ok(issuers) => issuers,
        Err(error) => return findings.add("trusted issuers", Err(error.to_string())),
    };
    for (issuer, outcome) in issuers.probe().await {
        let outcome = outcome.map(|keys| format!("it publishes {keys} keys")).map_err(|error| {
            format!("{error}; check trusted_issuers.issuer, discovery_url and jwks_url, and that this machine may reach them")
        });
        findings.add(format!("issuer {issuer}"), outcome);
    }
}
