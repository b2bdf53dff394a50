//! `countersign applications`.

mod secrets;
mod sign_in;

use std::process::ExitCode;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use self::sign_in::SignIn;
use super::{ConfigFile, offline, output};
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{application::ApplicationType, id::ApplicationId, refusal::Code},
    error::Result,
    management::applications::{self as management, ApplicationChanges, NewApplication},
    storage::applications::{self, Application},
    web::json::{Kind, parse},
};

/// Create, change, list and delete client applications
#[derive(clap::Subcommand)]
pub enum Command {
    /// Create an application; its secret is shown this once
    Create(Create),
    /// Change an application; what is not named stays as it is
    Update(Update),
    /// Add, list and delete secrets; an application has two at most
    #[command(subcommand)]
    Secrets(secrets::Command),
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
    /// An id of your choice, such as one that `redeemers` in the configuration names; a random one without it
    #[arg(long, value_name = "ID", value_parser = id)]
    id: Option<ApplicationId>,
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
    #[command(flatten)]
    sign_in: SignIn,
}

#[derive(clap::Args)]
pub struct Update {
    /// Its id
    id: String,
    #[command(flatten)]
    config: ConfigFile,
    /// For people
    #[arg(long)]
    name: Option<String>,
    /// For people
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    sign_in: SignIn,
}

/// Who acts where the command line does.
const NOBODY: Actor<'static> = Actor { user: None, application: None, client: None };

fn kind(text: &str) -> Result<ApplicationType, String> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let found = ApplicationType::ALL.iter().copied().find(|kind| plain(kind.name()) == plain(text));
    found.ok_or_else(|| "it is none of native, spa, traditional, machine-to-machine".to_owned())
}

/// Letters of random ids, and `-` and `_` to tell words apart.
fn id(text: &str) -> Result<ApplicationId, String> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(is_letter) {
        return Ok(ApplicationId(text.to_owned()));
    }
    Err("expected 1 to 64 of a-z, 0-9, \"-\" and \"_\"".to_owned())
}

/// Runs one of them.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(arguments) => create_one(arguments).await?,
        Command::Update(arguments) => update(arguments).await?,
        Command::Secrets(command) => secrets::run(command).await?,
        Command::List { config, json } => list(&config, json).await?,
        Command::Delete { id, config } => delete(&config, ApplicationId(id)).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Creates an application, with a secret where it can keep one.
pub async fn create(app: &App, new: NewApplication) -> Result<(Application, Option<SecretString>)> {
    let mut session = app.db.write().await?;
    let created = management::create(app, &mut session, new, NOBODY).await?;
    session.commit().await?;
    Ok(created)
}

async fn create_one(arguments: Create) -> anyhow::Result<()> {
    let mut new = json!({
        "name": arguments.name,
        "description": arguments.description,
        "type": arguments.kind,
        "isThirdParty": arguments.third_party,
        "isManagement": arguments.management,
        "customClientMetadata": { "allowTokenExchange": !(arguments.no_token_exchange || arguments.third_party) },
    });
    arguments.sign_in.put_into(&mut new)?;
    let mut new: NewApplication = parse(&serde_json::to_vec(&new)?, Kind::Json).map_err(offline::told)?;
    new.id = arguments.id;
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

async fn update(arguments: Update) -> anyhow::Result<()> {
    let named = [("name", arguments.name), ("description", arguments.description)];
    let mut changes: Value =
        named.into_iter().filter_map(|(member, text)| Some((member.to_owned(), Value::from(text?)))).collect();
    arguments.sign_in.put_into(&mut changes)?;
    let app = offline::app(arguments.config.load()?).await?;
    let mut session = app.db.write().await?;
    let id = ApplicationId(arguments.id);
    let before =
        applications::lock(&mut session, &id).await?.with_context(|| format!("there is no application {id}"))?;
    if let Some(metadata) = changes.get_mut("oidcClientMetadata").and_then(Value::as_object_mut) {
        // The API replaces both lists together.
        for (member, uris) in before.oidc_client_metadata.0 {
            metadata.entry(member).or_insert(uris);
        }
    }
    let changes: ApplicationChanges = parse(&serde_json::to_vec(&changes)?, Kind::Json).map_err(offline::told)?;
    management::change(&app, &mut session, &id, changes, NOBODY).await.map_err(offline::told)?;
    session.commit().await?;
    app.db.close().await;
    output::tell(format_args!("{id} is changed"));
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
    match management::remove(&mut session, &id).await {
        Err(error) if error.code() == Code::EntityNotFound => anyhow::bail!("there is no application {id}"),
        outcome => outcome.map_err(offline::told)?,
    }
    let data = json!({ "id": id, "by": "command line" });
    audit::write(&app, &mut session, "application.deleted", NOBODY, data).await?;
    session.commit().await?;
    app.db.close().await;
    output::tell(format_args!("{id} is deleted"));
    Ok(())
}
