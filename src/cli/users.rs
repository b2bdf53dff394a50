//! `countersign users`.

use std::{io::Read, path::PathBuf, process::ExitCode};

use anyhow::Context;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{ConfigFile, import, offline, output};
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{id::UserId, user::User},
    error::Result,
    management::users::{self as management, NewUser},
    stepup::records::revoke_all,
    storage::{
        directory::{self, Filter},
        sessions, tokens, users,
    },
    web::json::{Kind, parse},
};

/// Create, list, suspend and import users
#[derive(clap::Subcommand)]
pub enum Command {
    /// Create a user
    Create(Box<Create>),
    /// List users, newest first
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: i64,
        /// Leave out so many first
        #[arg(long, default_value_t = 0)]
        offset: i64,
        /// One JSON array instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Suspend a user: refused everywhere from the next request on
    Suspend {
        /// The user's id
        id: String,
        /// Welcome the user again instead
        #[arg(long)]
        lift: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Import users from a file, one JSON object a line; can be broken off and run again
    Import {
        /// Members of a line: username, primaryEmail, primaryPhone, externalId (at least one of these), name, avatar, profile,
        /// customData, passwordDigest with passwordAlgorithm, or password
        file: PathBuf,
        /// Where refused lines are told. Without it, beside the file, with `.refused.jsonl` at its end
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigFile,
        /// Print the counts as one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
pub struct Create {
    #[command(flatten)]
    config: ConfigFile,
    #[arg(long)]
    username: Option<String>,
    #[arg(long, visible_alias = "primary-email")]
    email: Option<String>,
    /// Digits with country code, with or without the plus sign
    #[arg(long, visible_alias = "primary-phone")]
    phone: Option<String>,
    /// For people
    #[arg(long)]
    name: Option<String>,
    /// The `sub` under which a trusted issuer knows the user, with that issuer's prefix
    #[arg(long)]
    external_id: Option<String>,
    /// The password. Others on this machine can see it in the list of processes: better use --password-stdin
    #[arg(long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Print the user as JSON
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(arguments) => create_one(*arguments).await?,
        Command::List { config, limit, offset, json } => list(&config, limit, offset, json).await?,
        Command::Suspend { id, lift, config } => suspend(&config, UserId(id), !lift).await?,
        Command::Import { file, report, config, json } => return import::run(&config, &file, report, json).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Creates a user.
pub async fn create(app: &App, new: NewUser) -> Result<User> {
    let prepared = new.prepare(app).await?;
    let mut session = app.db.write().await?;
    let user =
        management::create(app, &mut session, prepared, Actor { user: None, application: None, client: None }).await?;
    session.commit().await?;
    Ok(user)
}

async fn create_one(arguments: Create) -> anyhow::Result<()> {
    let Create { config, username, email, phone, name, external_id, password, password_stdin, json: as_json } =
        arguments;
    let mut members = Map::new();
    let phone = phone.map(|phone| phone.trim_start_matches('+').to_owned());
    let texts = [
        ("username", username),
        ("primaryEmail", email),
        ("primaryPhone", phone),
        ("name", name),
        ("externalId", external_id),
    ];
    members.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::String(text?)))));
    let mut new: NewUser = parse(&serde_json::to_vec(&members)?, Kind::Json).map_err(offline::told)?;
    new.password = match (password, password_stdin) {
        (Some(password), _) => Some(SecretString::from(password)),
        (None, true) => Some(read_password()?),
        (None, false) => None,
    };
    let app = offline::app(config.load()?).await?;
    let user = create(&app, new).await.map_err(offline::told)?;
    app.db.close().await;
    if as_json {
        output::print_json(&user.to_json());
    } else {
        output::print(&user.id);
    }
    Ok(())
}

fn read_password() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the password on standard input")?;
    let password = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!password.is_empty(), "there is no password on standard input");
    Ok(SecretString::from(password))
}

async fn list(config: &ConfigFile, limit: i64, offset: i64, as_json: bool) -> anyhow::Result<()> {
    let app = offline::app(config.load()?).await?;
    let list = directory::list(&mut app.db.read().await?, &Filter::All, limit, offset).await?;
    app.db.close().await;
    if as_json {
        output::print_json(&list.iter().map(User::to_json).collect());
        return Ok(());
    }
    for user in &list {
        let names = [&user.username, &user.primary_email, &user.primary_phone];
        let names = names.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("  ");
        output::print(format_args!("{}  {names}{}", user.id, if user.is_suspended { "  suspended" } else { "" }));
    }
    Ok(())
}

async fn suspend(config: &ConfigFile, id: UserId, is_suspended: bool) -> anyhow::Result<()> {
    let app = offline::app(config.load()?).await?;
    let now = app.now();
    let mut session = app.db.write().await?;
    let found = users::set_suspended(&mut session, &id, is_suspended, now).await?;
    anyhow::ensure!(found == 1, "there is no user {id}");
    let actor = Actor { user: Some(&id), application: None, client: None };
    if is_suspended {
        revoke_all(&app, &mut session, actor).await?;
        sessions::end_all(&mut session, &id, None, now).await?;
        tokens::spend_all(&mut session, &id, now).await?;
    }
    let kind = if is_suspended { "user.suspended" } else { "user.unsuspended" };
    audit::write(&app, &mut session, kind, actor, json!({ "by": "command line" })).await?;
    session.commit().await?;
    app.db.close().await;
    output::tell(format_args!("{id} is {}", if is_suspended { "suspended" } else { "no longer suspended" }));
    Ok(())
}
