//! `countersign dev`: everything to try the service, on this machine alone.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    applications, output,
    run::{self, Signals},
    tour::{self, PASSWORDS},
};
use crate::{
    app::App,
    audit::{self, Actor},
    channels::Channels,
    config::{Config, LogFormat},
    crypto::master_key::MasterKey,
    domain::{
        id::{ApplicationId, UserId},
        user::User,
    },
    management::{applications::NewApplication, users::NewUser},
    server::{self, Options},
    signin::issue::{self, USER_SCOPES},
    storage::{
        self,
        directory::{self, Filter},
    },
    telemetry,
};

const USUAL_PORT: u16 = 3000;
/// Messages the mailbox keeps.
const MAILBOX: usize = 200;

/// Serve for development: own database and keys, a demo user, a mailbox; on this machine only
#[derive(clap::Args)]
pub struct Arguments {
    /// The port; 0 takes a free one. Without it 3000, or a free one where that is taken
    #[arg(long)]
    port: Option<u16>,
    /// The folder of database and keys
    #[arg(long, value_name = "DIR", default_value = ".countersign")]
    data: PathBuf,
    /// A configuration file, for operations, texts, limits and the like; where we listen, keep things and send to stays as it is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object once ready, instead of the tour
    #[arg(long)]
    json: bool,
}

/// What is remembered between two starts, in the data folder: the database has the secret's digest only.
#[derive(Clone, Serialize, Deserialize)]
struct Demo {
    application: ApplicationId,
    secret: String,
    user: UserId,
}

/// Serves until told to stop.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let data = &arguments.data;
    std::fs::create_dir_all(data).with_context(|| format!("cannot make the data folder {}", data.display()))?;
    let config = configure(arguments.config.as_deref(), data, arguments.port)?;
    telemetry::start(&config.log);
    let key_file = data.join("countersign.key");
    let master_key =
        if key_file.exists() { MasterKey::read_file(&key_file)? } else { MasterKey::generate_file(&key_file)? };
    let (channels, mailbox) = Channels::to_mailbox(MAILBOX);
    let options = Options { master_key: Some(master_key), mailbox: Some((channels, mailbox)), ..Options::default() };
    let signals = Signals::take()?;
    let running = server::start(config, options).await?;
    let (url, app) = (running.url(), running.app.clone());
    let (demo, user, password) = demo(&app, &data.join("demo.json")).await?;
    let access_token = sign_in(&app, &user, &demo.application).await?;
    if arguments.json {
        output::print_json(&json!({
            "url": url,
            "accessToken": access_token,
            "user": user.to_json(),
            "password": password,
            "application": { "id": demo.application, "secret": demo.secret },
            "mailbox": format!("{url}/mailbox"),
            "account": format!("{url}/account"),
            "signIn": format!("{url}/authorize"),
        }));
    } else {
        output::print(guide(&url, data, &user, password, &demo, &access_token));
    }
    tracing::info!(address = %running.address, url, "ready, listening on {}", running.address);
    run::until_told(running, signals).await
}

/// File and environment may set what they like but where we listen and keep things.
fn configure(file: Option<&Path>, data: &Path, port: Option<u16>) -> anyhow::Result<Config> {
    let mut config = Config::load(file)?;
    let file = data.join("countersign.db");
    let file = file.to_str().with_context(|| format!("the path {} is not UTF-8", file.display()))?;
    config.database.url = format!("sqlite://{}", file.replace('%', "%25").replace('?', "%3F").replace('#', "%23"));
    config.server.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(port)));
    config.server.public_url = None;
    // Only this machine asks, and its test suites ask fast.
    config.limits.unlimited_clients = vec![IpNet::from(IpAddr::from(Ipv4Addr::LOCALHOST))];
    // Receivers under development listen on it, too.
    config.webhooks.allowed_networks =
        vec![IpNet::new(Ipv4Addr::LOCALHOST.into(), 8)?, IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST))];
    if config.log.format == LogFormat::Auto {
        config.log.format = LogFormat::Human;
    }
    Ok(config)
}

fn free_port(asked: Option<u16>) -> u16 {
    if let Some(port) = asked {
        return port;
    }
    if TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT)).is_ok() {
        return USUAL_PORT;
    }
    output::tell(format_args!(
        "port {USUAL_PORT} is taken by another program; a free one is used instead (choose with --port)"
    ));
    0
}

/// The application and the user of the last start, as far as they still are what we can show; else new ones.
async fn demo(app: &App, file: &Path) -> anyhow::Result<(Demo, User, &'static str)> {
    let kept: Option<Demo> = std::fs::read_to_string(file).ok().and_then(|text| serde_json::from_str(&text).ok());
    let mut session = app.db.read().await?;
    let (mut application, mut user) = (None, None);
    if let Some(kept) = kept {
        application =
            storage::applications::find(&mut session, &kept.application).await?.map(|found| (found.id, kept.secret));
        user = storage::users::find(&mut session, &kept.user).await?;
    }
    drop(session);
    let (application, secret) = match application {
        Some(found) => found,
        None => add_application(app).await?,
    };
    let (user, password) = match user {
        Some(user) => {
            if let Some(password) = password_of(app, &user).await? {
                (user, password)
            } else {
                output::tell("the demo user has a password of yours now and stays as it is; here is another one");
                add_user(app).await?
            }
        }
        None => add_user(app).await?,
    };
    let demo = Demo { application, secret, user: user.id.clone() };
    write_private(file, &serde_json::to_string(&demo)?)?;
    Ok((demo, user, password))
}

/// Which of the tour's two passwords the user has.
async fn password_of(app: &App, user: &User) -> anyhow::Result<Option<&'static str>> {
    for password in PASSWORDS {
        if app.hasher.verify(SecretString::from(password), user.stored_password()).await?.matches && !user.is_suspended
        {
            return Ok(Some(password));
        }
    }
    Ok(None)
}

async fn add_application(app: &App) -> anyhow::Result<(ApplicationId, String)> {
    let new: NewApplication =
        serde_json::from_value(json!({ "name": "Demo", "type": "MachineToMachine", "isManagement": true }))?;
    let (application, secret) = applications::create(app, new).await?;
    Ok((application.id, secret.map(|secret| secret.expose_secret().to_owned()).unwrap_or_default()))
}

/// The first of demo, demo2, demo3, … that is free.
async fn add_user(app: &App) -> anyhow::Result<(User, &'static str)> {
    let [password, _] = PASSWORDS;
    let mut session = app.db.read().await?;
    let taken = directory::count(&mut session, &Filter::All).await?;
    drop(session);
    for number in 1..=taken + 1 {
        let suffix = if number == 1 { String::new() } else { number.to_string() };
        let new: NewUser = serde_json::from_value(json!({
            "username": format!("demo{suffix}"),
            "primaryEmail": format!("demo{suffix}@example.com"),
            "primaryPhone": format!("1500555{:04}", 6 + number - 1),
            "name": "Demo User",
            "password": password,
        }))?;
        match super::users::create(app, new).await {
            Ok(user) => return Ok((user, password)),
            Err(error) if error.code().status() == 422 => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("every name for a demo user is taken; choose another folder with --data")
}

async fn sign_in(app: &App, user: &User, application: &ApplicationId) -> anyhow::Result<String> {
    let [_, issuer] = &app.urls.issuers;
    let mut session = app.db.write().await?;
    let token = issue::user_token(app, &mut session, &user.id, application, &USER_SCOPES.join(" "), issuer).await?;
    let actor = Actor { user: Some(&user.id), application: Some(application), client: None };
    audit::write(app, &mut session, "session.started", actor, json!({ "by": "command line" })).await?;
    session.commit().await?;
    Ok(token)
}

fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn guide(url: &str, data: &Path, user: &User, password: &str, demo: &Demo, access_token: &str) -> String {
    format!(
        "\nCountersign for development, at {url} (this machine only; never use it for real accounts)\n\n\
         data          {data}: remove the folder to start afresh\n\
         mailbox       {url}/mailbox: codes appear here; nothing is sent anywhere\n\
         reference     {url}/docs\n\
         account page  {url}/account: sign in as {email} by a code from the mailbox; change password, e-mail, phone\n\
         sign-in       {url}/authorize: the hosted pages, for applications (OpenID Connect)\n\
         demo user     {username}, {email}, password \"{password}\"\n\
         application   {id}, secret {secret} (may manage users: client_credentials at {url}/oidc/token)\n\
         access token  below; works for an hour, the next start prints a new one\n\n\
         Paste this block into a shell: it verifies the password, changes it, verifies a code and changes the e-mail.\n\n\
         # ---- 8< ----\n{commands}# ---- >8 ----\n\n\
         Ctrl-C ends it.",
        data = data.display(),
        username = user.username.as_deref().unwrap_or_default(),
        email = user.primary_email.as_deref().unwrap_or_default(),
        id = demo.application,
        secret = demo.secret,
        commands = tour::commands(url, access_token),
    )
}
