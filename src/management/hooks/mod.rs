//! Webhooks, for operators: where they go, what they are told, what signs.

pub(super) mod trial;

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web::Data};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Value, json};

use super::auth::Manager;
use crate::{
    app::App,
    audit,
    crypto::hook_signature::new_key,
    domain::{
        hook::HookEvent,
        id::{HookId, random_text},
        refusal::Code,
    },
    error::Result,
    hooks::config::{self, HookConfig},
    refusals,
    storage::{
        Session,
        hooks::{self, StoredHook},
    },
    web::{
        fields::{self, Text},
        json::Json,
        query::{Page, PathId},
    },
};

type Name = Text<0, 256>;

/// A webhook.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    #[schema(example = "default")]
    tenant_id: &'static str,
    #[schema(value_type = String, example = "5f0wq8sn0b6c2x7k1r9tz")]
    id: HookId,
    /// For people.
    name: String,
    /// Always null; `events` has them all.
    #[schema(required)]
    event: Option<HookEvent>,
    /// What it is told of.
    events: Vec<HookEvent>,
    config: HookConfig,
    /// What signs. As it is for `logto-signature-sha-256`; libraries of Standard Webhooks take it, too.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    signing_key: String,
    /// Whether it is told anything.
    enabled: bool,
    /// Milliseconds since 1970.
    created_at: i64,
}

impl Hook {
    fn open(app: &App, stored: &StoredHook) -> Result<Self> {
        let (config, signing_key) = config::unseal(&app.sealer, stored)?;
        Ok(Self {
            tenant_id: "default",
            id: stored.id.clone(),
            name: stored.name.clone(),
            event: None,
            events: HookEvent::list(&stored.events),
            config,
            signing_key,
            enabled: stored.enabled,
            created_at: stored.created_at.0,
        })
    }
}

/// At least one event; each counts once.
#[derive(Deserialize)]
#[serde(try_from = "Vec<HookEvent>")]
struct Events(Vec<HookEvent>);

impl TryFrom<Vec<HookEvent>> for Events {
    type Error = &'static str;

    fn try_from(given: Vec<HookEvent>) -> Result<Self, Self::Error> {
        let mut events = Vec::new();
        for event in given {
            if !events.contains(&event) {
                events.push(event);
            }
        }
        if events.is_empty() { Err("at least one event") } else { Ok(Self(events)) }
    }
}

/// A webhook to be registered.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct NewHook {
    /// For people.
    #[serde(default, deserialize_with = "name")]
    #[schema(nullable = false, value_type = Option<String>, min_length = 1, max_length = 256)]
    name: Option<Name>,
    /// What it is to be told of.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, value_type = Option<Vec<HookEvent>>, min_items = 1)]
    events: Option<Events>,
    /// Where it goes.
    config: HookConfig,
    /// Whether it is told anything; true unless said otherwise.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// At least one character, when it is given.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Name>, D::Error> {
    let name = Name::deserialize(deserializer)?;
    if name.as_str().is_empty() { Err(D::Error::custom("at least one character")) } else { Ok(Some(name)) }
}

refusals!(CreateRefused: [MANAGEMENT, BODY], HookMissingEvents, HookAddressNotAllowed);

/// Registers a webhook
///
/// It is told of the events it asked for from the next request on. `docs/webhooks.md` says what it gets and how to check its signatures.
#[utoipa::path(
    operation_id = "CreateHook", tag = "Hooks", security(("bearer" = [])),
    request_body = NewHook,
    responses((status = 201, description = "The webhook.", body = Hook), CreateRefused),
)]
#[post("/hooks")]
pub async fn create(app: Data<App>, manager: Manager, Json(new): Json<NewHook>) -> Result<HttpResponse> {
    let events = new.events.ok_or(Code::HookMissingEvents)?.0;
    require_allowed(&app, &new.config)?;
    let id = HookId::random(&*app.random);
    let stored = StoredHook {
        name: new.name.map(Into::into).unwrap_or_default(),
        events: HookEvent::to_text(&events),
        config: config::seal_config(&app.sealer, &id, &new.config)?,
        signing_key: config::seal_key(&app.sealer, &id, &new_key(&*app.random))?,
        enabled: new.enabled.unwrap_or(true),
        created_at: app.now(),
        id,
    };
    let mut session = app.db.write().await?;
    hooks::lock(&mut session).await?;
    hooks::add(&mut session, &stored).await?;
    finish(&app, session, &manager, "hook.created", json!({ "id": stored.id, "events": events })).await?;
    Ok(HttpResponse::Created().insert_header(NO_STORE).json(Hook::open(&app, &stored)?))
}

/// Answers with signing keys are nobody's to keep.
const NO_STORE: (&str, &str) = ("cache-control", "no-store");

/// Refuses an address that would be refused at each delivery. A name is judged then, whatever it stands for now.
fn require_allowed(app: &App, config: &HookConfig) -> Result<()> {
    if app.webhooks.refuses(config.url.get()) { Err(Code::HookAddressNotAllowed.into()) } else { Ok(()) }
}

/// Tells every node, audits, commits.
async fn finish(app: &App, mut session: Session, manager: &Manager, kind: &'static str, data: Value) -> Result<()> {
    hooks::set_mark(&mut session, &random_text(&*app.random, 21)).await?;
    audit::write(app, &mut session, kind, manager, data).await?;
    Ok(session.commit().await?)
}

refusals!(ListRefused: [MANAGEMENT], InvalidPagination);

/// Lists webhooks
///
/// Newest first. `Total-Number` says how many there are, `Link` leads to the other pages.
#[utoipa::path(
    operation_id = "ListHooks", tag = "Hooks", security(("bearer" = [])), params(Page),
    responses(
        (status = 200, description = "A page of webhooks.", body = Vec<Hook>, headers(
            ("Total-Number" = i64, description = "How many webhooks there are."),
            ("Link" = String, description = "The pages first, last, prev and next (RFC 8288)."),
        )),
        ListRefused,
    ),
)]
#[get("/hooks")]
pub async fn list(app: Data<App>, _manager: Manager, page: Page, request: HttpRequest) -> Result<HttpResponse> {
    let mut session = app.db.read().await?;
    let total = hooks::count(&mut session).await?;
    let found = hooks::list(&mut session, page.limit(), page.offset()).await?;
    let found = found.iter().map(|one| Hook::open(&app, one)).collect::<Result<Vec<_>>>()?;
    Ok(page.answer(&app, &request, total, &found))
}

refusals!(GetRefused: [MANAGEMENT], EntityNotFound);

/// Shows a webhook
#[utoipa::path(
    operation_id = "GetHook", tag = "Hooks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook.", body = Hook), GetRefused),
)]
#[get("/hooks/{id}")]
pub async fn get(app: Data<App>, _manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let found = find(&mut app.db.read().await?, HookId(id)).await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(Hook::open(&app, &found)?))
}

async fn find(session: &mut Session, id: HookId) -> Result<StoredHook> {
    Ok(hooks::find(session, &id).await?.ok_or(Code::EntityNotFound)?)
}

/// What to change; members that are absent stay as they are.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct HookChanges {
    /// For people.
    #[serde(default, deserialize_with = "name")]
    #[schema(nullable = false, value_type = Option<String>, min_length = 1, max_length = 256)]
    name: Option<Name>,
    /// What it is to be told of; replaced as a whole.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, value_type = Option<Vec<HookEvent>>, min_items = 1)]
    events: Option<Events>,
    /// Where it goes; replaced as a whole.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    config: Option<HookConfig>,
    /// Whether it is told anything.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

refusals!(UpdateRefused: [MANAGEMENT, BODY], EntityNotFound, HookAddressNotAllowed);

/// Changes a webhook
///
/// What waits for it is delivered as it is then; nothing, while it is not enabled.
#[utoipa::path(
    operation_id = "UpdateHook", tag = "Hooks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The webhook's id.")),
    request_body = HookChanges,
    responses((status = 200, description = "The webhook as it is now.", body = Hook), UpdateRefused),
)]
#[patch("/hooks/{id}")]
pub async fn update(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(changes): Json<HookChanges>,
) -> Result<HttpResponse> {
    if let Some(config) = &changes.config {
        require_allowed(&app, config)?;
    }
    let mut session = app.db.write().await?;
    hooks::lock(&mut session).await?;
    let mut hook = find(&mut session, HookId(id)).await?;
    let mut names = Vec::new();
    if let Some(name) = changes.name {
        hook.name = name.into();
        names.push("name");
    }
    if let Some(events) = changes.events {
        hook.events = HookEvent::to_text(&events.0);
        names.push("events");
    }
    if let Some(config) = changes.config {
        hook.config = config::seal_config(&app.sealer, &hook.id, &config)?;
        names.push("config");
    }
    if let Some(enabled) = changes.enabled {
        hook.enabled = enabled;
        names.push("enabled");
    }
    hooks::set(&mut session, &hook).await?;
    finish(&app, session, &manager, "hook.updated", json!({ "id": hook.id, "fields": names })).await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(Hook::open(&app, &hook)?))
}

/// Renews a webhook's signing key
///
/// Deliveries are signed with the new key from then on, those that wait already among them.
#[utoipa::path(
    operation_id = "UpdateHookSigningKey", tag = "Hooks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook with its new key.", body = Hook), GetRefused),
)]
#[patch("/hooks/{id}/signing-key")]
pub async fn renew_signing_key(app: Data<App>, manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let mut session = app.db.write().await?;
    hooks::lock(&mut session).await?;
    let mut hook = find(&mut session, HookId(id)).await?;
    hook.signing_key = config::seal_key(&app.sealer, &hook.id, &new_key(&*app.random))?;
    hooks::set(&mut session, &hook).await?;
    finish(&app, session, &manager, "hook.signing_key.updated", json!({ "id": hook.id })).await?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(Hook::open(&app, &hook)?))
}

/// Deletes a webhook
///
/// What waits for it is never delivered.
#[utoipa::path(
    operation_id = "DeleteHook", tag = "Hooks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The webhook's id.")),
    responses((status = 204, description = "The webhook is gone."), GetRefused),
)]
#[delete("/hooks/{id}")]
pub async fn delete(app: Data<App>, manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let id = HookId(id);
    let mut session = app.db.write().await?;
    hooks::lock(&mut session).await?;
    if !hooks::delete(&mut session, &id).await? {
        return Err(Code::EntityNotFound.into());
    }
    finish(&app, session, &manager, "hook.deleted", json!({ "id": id })).await?;
    Ok(HttpResponse::NoContent().finish())
}
