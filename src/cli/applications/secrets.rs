//! `countersign applications secrets`.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{super::ConfigFile, NOBODY, offline, output};
use crate::{
    domain::{id::ApplicationId, time::Timestamp},
    management::applications::secrets::{self, NewSecret},
    storage::applications,
    web::json::{Kind, parse},
};

/// Add, list and delete secrets of an application
#[derive(clap::Subcommand)]
pub enum Command {
    /// Add a secret, which is shown this once
    Add {
        /// The application's id
        id: String,
        #[command(flatten)]
        config: ConfigFile,
        /// For people; no two of an application are the same
        #[arg(long)]
        name: String,
        /// When it expires, such as 2027-03-01T00:00:00Z; never without it
        #[arg(long, value_name = "MOMENT", value_parser = moment)]
        expires: Option<Timestamp>,
        /// Print one JSON object: name, value
        #[arg(long)]
        json: bool,
    },
    /// List the secrets of an application, oldest first; not what they are
    List {
        /// The application's id
        id: String,
        #[command(flatten)]
        config: ConfigFile,
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Delete a secret of an application
    Delete {
        /// The application's id
        id: String,
        #[command(flatten)]
        config: ConfigFile,
        /// The secret's name
        #[arg(long)]
        name: String,
    },
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "it is not a moment such as 2027-03-01T00:00:00Z".to_owned())
}

/// Runs one of them.
pub async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add { id, config, name, expires, json } => {
            let expires = expires.map(|moment| moment.0);
            add(&ApplicationId(id), &config, json!({ "name": name, "expiresAt": expires }), json).await
        }
        Command::List { id, config, json } => list(&ApplicationId(id), &config, json).await,
        Command::Delete { id, config, name } => delete(&ApplicationId(id), &config, &name).await,
    }
}

async fn add(id: &ApplicationId, config: &ConfigFile, new: serde_json::Value, as_json: bool) -> anyhow::Result<()> {
    let new: NewSecret = parse(&serde_json::to_vec(&new)?, Kind::Json).map_err(offline::told)?;
    let app = offline::app(config.load()?).await?;
    let mut session = app.db.write().await?;
    let (secret, value) = secrets::add(&app, &mut session, id, new, NOBODY).await.map_err(offline::told)?;
    session.commit().await?;
    app.db.close().await;
    if as_json {
        output::print_json(&json!({ "name": secret.name, "value": value.expose_secret() }));
    } else {
        output::print(format_args!("secret  {}", value.expose_secret()));
        output::tell("keep the secret: only its digest is stored");
    }
    Ok(())
}

async fn list(id: &ApplicationId, config: &ConfigFile, as_json: bool) -> anyhow::Result<()> {
    let app = offline::app(config.load()?).await?;
    let mut session = app.db.read().await?;
    let is_there = applications::find(&mut session, id).await?.is_some();
    let list = applications::list_secrets(&mut session, id).await?;
    drop(session);
    app.db.close().await;
    anyhow::ensure!(is_there, "there is no application {id}");
    if as_json {
        let list = list.iter().map(
            |secret| json!({ "name": secret.name, "createdAt": secret.created_at, "expiresAt": secret.expires_at }),
        );
        output::print_json(&list.collect());
        return Ok(());
    }
    for secret in &list {
        let expires = secret.expires_at.map(|moment| format!("  until {}", moment.to_iso())).unwrap_or_default();
        output::print(format_args!("{}  since {}{expires}", secret.name, secret.created_at.to_iso()));
    }
    Ok(())
}

async fn delete(id: &ApplicationId, config: &ConfigFile, name: &str) -> anyhow::Result<()> {
    let app = offline::app(config.load()?).await?;
    let mut session = app.db.write().await?;
    secrets::remove(&app, &mut session, id, name, NOBODY).await.map_err(offline::told)?;
    session.commit().await?;
    app.db.close().await;
    output::tell(format_args!("the secret {name:?} of {id} is deleted"));
    Ok(())
}
