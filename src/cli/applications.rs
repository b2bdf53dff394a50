//! `countersign applications`.

use std::process::ExitCode;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{ConfigFile, offline, output};
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{application::ApplicationType, id::ApplicationId},
    error::Result,
    management::applications::{self as management, NewApplication},
    storage::applications::{self, Application},
    web::json::{Kind, parse},
};

/// Create, list and delete client applications
#[derive(clap::Subcommand)]
pub enum Command {
    /// Create an application; its secret is shown this once
    Create(Create),
    /// List applications, newest first
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Delete an application with its secrets
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "one switch each")]
pub struct Create {
    #[command(flatten)]
    config: ConfigFile,
    /// For people
    #[arg(long)]
    name: String,
    /// For people
    #[arg(long)]
    description: Option<String>,
    /// native, spa, traditional or machine-to-machine
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kind: ApplicationType,
    /// May use the management API
    #[arg(long)]
    management: bool,
    /// May not exchange subject tokens for tokens of users
    #[arg(long)]
    no_token_exchange: bool,
    /// Belongs to somebody else, and may not change accounts
    #[arg(long, conflicts_with = "management")]
    third_party: bool,
    /// Print one JSON object: id, secret
    #[arg(long)]
    json: bool,
}

fn kind(text: &str) -> Result<ApplicationType, String> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let found = ApplicationType::ALL.iter().copied().find(|kind| plain(kind.name()) == plain(text));
    found.ok_or_else(|| "it is none of native, spa, traditional, machine-to-machine".to_owned())
}

/// Runs one of them.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(arguments) => create_one(arguments).await?,
        Command::List { config, json } => list(&config, json).await?,
        Command::Delete { id, config } => delete(&config, ApplicationId(id)).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Creates an application, with a secret where it can keep one.
pub async fn create(app: &App, new: NewApplication) -> Result<(Application, Option<SecretString>)> {
    let mut session = app.db.write().await?;
    let actor = Actor { user: None, application: None, client: None };
    let created = management::create(app, &mut session, new, actor).await?;
    session.commit().await?;
    Ok(created)
}

async fn create_one(arguments: Create) -> anyhow::Result<()> {
    let new = json!({
        "name": arguments.name,
        "description": arguments.description,
        "type": arguments.kind,
        "isThirdParty": arguments.third_party,
        "isManagement": arguments.management,
        "customClientMetadata": { "allowTokenExchange": !(arguments.no_token_exchange || arguments.third_party) },
    });
    let new: NewApplication = parse(&serde_json::to_vec(&new)?, Kind::Json).map_err(offline::told)?;
    let app = offline::app(arguments.config.load()?).await?;
    let (application, secret) = create(&app, new).await.map_err(offline::told)?;
    app.db.close().await;
    let secret = secret.as_ref().map(ExposeSecret::expose_secret);
    if arguments.json {
        output::print_json(&json!({ "id": application.id, "secret": secret }));
    } else {
        output::print(format_args!("id      {}", application.id));
        if let Some(secret) = secret {
            output::print(format_args!("secret  {secret}"));
            output::tell("keep the secret: only its digest is stored");
        }
    }
    Ok(())
}

async fn list(config: &ConfigFile, as_json: bool) -> anyhow::Result<()> {
    let app = offline::app(config.load()?).await?;
    let list = applications::list(&mut app.db.read().await?, i64::MAX, 0).await?;
    app.db.close().await;
    if as_json {
        let list = list.iter().map(|application| {
            json!({
                "id": application.id,
                "name": application.name,
                "description": application.description,
                "type": application.kind,
                "isThirdParty": application.is_third_party,
                "isManagement": application.is_management,
                "createdAt": application.created_at,
            })
        });
        output::print_json(&list.collect());
        return Ok(());
    }
    for application in &list {
        let rights = if application.is_management { "  management" } else { "" };
        output::print(format_args!("{}  {}  {}{rights}", application.id, application.kind, application.name));
    }
    Ok(())
}

async fn delete(config: &ConfigFile, id: ApplicationId) -> anyhow::Result<()> {
    let app = offline::app(config.load()?).await?;
    let mut session = app.db.write().await?;
    anyhow::ensure!(applications::delete(&mut session, &id).await?, "there is no application {id}");
    let actor = Actor { user: None, application: None, client: None };
    let data = json!({ "id": id, "by": "command line" });
    audit::write(&app, &mut session, "application.deleted", actor, data).await?;
    session.commit().await?;
    app.db.close().await;
    output::tell(format_args!("{id} is deleted"));
    Ok(())
}
