//! Accounts, for operators (contract 4).

pub(super) mod changes;
mod new;
pub(super) mod password;

use actix_web::{FromRequest, HttpRequest, HttpResponse, delete, dev::Payload, get, patch, post, web::Data};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::new::{NewUser, Prepared, create};
use super::auth::Manager;
use crate::{
    app::App,
    audit,
    domain::{
        id::UserId,
        identifier::{EmailAddress, PhoneNumber, Username},
        refusal::Code,
        user::User,
        username::UsernamePolicy,
    },
    error::{Error, Result},
    operations::profile::Profile,
    refusals,
    stepup::records::revoke_all,
    storage::{
        directory::{self, Exact, Filter},
        sessions, settings, tokens, users,
    },
    web::{
        explain,
        fields::{HttpUrl, Text},
        json::Json,
        query::{self, Page, PathId},
    },
};

/// What a trusted external issuer calls the user.
pub type ExternalId = Text<1, 512>;

/// A user as operators see them; never the password.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes `domain::user::User::to_json` for the OpenAPI document")]
pub struct UserView {
    #[schema(example = "x1y2z3a4b5c6")]
    id: String,
    /// The `sub` under which a trusted external issuer knows the user, with that issuer's prefix.
    #[schema(required)]
    external_id: Option<String>,
    #[schema(required)]
    username: Option<String>,
    #[schema(required)]
    primary_email: Option<String>,
    /// E.164 digits without the plus sign.
    #[schema(required)]
    primary_phone: Option<String>,
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    avatar: Option<String>,
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    custom_data: Value,
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    identities: Value,
    /// Milliseconds since 1970.
    #[schema(required)]
    last_sign_in_at: Option<i64>,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970.
    updated_at: i64,
    profile: Profile,
    #[schema(required)]
    application_id: Option<String>,
    #[schema(required)]
    cimd_client_id: Option<String>,
    is_suspended: bool,
    has_password: bool,
}

/// Refuses what is longer than its column with `422 entity.value_too_long` (contract 0.4).
fn require_short(
    username: Option<&Username>,
    email: Option<&EmailAddress>,
    name: Option<&Option<String>>,
    avatar: Option<&Option<HttpUrl>>,
) -> Result<()> {
    let is_long = username.is_some_and(Username::exceeds_column)
        || email.is_some_and(EmailAddress::exceeds_column)
        || name.into_iter().flatten().any(|name| name.chars().count() > 128)
        || avatar.into_iter().flatten().any(|url| url.as_str().chars().count() > 2048);
    if is_long { Err(Code::EntityValueTooLong.into()) } else { Ok(()) }
}

refusals!(CreateRefused: [MANAGEMENT, BODY], PasswordAndDigest, PasswordAlgorithmRequired, InvalidPasswordDigest, UsernameInUse,
    EmailInUse, PhoneInUse, ExternalIdInUse, InvalidPhone, EntityValueTooLong);

/// Creates a user
///
/// With a password, or with a password digest made elsewhere.
#[utoipa::path(
    operation_id = "CreateUser", tag = "Users", security(("bearer" = [])),
    request_body = NewUser,
    responses((status = 200, description = "The user.", body = UserView), CreateRefused),
)]
#[post("/users")]
pub async fn create_user(app: Data<App>, manager: Manager, Json(new): Json<NewUser>) -> Result<HttpResponse> {
    let prepared = new.prepare(&app).await?;
    let mut session = app.db.write().await?;
    let user = create(&app, &mut session, prepared, (&manager).into()).await?;
    session.commit().await?;
    Ok(HttpResponse::Ok().json(user.to_json()))
}

/// Which users to list. Exact filters are told apart by `or`; `search` goes alone.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// A pattern for id, username, e-mail, phone and name, whatever the letter case; `%` stands for any run of characters.
    #[param(required = false, max_length = 256, example = "%ada%")]
    search: Option<String>,
    /// The id.
    #[param(required = false, rename = "search.id", max_length = 256)]
    id: Option<String>,
    /// The username; letter case matters as the username policy says.
    #[param(required = false, rename = "search.username", max_length = 256)]
    username: Option<String>,
    /// The primary e-mail address, whatever its letter case.
    #[param(required = false, rename = "search.primaryEmail", max_length = 256)]
    email: Option<String>,
    /// The primary phone: digits with country code.
    #[param(required = false, rename = "search.primaryPhone", max_length = 256)]
    phone: Option<String>,
    /// The external id.
    #[param(required = false, rename = "search.externalId", max_length = 512)]
    external_id: Option<String>,
}

impl FromRequest for Wanted {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = || {
            let wanted = Self {
                search: query::parameter(request, "search", 256)?,
                id: query::parameter(request, "search.id", 256)?,
                username: query::parameter(request, "search.username", 256)?,
                email: query::parameter(request, "search.primaryEmail", 256)?,
                phone: query::parameter(request, "search.primaryPhone", 256)?,
                external_id: query::parameter(request, "search.externalId", 512)?,
            };
            if wanted.search.is_some() && wanted.has_exact() {
                return Err(explain::one("query", "search", "Give a pattern or exact filters, not both.").into());
            }
            Ok(wanted)
        };
        std::future::ready(read())
    }
}

impl Wanted {
    fn has_exact(&self) -> bool {
        let exact = [&self.id, &self.username, &self.email, &self.phone, &self.external_id];
        exact.into_iter().any(Option::is_some)
    }

    fn filter(self, policy: &UsernamePolicy) -> Filter {
        if let Some(search) = self.search {
            return Filter::Like(search.to_lowercase().replace('!', "!!").replace('_', "!_"));
        }
        if !self.has_exact() {
            return Filter::All;
        }
        // What cannot be read as an identifier is nobody's; the text as it is finds nobody, then.
        let canonical = |text: String, parsed: Option<String>| parsed.unwrap_or(text);
        let username = |text: String| {
            let key = Username::parse(&text).ok().map(|name| policy.key(&name));
            canonical(text, key)
        };
        let email = |text: String| {
            let key = EmailAddress::parse(&text).ok().map(|address| address.key());
            canonical(text, key)
        };
        let phone = |text: String| {
            let number = PhoneNumber::parse(&text).ok().and_then(|number| number.normalized());
            canonical(text, number.map(|number| number.as_str().to_owned()))
        };
        Filter::Exact(Box::new(Exact {
            id: self.id,
            username_key: self.username.map(username),
            email_key: self.email.map(email),
            phone: self.phone.map(phone),
            external_id: self.external_id,
        }))
    }
}

refusals!(ListRefused: [MANAGEMENT], InvalidInput, InvalidPagination);

/// Lists users
///
/// Newest first. `Total-Number` says how many there are, `Link` leads to the other pages.
#[utoipa::path(
    operation_id = "ListUsers", tag = "Users", security(("bearer" = [])), params(Page, Wanted),
    responses(
        (status = 200, description = "A page of users.", body = Vec<UserView>, headers(
            ("Total-Number" = i64, description = "How many users fit."),
            ("Link" = String, description = "The pages first, last, prev and next (RFC 8288)."),
        )),
        ListRefused,
    ),
)]
#[get("/users")]
pub async fn list(
    app: Data<App>,
    _manager: Manager,
    page: Page,
    wanted: Wanted,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let mut session = app.db.read().await?;
    let policy = settings::find(&mut session).await?.sign_in_experience.username_policy;
    let filter = wanted.filter(&policy);
    let total = directory::count(&mut session, &filter).await?;
    let users = directory::list(&mut session, &filter, page.limit(), page.offset()).await?;
    let users: Vec<Value> = users.iter().map(User::to_json).collect();
    Ok(page.answer(&app, &request, total, &users))
}

refusals!(GetRefused: [MANAGEMENT], EntityNotFound);

/// Shows a user
#[utoipa::path(
    operation_id = "GetUser", tag = "Users", security(("bearer" = [])),
    params(("userId" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The user.", body = UserView), GetRefused),
)]
#[get("/users/{userId}")]
pub async fn get(app: Data<App>, _manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let user = users::find(&mut app.db.read().await?, &UserId(id)).await?.ok_or(Code::EntityNotFound)?;
    Ok(HttpResponse::Ok().json(user.to_json()))
}

/// Deletes a user
///
/// With sessions, tokens and verification records; they are refused from the next request on.
#[utoipa::path(
    operation_id = "DeleteUser", tag = "Users", security(("bearer" = [])),
    params(("userId" = String, Path, description = "The user's id.")),
    responses((status = 204, description = "The user is gone."), GetRefused),
)]
#[delete("/users/{userId}")]
pub async fn delete(app: Data<App>, manager: Manager, PathId(id): PathId) -> Result<HttpResponse> {
    let id = UserId(id);
    let mut session = app.db.write().await?;
    // First, while webhooks can still be told who it was.
    audit::write(&app, &mut session, "user.deleted", manager.about(&id), Value::Null).await?;
    if !users::delete(&mut session, &id).await? {
        return Err(Code::EntityNotFound.into());
    }
    session.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether the user is to be suspended.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// True suspends, false takes it back.
    is_suspended: bool,
}

refusals!(SuspendRefused: [MANAGEMENT, BODY], EntityNotFound);

/// Suspends a user, or takes it back
///
/// Suspending ends every session, revokes every verification record and uses up every subject token.
#[utoipa::path(
    operation_id = "UpdateUserIsSuspended", tag = "Users", security(("bearer" = [])),
    params(("userId" = String, Path, description = "The user's id.")),
    request_body = Suspension,
    responses((status = 200, description = "The user as they are now.", body = UserView), SuspendRefused),
)]
#[patch("/users/{userId}/is-suspended")]
pub async fn suspend(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(body): Json<Suspension>,
) -> Result<HttpResponse> {
    let (id, now) = (UserId(id), app.now());
    let mut session = app.db.write().await?;
    if users::set_suspended(&mut session, &id, body.is_suspended, now).await? == 0 {
        return Err(Code::EntityNotFound.into());
    }
    if body.is_suspended {
        revoke_all(&app, &mut session, manager.about(&id)).await?;
        sessions::end_all(&mut session, &id, None, now).await?;
        tokens::spend_all(&mut session, &id, now).await?;
    }
    let kind = if body.is_suspended { "user.suspended" } else { "user.unsuspended" };
    audit::write(&app, &mut session, kind, manager.about(&id), json!({})).await?;
    let user = users::find(&mut session, &id).await?.ok_or(Code::EntityNotFound)?;
    session.commit().await?;
    Ok(HttpResponse::Ok().json(user.to_json()))
}
