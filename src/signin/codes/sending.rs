//! Sending a code, or the same one again.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Address, lengths};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::digest::{digest, hex},
    domain::{
        application::Connection,
        id::pick,
        identifier::EmailAddress,
        message::{Kind, Message, Payload, Template},
        refusal::{Code, Refusal},
        settings::Settings,
        time::Timestamp,
    },
    error::{Error, Result},
    post::{self, budgets},
    stepup::sends,
    storage::{
        Session,
        applications::Application,
        sign_in_codes::{self as rows, NewSignInCode, SignInCode},
        users,
    },
    texts::{self, Values},
    web::client::{Client, Languages},
};

/// Who may use a code.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// Whoever names the application and the address.
    Named,
    /// Whoever shows the secret with this SHA-256, which only one browser or client has: nobody else can burn the code.
    Held(&'a [u8]),
}

/// What a message carries.
#[derive(Clone, Debug)]
pub enum Carries {
    /// A code.
    Code,
    /// A code, and a link that does the same.
    CodeAndLink {
        /// What the link's authorization is to use, checked.
        auth_params: Map<String, Value>,
    },
}

/// A request for a code.
pub struct Ask<'a> {
    /// Into which application.
    pub application: &'a Application,
    /// Where to.
    pub address: &'a Address,
    /// For whom.
    pub holder: Holder<'a>,
    /// What is sent.
    pub carries: Carries,
    /// Whether an address without an account may get one, where sign-ups are on.
    pub allows_sign_up: bool,
    /// SHA-256 of a secret of the browser that asks, for links that open in that browser only.
    pub browser_hash: Option<&'a [u8]>,
    /// From where.
    pub client: &'a Client,
    /// The application showed a secret and speaks for others: its own address is not counted.
    pub is_back_end: bool,
    /// In which language.
    pub languages: &'a Languages,
}

/// A code that is on its way, as far as anybody is told.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Of its row.
    pub id: String,
    /// When it is worthless.
    pub expires_at: Timestamp,
    /// How many digits it has.
    pub digits: u8,
}

/// Sends a code, or the same one again (contract P2): nothing of the channel is waited for.
///
/// # Errors
/// `429 request.message_rate_limited` with the time to wait; `501 connector.not_found`; `422 request.message_country_not_served`;
/// `400 connector.rate_limit_exceeded` while a day's budget of text messages is used up.
pub async fn send(app: &App, ask: Ask<'_>) -> Result<Sent> {
    let outcome = try_send(app, &ask).await;
    if let Err(Error::Refused(refusal)) = &outcome
        && refusal.code == Code::MessageRateLimited
    {
        let (key, to) = (&ask.address.key, &ask.address.masked);
        sends::tell_limited_anonymous(app, &sender(&ask), key, to, actor(&ask)).await?;
    }
    outcome
}

async fn try_send(app: &App, ask: &Ask<'_>) -> Result<Sent> {
    let address = ask.address;
    let kind = address.connection.kind();
    post::require_channel(app, kind)?;
    if kind == Kind::Sms {
        budgets::require_served(app, &address.key)?;
    }
    let settings = app.reload_settings().await?;
    let now = app.now();

    let mut session = app.db.write().await?;
    sends::count_anonymous(app, &mut session, &sender(ask), &address.key, now).await?;
    let previous = match ask.holder {
        Holder::Named => {
            let (application, connection) = (&ask.application.id, address.connection.name());
            rows::find_named(&mut session, application, connection, &address.key).await?
        }
        Holder::Held(hash) => rows::find_held(&mut session, hash).await?,
    };
    let again = previous.as_ref().filter(|row| may_repeat(app, row, ask, now));
    let sent = match again {
        Some(row) => repeat(app, &mut session, row, ask).await?,
        None => begin(app, &mut session, previous.as_ref(), ask, now).await?,
    };
    let is_welcome = is_welcome(app, &mut session, &settings, ask).await?;
    let message = compose(app, &settings, ask, &sent, now);
    if is_welcome {
        post::store(app, &mut session, &message, None, sent.expires_at, false).await?;
    } else {
        post::withhold(app, &mut session, &message, sent.expires_at).await?;
    }
    let client = ask.client.network_text();
    let client = (!ask.is_back_end).then_some(client.as_str());
    if let Err(used_up) = budgets::try_count(app, &mut session, kind, &address.key, client, now).await? {
        let refusal = used_up.refusal(now);
        let code = if used_up.is_daily { Code::ConnectorRateLimited } else { refusal.code };
        return Err(Refusal { code, ..refusal }.into());
    }
    let data = json!({
        "connection": address.connection.name(), "to": address.masked, "isLink": matches!(ask.carries, Carries::CodeAndLink { .. }),
        "isAgain": again.is_some(), "isWithheld": !is_welcome,
    });
    audit::write(app, &mut session, "sign_in.code_sent", actor(ask), data).await?;
    session.commit().await?;
    Ok(sent)
}

fn actor<'a>(ask: &Ask<'a>) -> Actor<'a> {
    Actor { user: None, application: Some(&ask.application.id), client: Some(ask.client) }
}

/// Whom the gap between two messages is kept for. Each holder has its own, so that no stranger keeps it waiting.
fn sender(ask: &Ask<'_>) -> String {
    match ask.holder {
        Holder::Named => format!("application {}", ask.application.id),
        Holder::Held(hash) => format!("holder {}", hex(hash)),
    }
}

/// Inside the first two thirds of its life a code is sent again, as long as it can be used.
fn may_repeat(app: &App, row: &SignInCode, ask: &Ask<'_>, now: Timestamp) -> bool {
    let third = row.expires_at.since(row.created_at) / 3;
    now < row.expires_at.minus(third) && is_usable(app, row, ask)
}

/// Whether the row is for what is asked, and its code can still be guessed.
fn is_usable(app: &App, row: &SignInCode, ask: &Ask<'_>) -> bool {
    let tries = i64::from(app.config.sign_in.of(ask.address.connection).tries);
    let is_same = row.application_id == ask.application.id
        && row.connection == ask.address.connection.name()
        && row.identifier == ask.address.key;
    is_same && row.used_at.is_none() && row.replaced_at.is_none() && row.guesses < tries
}

async fn repeat(app: &App, session: &mut Session, row: &SignInCode, ask: &Ask<'_>) -> Result<Sent> {
    if let Carries::CodeAndLink { auth_params } = &ask.carries {
        let hash = digest(app.sign_in_codes.link(&row.id).as_bytes());
        rows::set_link(session, &row.id, &hash, ask.browser_hash, auth_params.clone()).await?;
    }
    let digits = lengths::digits(app, ask.address.connection, row.is_long);
    Ok(Sent { id: row.id.clone(), expires_at: row.expires_at, digits })
}

/// A new code takes the place of the one before, and the guesses that were made of that one are counted on. Only when they were used
/// up, or the code was too old, does the new one begin with none: it is another code, and failures are counted beyond it, by
/// `Bucket::failures` or by [`lengths`].
async fn begin(
    app: &App,
    session: &mut Session,
    previous: Option<&SignInCode>,
    ask: &Ask<'_>,
    now: Timestamp,
) -> Result<Sent> {
    let carried = previous.filter(|row| row.expires_at > now && is_usable(app, row, ask)).map_or(0, |row| row.guesses);
    match (ask.holder, previous) {
        (Holder::Held(hash), Some(_)) => rows::release(session, hash, now).await?,
        (Holder::Named, Some(row)) => drop(rows::replace(session, &row.id, now).await?),
        (_, None) => {}
    }
    let id = pick(&*app.random, b"0123456789abcdef", 24);
    let is_long = match ask.holder {
        Holder::Named => false,
        Holder::Held(_) => lengths::must_be_long(app, session, ask.address, carried, now).await?,
    };
    let life = app.config.sign_in.of(ask.address.connection).code_seconds;
    let expires_at = now.plus(Duration::from_secs(u64::from(life)));
    let (link_hash, auth_params) = match &ask.carries {
        Carries::Code => (None, Map::new()),
        Carries::CodeAndLink { auth_params } => {
            (Some(digest(app.sign_in_codes.link(&id).as_bytes())), auth_params.clone())
        }
    };
    let new = NewSignInCode {
        id: &id,
        handle_hash: match ask.holder {
            Holder::Named => None,
            Holder::Held(hash) => Some(hash),
        },
        application: &ask.application.id,
        connection: ask.address.connection.name(),
        identifier: &ask.address.key,
        address: &ask.address.spelling,
        link_hash: link_hash.as_ref().map(<[u8; 32]>::as_slice),
        browser_hash: ask.browser_hash,
        auth_params,
        guesses: carried,
        is_long,
        now,
        expires_at,
    };
    rows::add(session, new).await?;
    Ok(Sent { id, expires_at, digits: lengths::digits(app, ask.address.connection, is_long) })
}

/// Whether anybody could sign in with the code: an account that is not suspended, or one that may be made.
async fn is_welcome(app: &App, session: &mut Session, settings: &Settings, ask: &Ask<'_>) -> Result<bool> {
    let address = ask.address;
    let is_suspended = match address.connection {
        Connection::Email => users::is_suspended_by_email(session, &address.key).await?,
        Connection::Sms => users::is_suspended_by_phone(session, &address.key).await?,
    };
    // Judged for every address, though it counts for new ones only.
    let policy = &settings.sign_in_experience.email_blocklist_policy;
    let is_blocked = address.connection == Connection::Email
        && EmailAddress::parse(&address.spelling).is_ok_and(|address| policy.check(&address).is_err());
    let takes_new = ask.allows_sign_up && app.config.sign_in.of(address.connection).sign_up && !is_blocked;
    Ok(is_suspended.map_or(takes_new, |is_suspended| !is_suspended))
}

fn compose(app: &App, settings: &Settings, ask: &Ask<'_>, sent: &Sent, now: Timestamp) -> Message {
    let languages = ask.languages;
    let locale = languages.negotiate(&settings.sign_in_experience.language_info);
    let kind = ask.address.connection.kind();
    let code = app.sign_in_codes.code(&sent.id, sent.digits);
    let (template, link) = match ask.carries {
        Carries::Code => (Template::SignIn, None),
        Carries::CodeAndLink { .. } => (Template::SignInLink, Some(link_url(app, &sent.id))),
    };
    let values = Values {
        code: Some(&code),
        // Rounded down: it must not be too late when the message says it is not.
        minutes: (sent.expires_at.since(now).as_secs() / 60).max(1),
        application: Some(&ask.application.name),
        link: link.as_deref(),
        ..Values::default()
    };
    let rendered = texts::render(&app.templates, template, kind, locale, &values);
    let application = json!({ "id": ask.application.id, "name": ask.application.name });
    Message {
        id: post::new_id(app),
        created_at: now,
        kind,
        to: ask.address.to.clone(),
        template,
        rendered,
        payload: Payload {
            code: Some(code),
            locale,
            ui_locales: languages.ui_locales.clone(),
            application: (kind == Kind::Email).then_some(application),
            user: None,
        },
        ip: None,
    }
}

/// Where the link of a message leads.
fn link_url(app: &App, id: &str) -> String {
    format!("{}/passwordless/verify_redirect?link={}", app.urls.root, app.sign_in_codes.link(id))
}
