//! A sign-in under way. It belongs to the browser that began it: its row is found by a secret of the browser's cookie and the number in
//! the URL together, so that several tabs go side by side, and neither of the two alone is worth anything.

use std::time::Duration;

use actix_web::HttpRequest;
use anyhow::Context;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{proving::Collected, request::Asked};
use crate::{
    app::App,
    crypto::digest::{digest, same},
    domain::{application::Connection, id::random_text, message::Locale, time::Timestamp},
    error::Result,
    pages::views::FormKey,
    storage::{
        Session,
        applications::{self, Application},
        sign_in_codes::SignInCode,
        sign_in_flows as rows,
    },
    web::cookies::{Cookie, new_secret},
};

/// How long a person may take.
pub const LIFE: Duration = Duration::from_secs(3600);

/// Names the flow in what is stored with its link.
const LINKED: &str = "flow";

/// Of one browser, by its cookie.
pub struct Browser {
    secret: String,
}

impl Browser {
    /// By the cookie of the request.
    #[must_use]
    pub fn of(app: &App, request: &HttpRequest) -> Option<Self> {
        Cookie::Flow.read(app, request).map(|secret| Self { secret })
    }

    /// The same, or one that gets its cookie with the answer.
    #[must_use]
    pub fn of_or_new(app: &App, request: &HttpRequest) -> Self {
        Self::of(app, request).unwrap_or_else(|| Self { secret: new_secret(&*app.random) })
    }

    /// The cookie.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What only this browser can know of a flow, for one use. All parts but the last have a fixed length.
    fn derive(&self, purpose: &str, flow: &str) -> [u8; 32] {
        digest(format!("{} {flow} {purpose}", self.secret).as_bytes())
    }
}

/// What is stored of a flow beside its application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The authorization request.
    pub asked: Asked,
    /// The language that was chosen on a page.
    pub locale: Option<Locale>,
    /// Where a code was sent that is waited for.
    pub sent: Option<SentTo>,
    /// What has been proved so far in a step-up that takes more.
    pub collected: Option<Collected>,
}

/// A code that was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SentTo {
    /// Through which connection.
    pub connection: Connection,
    /// Where to, as people write it.
    pub address: String,
    /// When last.
    pub at: Timestamp,
    /// Whether a link came with it.
    #[serde(default)]
    pub is_link: bool,
    /// How many digits the code has; 0 in what an older version stored: as many as configured.
    #[serde(default)]
    pub digits: u8,
    /// Whether it is an address of the account that somebody has proved another method of. They did not type it, and are not shown it.
    #[serde(default)]
    pub is_own: bool,
}

/// A flow of the browser that asks.
pub struct Flow {
    /// The number in its URL.
    pub id: String,
    /// Into which application.
    pub application: Application,
    /// How far it is.
    pub state: State,
    /// Whether the person was sent back already.
    pub is_finished: bool,
    browser: Browser,
}

impl Flow {
    /// Begins one. The row is written at once: the next request may come to another node.
    pub async fn begin(app: &App, browser: Browser, application: Application, asked: Asked) -> Result<Self> {
        let mut session = app.db.write().await?;
        let flow = Self::begin_in(app, &mut session, browser, application, asked).await?;
        session.commit().await?;
        Ok(flow)
    }

    /// The same in a transaction.
    pub async fn begin_in(
        app: &App,
        session: &mut Session,
        browser: Browser,
        application: Application,
        asked: Asked,
    ) -> Result<Self> {
        let id = random_text(&*app.random, 21);
        let state = State { asked, locale: None, sent: None, collected: None };
        let flow = Self { id, application, state, is_finished: false, browser };
        let now = app.now();
        rows::add(session, &flow.key(), &flow.application.id, flow.stored()?, now, now.plus(LIFE)).await?;
        Ok(flow)
    }

    /// The flow of that number, if this browser began it and it is not too old.
    pub async fn find(app: &App, request: &HttpRequest, id: &str) -> Result<Option<Self>> {
        Self::find_in(app, &mut app.db.read().await?, request, id).await
    }

    /// The same in a transaction.
    pub async fn find_in(app: &App, session: &mut Session, request: &HttpRequest, id: &str) -> Result<Option<Self>> {
        let Some(browser) = Browser::of(app, request).filter(|_| is_number(id)) else { return Ok(None) };
        let Some(row) = rows::find(session, &browser.derive("flow", id), app.now()).await? else {
            return Ok(None);
        };
        let Some(application) = applications::find(session, &row.application_id).await? else { return Ok(None) };
        let state = read(row.request.0)?;
        let is_finished = row.finished_at.is_some();
        Ok(Some(Self { id: id.to_owned(), application, state, is_finished, browser }))
    }

    /// Whether a form was made for this flow.
    #[must_use]
    pub fn has_token(&self, token: &str) -> bool {
        same(self.token().as_bytes(), token.as_bytes())
    }

    /// What its forms carry along. The token follows from the cookie, which no other site can read: nothing is stored for it, and going
    /// back in the browser does not outdate it.
    #[must_use]
    pub fn form_key(&self) -> FormKey {
        FormKey { flow: self.id.clone(), token: self.token() }
    }

    fn token(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.browser.derive("form", &self.id))
    }

    /// What the flow's code is held by: nobody else can use it, or use it up.
    #[must_use]
    pub fn handle(&self) -> [u8; 32] {
        self.browser.derive("code", &self.id)
    }

    /// What its link carries: of which flow it is. The browser has the rest.
    #[must_use]
    pub fn link_params(&self) -> Map<String, Value> {
        Map::from_iter([(LINKED.to_owned(), Value::from(self.id.as_str()))])
    }

    /// The flow of this browser that a held code and its link are for.
    pub async fn of_link(
        app: &App,
        session: &mut Session,
        request: &HttpRequest,
        code: &SignInCode,
    ) -> Result<Option<Self>> {
        let id = code.auth_params.get(LINKED).and_then(Value::as_str).unwrap_or_default();
        let found = Self::find_in(app, session, request, id).await?;
        let is_held = |flow: &Self| code.handle_hash.as_ref().is_some_and(|kept| same(&flow.handle(), kept));
        Ok(found.filter(is_held))
    }

    /// Its first page.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/sign-in?flow={}", self.id)
    }

    /// The page where somebody says who they are, whoever has proved something before.
    #[must_use]
    pub fn entry_path(&self, connection: Connection) -> String {
        format!("{}&by={}", self.path(), connection.name())
    }

    /// The page that asks for the code: another one, so that going back leads to the first.
    #[must_use]
    pub fn code_path(&self) -> String {
        format!("{}&step=code", self.path())
    }

    /// Changes what is stored of it, as it is now; false when it was finished meanwhile, and nothing changed.
    pub async fn change(&mut self, app: &App, code_id: Option<&str>, change: impl FnOnce(&mut State)) -> Result<bool> {
        let mut session = app.db.write().await?;
        if !self.lock(app, &mut session).await? {
            return Ok(false);
        }
        change(&mut self.state);
        self.store(&mut session, code_id).await?;
        session.commit().await?;
        Ok(true)
    }

    /// Locks it for the rest of the transaction, and reads how far it is now; false when it is finished, or too old.
    pub async fn lock(&mut self, app: &App, session: &mut Session) -> Result<bool> {
        let Some(row) = rows::lock(session, &self.key(), app.now()).await? else { return Ok(false) };
        self.state = read(row.request.0)?;
        Ok(true)
    }

    /// Stores how far it is; call [`Flow::lock`] first.
    pub async fn store(&self, session: &mut Session, code_id: Option<&str>) -> Result<()> {
        Ok(rows::set(session, &self.key(), self.stored()?, code_id).await?)
    }

    /// Finishes it, once.
    pub async fn finish(&self, app: &App, session: &mut Session) -> Result<bool> {
        Ok(rows::finish(session, &self.key(), app.now()).await?)
    }

    fn key(&self) -> [u8; 32] {
        self.browser.derive("flow", &self.id)
    }

    fn stored(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(&self.state).context("a sign-in to be stored")? {
            Value::Object(members) => Ok(members),
            _ => Err(anyhow::anyhow!("a sign-in to be stored is no object").into()),
        }
    }
}

fn read(stored: Map<String, Value>) -> Result<State> {
    Ok(serde_json::from_value(Value::Object(stored)).context("a stored sign-in")?)
}

fn is_number(id: &str) -> bool {
    id.len() == 21 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
