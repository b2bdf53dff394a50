//! `countersign audit`.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use jsonwebtoken::jwk::JwkSet;

use super::{ConfigFile, offline, output};
use crate::{
    audit::{
        export::{self, Range},
        verify,
    },
    domain::time::Timestamp,
};

/// Export the audit log, and check exports
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write the audit log as JSON lines that `audit verify` can check; needs the master key, to sign the end
    Export {
        #[command(flatten)]
        config: ConfigFile,
        /// From the first event at this moment or later, such as 2026-11-20T12:00:00Z
        #[arg(long, value_parser = moment, value_name = "TIME")]
        from: Option<Timestamp>,
        /// Up to the last event before this moment
        #[arg(long, value_parser = moment, value_name = "TIME")]
        to: Option<Timestamp>,
        /// Write here instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check an export without a database: names the first line that is not what was signed
    Verify {
        /// The export
        file: PathBuf,
        /// The service's public keys, from `audit keys` or its `/oidc/jwks`. Without it, those that the export names itself
        #[arg(long, value_name = "FILE")]
        jwks: Option<PathBuf>,
    },
    /// Print the public keys that sign the audit log, for whoever is to check exports
    Keys {
        #[command(flatten)]
        config: ConfigFile,
    },
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "give a moment such as 2026-11-20T12:00:00Z".to_owned())
}

/// Runs one of them.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Export { config, from, to, out } => export(&config, Range { from, to }, out.as_deref()).await?,
        Command::Verify { file, jwks } => return check(&file, jwks.as_deref()),
        Command::Keys { config } => {
            let app = offline::app_with_keys(config.load()?).await?;
            output::print_json(&export::keys(&app).await?);
            app.db.close().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(config: &ConfigFile, range: Range, out: Option<&Path>) -> anyhow::Result<()> {
    let app = offline::app_with_keys(config.load()?).await?;
    let sink: Box<dyn Write> = match out {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(std::io::stdout()),
    };
    let exported = export::export(&app, range, &mut BufWriter::new(sink)).await;
    app.db.close().await;
    let exported = exported.context("the export is not whole, and has no signed end")?;
    output::tell(format_args!("{} events, up to {}", exported.events, exported.last));
    Ok(())
}

fn check(file: &Path, jwks: Option<&Path>) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let parse = |path: &Path| -> anyhow::Result<JwkSet> {
        serde_json::from_slice(&read(path)?).with_context(|| format!("{} is no JWK set", path.display()))
    };
    let keys = jwks.map(parse).transpose()?;
    let has_keys = keys.is_some();
    let source = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    match verify::verify(&mut BufReader::new(source), keys) {
        Ok(report) => {
            let (first, last) = report.places;
            let iso = Timestamp(report.exported_at.saturating_mul(1000)).to_iso();
            output::print(format_args!(
                "sound: {} events, {first} to {last}, exported {iso} by {}",
                last - first + 1,
                report.issuer
            ));
            output::print(format_args!("hash of the last: {}", report.hash));
            let kids = report.kids.into_iter().collect::<Vec<_>>().join(", ");
            if has_keys {
                output::print(format_args!("signed by: {kids}"));
            } else {
                output::print(format_args!("signed by: {kids}, as the export itself says; compare with `audit keys`"));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(problem) => {
            output::print(format_args!("{}: {problem}", file.display()));
            Ok(ExitCode::FAILURE)
        }
    }
}
