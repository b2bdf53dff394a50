//! `countersign applications`.

use std::process::ExitCode;

use serde_json::json;

use super::{ConfigFile, offline, output};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::digest,
    domain::{
        application::ApplicationType,
        id::{ApplicationId, random_text},
    },
    error::Result,
    storage::applications::{self, Application},
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
    /// May exchange subject tokens for tokens of users
    #[arg(long)]
    token_exchange: bool,
    /// Belongs to somebody else, and may not change accounts
    #[arg(long, conflicts_with_all = ["management", "token_exchange"])]
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

/// An application to be created.
pub struct New {
    pub name: String,
    pub description: Option<String>,
    pub kind: ApplicationType,
    pub is_third_party: bool,
    pub is_management: bool,
    pub allow_token_exchange: bool,
}

/// Creates an application, with a secret where it can keep one.
pub async fn create(app: &App, new: New) -> Result<(Application, Option<String>)> {
    let now = app.now();
    let application = Application {
        id: ApplicationId::random(&*app.random),
        name: new.name,
        description: new.description,
        kind: new.kind.name().to_owned(),
        is_third_party: new.is_third_party,
        is_management: new.is_management,
        allow_token_exchange: new.allow_token_exchange,
        oidc_client_metadata: sqlx::types::Json::default(),
        custom_data: sqlx::types::Json::default(),
        created_at: now,
    };
    let secret = new.kind.is_confidential().then(|| random_text(&*app.random, 32));
    let mut session = app.db.write().await?;
    applications::add(&mut session, &application).await?;
    if let Some(secret) = &secret {
        applications::add_secret(&mut session, &application.id, &digest(secret.as_bytes()), "Default secret", now)
            .await?;
    }
    let actor = Actor { user: None, application: Some(&application.id), client: None };
    let data = json!({ "type": application.kind, "by": "command line" });
    audit::write(app, &mut session, "application.created", actor, data).await?;
    session.commit().await?;
    Ok((application, secret))
}

async fn create_one(arguments: Create) -> anyhow::Result<()> {
    let Create { config, name, description, kind, management, token_exchange, third_party, json: as_json } = arguments;
    let app = offline::app(config.load()?).await?;
    let new = New {
        name,
        description,
        kind,
        is_third_party: third_party,
        is_management: management,
        allow_token_exchange: token_exchange,
    };
    let (application, secret) = create(&app, new).await.map_err(offline::told)?;
    app.db.close().await;
    if as_json {
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
    let actor = Actor { user: None, application: Some(&id), client: None };
    audit::write(&app, &mut session, "application.deleted", actor, json!({ "by": "command line" })).await?;
    session.commit().await?;
    app.db.close().await;
    output::tell(format_args!("{id} is deleted"));
    Ok(())
}
