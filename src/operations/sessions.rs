//! Where one is signed in: sessions, and the applications that got in (contract 3, rows 27 to 30; 3.8).

use actix_web::{HttpRequest, HttpResponse, delete, get, web::Data};
use serde::Serialize;
use serde_json::json;

use super::VerificationHeaders;
use crate::{
    app::App,
    crypto::tokens,
    domain::{
        id::{ApplicationId, SessionId},
        refusal::Code,
        requirement::Requirement,
        settings::Field,
        time::Timestamp,
    },
    error::Result,
    refusals,
    stepup::gate::{Gate, Looking, Operation},
    storage::{
        applications,
        sessions::{self, Stored},
    },
    web::{
        caller::Caller,
        explain,
        query::{self, PathId},
    },
};

/// The scope that shows sessions and ends them.
const SCOPE: &str = "urn:logto:scope:sessions";

/// Looking at one's sessions.
pub struct ListSessions;

impl Operation for ListSessions {
    const NAME: &'static str = "account.sessions.list";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// Ending one of them.
pub struct EndSession;

impl Operation for EndSession {
    const NAME: &'static str = "account.session.end";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// Looking at the applications that got in.
pub struct ListGrants;

impl Operation for ListGrants {
    const NAME: &'static str = "account.grants.list";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// Shutting one of them out.
pub struct RevokeGrant;

impl Operation for RevokeGrant {
    const NAME: &'static str = "account.grant.revoke";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}

/// The user's sessions.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Sessions {
    sessions: Vec<SessionView>,
}

/// A session: of a browser, or of an application that came in by itself.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    payload: SessionPayload,
    /// How the user proved who they are; null where somebody vouched for them.
    #[schema(required)]
    last_submission: Option<Submission>,
    /// The application, of a session that is not a browser's.
    #[schema(required, value_type = Option<String>)]
    client_id: Option<ApplicationId>,
    #[schema(required)]
    account_id: String,
    /// Milliseconds since 1970.
    expires_at: i64,
    /// Whether the token that asks belongs to it.
    is_current: bool,
    /// The program, as it calls itself.
    #[schema(required)]
    user_agent: Option<String>,
    /// From where it began.
    #[schema(required)]
    ip: Option<String>,
    /// When it was used last: milliseconds since 1970.
    #[schema(required)]
    last_used_at: Option<i64>,
}

/// The session in the words of an OpenID provider; times are seconds since 1970.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionPayload {
    exp: i64,
    iat: i64,
    jti: String,
    /// What `DELETE /api/my-account/sessions/{sessionId}` takes.
    uid: String,
    #[schema(example = "Session")]
    kind: &'static str,
    login_ts: i64,
    account_id: String,
}

/// A proof of who somebody is.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Through which connection: `email` or `sms`.
    #[schema(required)]
    connection: Option<String>,
    /// By which methods.
    methods: Vec<String>,
    /// Milliseconds since 1970.
    at: i64,
}

/// The user's grants.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Grants {
    grants: Vec<GrantView>,
}

/// An application that got in.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantView {
    /// What `DELETE /api/my-account/grants/{grantId}` takes.
    id: String,
    payload: GrantPayload,
    /// Milliseconds since 1970.
    expires_at: i64,
    application: GrantedApplication,
}

/// The grant in the words of an OpenID provider; times are seconds since 1970.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantPayload {
    exp: i64,
    iat: i64,
    jti: String,
    #[schema(example = "Grant")]
    kind: &'static str,
    #[schema(value_type = String)]
    client_id: ApplicationId,
    account_id: String,
    /// What it was granted, separated by spaces.
    #[schema(required)]
    scope: Option<String>,
}

/// Which application.
#[derive(Serialize, utoipa::ToSchema)]
pub struct GrantedApplication {
    #[schema(value_type = String)]
    id: ApplicationId,
    /// For people; the id where the application is gone.
    name: String,
}

/// When the last token of a session expires.
fn end_of(session: &Stored) -> Timestamp {
    session.expires_at.unwrap_or_else(|| session.created_at.plus(tokens::LIFE))
}

impl SessionView {
    fn new(session: Stored, current: &[SessionId]) -> Self {
        let expires_at = end_of(&session);
        let login = session.auth_time.unwrap_or(session.created_at);
        Self {
            is_current: current.contains(&session.id),
            payload: SessionPayload {
                exp: expires_at.seconds(),
                iat: session.created_at.seconds(),
                jti: session.id.0.clone(),
                uid: session.id.0.clone(),
                kind: "Session",
                login_ts: login.seconds(),
                account_id: session.user_id.0.clone(),
            },
            last_submission: session.proof().map(|proof| Submission {
                connection: proof.connection,
                methods: proof.methods.split_ascii_whitespace().map(str::to_owned).collect(),
                at: proof.auth_time.0,
            }),
            client_id: session.application_id,
            account_id: session.user_id.0,
            expires_at: expires_at.0,
            user_agent: session.user_agent,
            ip: session.ip,
            last_used_at: session.last_used_at.map(|at| at.0),
        }
    }
}

refusals!(ListRefused: [USER], VerificationRequired, FieldNotEnabled);

/// Lists where one is signed in
///
/// Newest first. A browser's session stands for all applications that came in by it; `GET /api/my-account/grants` names those.
#[utoipa::path(
    operation_id = "GetSessions", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    responses((status = 200, description = "The sessions.", body = Sessions), ListRefused),
)]
#[get("/sessions")]
pub async fn list(app: Data<App>, gate: Gate<ListSessions>) -> Result<HttpResponse> {
    let mut looking = gate.look(&app).await?;
    require_view(looking.caller())?;
    let found = living(&mut looking).await?;
    let current = current(looking.caller(), &found);
    let top = found.into_iter().filter(|session| session.parent_id.is_none());
    Ok(HttpResponse::Ok().json(Sessions { sessions: top.map(|one| SessionView::new(one, &current)).collect() }))
}

/// The sessions the caller's token belongs to: its own, and the browser's above it.
fn current(caller: &Caller, found: &[Stored]) -> Vec<SessionId> {
    let Some(own) = &caller.session else { return Vec::new() };
    let parent = found.iter().find(|session| session.id == *own).and_then(|session| session.parent_id.clone());
    std::iter::once(own.clone()).chain(parent).collect()
}

async fn living<O: Operation>(looking: &mut Looking<O>) -> Result<Vec<Stored>> {
    let (user, now) = (looking.caller().user.id.clone(), looking.now());
    Ok(sessions::list(looking, &user, now).await?)
}

refusals!(EndRefused: [USER], VerificationRequired, FieldNotEditable, ThirdPartyForbidden, SessionNotFound, InvalidInput);

/// Ends a session
///
/// Every application that came in by it is out at once, with its refresh tokens; `revokeGrantsTarget` is taken for the sake of older
/// clients and changes nothing about that.
#[utoipa::path(
    operation_id = "DeleteSessionById", tag = "My account", security(("bearer" = [])),
    params(
        ("sessionId" = String, Path, description = "`payload.uid` of the session."),
        ("revokeGrantsTarget" = inline(Option<Target>), Query, description = "Taken, and without effect: no grant outlives its session."),
        VerificationHeaders,
    ),
    responses((status = 204, description = "The session is over."), EndRefused),
)]
#[delete("/sessions/{sessionId}")]
pub async fn end(
    app: Data<App>,
    gate: Gate<EndSession>,
    path: Result<PathId, crate::error::Error>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    gate.check(&app).await?;
    require_change(gate.caller())?;
    choice(&request, "revokeGrantsTarget", &["all", "firstParty"])?;
    // What cannot be an id is one nobody has.
    let id = SessionId(path.map(|PathId(id)| id).map_err(|_| Code::SessionNotFound.refuse())?);
    let mut opened = gate.open(&app).await?;
    let (user, now) = (opened.user().id.clone(), opened.now());
    let found = sessions::find(&mut opened, &id, now).await?;
    found.filter(|one| one.user_id == user && one.parent_id.is_none()).ok_or(Code::SessionNotFound)?;
    sessions::end(&mut opened, &id, now).await?;
    opened.commit(&app, json!({ "session": id })).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Which grants.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a parameter for the OpenAPI document")]
pub enum Target {
    /// Every grant.
    All,
    /// Those of first-party applications.
    FirstParty,
}

/// Which applications.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a parameter for the OpenAPI document")]
pub enum AppType {
    /// Our own.
    FirstParty,
    /// Those of others, and those that are gone.
    ThirdParty,
}

refusals!(GrantsRefused: [USER], VerificationRequired, FieldNotEnabled, InvalidInput);

/// Lists the applications that got in
#[utoipa::path(
    operation_id = "GetGrants", tag = "My account", security(("bearer" = [])),
    params(("appType" = inline(Option<AppType>), Query, description = "Only those of our own, or only those of others."), VerificationHeaders),
    responses((status = 200, description = "The grants.", body = Grants), GrantsRefused),
)]
#[get("/grants")]
pub async fn list_grants(app: Data<App>, gate: Gate<ListGrants>, request: HttpRequest) -> Result<HttpResponse> {
    let mut looking = gate.look(&app).await?;
    require_view(looking.caller())?;
    let wanted = choice(&request, "appType", &["firstParty", "thirdParty"])?;
    let mut grants = Vec::new();
    for session in living(&mut looking).await? {
        let Some(client_id) = session.application_id.clone() else { continue };
        let application = applications::find(&mut looking, &client_id).await?;
        let is_first_party = application.as_ref().is_some_and(|application| !application.is_third_party);
        if wanted.as_deref().is_some_and(|wanted| (wanted == "firstParty") != is_first_party) {
            continue;
        }
        let expires_at = end_of(&session);
        grants.push(GrantView {
            id: session.id.0.clone(),
            payload: GrantPayload {
                exp: expires_at.seconds(),
                iat: session.created_at.seconds(),
                jti: session.id.0,
                kind: "Grant",
                client_id: client_id.clone(),
                account_id: session.user_id.0,
                scope: session.scope,
            },
            expires_at: expires_at.0,
            application: GrantedApplication {
                name: application.map_or_else(|| client_id.0.clone(), |application| application.name),
                id: client_id,
            },
        });
    }
    Ok(HttpResponse::Ok().json(Grants { grants }))
}

refusals!(RevokeRefused: [USER], VerificationRequired, FieldNotEditable, ThirdPartyForbidden, GrantNotFound);

/// Shuts an application out
///
/// Its tokens are worthless from then on; the browser it came in by stays signed in.
#[utoipa::path(
    operation_id = "DeleteGrantById", tag = "My account", security(("bearer" = [])),
    params(("grantId" = String, Path, description = "`id` of the grant."), VerificationHeaders),
    responses((status = 204, description = "The application is out."), RevokeRefused),
)]
#[delete("/grants/{grantId}")]
pub async fn revoke(
    app: Data<App>,
    gate: Gate<RevokeGrant>,
    path: Result<PathId, crate::error::Error>,
) -> Result<HttpResponse> {
    gate.check(&app).await?;
    require_change(gate.caller())?;
    let id = SessionId(path.map(|PathId(id)| id).map_err(|_| Code::GrantNotFound.refuse())?);
    let mut opened = gate.open(&app).await?;
    let (user, now) = (opened.user().id.clone(), opened.now());
    let found = sessions::find_any(&mut opened, &id).await?;
    found.filter(|one| one.user_id == user && one.application_id.is_some()).ok_or(Code::GrantNotFound)?;
    // One that is over already stays so (contract 3.8).
    sessions::end(&mut opened, &id, now).await?;
    opened.commit(&app, json!({ "grant": id })).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// NEN session, U401 of rows 27 and 29.
fn require_view(caller: &Caller) -> Result<()> {
    caller.settings.account_center.require_view(Field::Session)?;
    if caller.has_scope(SCOPE) { Ok(()) } else { Err(Code::Unauthorized.into()) }
}

/// NE session, U401, FP of rows 28 and 30.
fn require_change(caller: &Caller) -> Result<()> {
    caller.settings.account_center.require_edit(Field::Session)?;
    if !caller.has_scope(SCOPE) {
        return Err(Code::Unauthorized.into());
    }
    caller.require_first_party()
}

/// A parameter of the query that is one of a few words.
fn choice(request: &HttpRequest, name: &str, words: &[&str]) -> Result<Option<String>> {
    let chosen = query::parameter(request, name, 64)?;
    if chosen.as_deref().is_some_and(|chosen| !words.contains(&chosen)) {
        return Err(explain::one("query", name, &format!("One of {}.", words.join(", "))).into());
    }
    Ok(chosen)
}
