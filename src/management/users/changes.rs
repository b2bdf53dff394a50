//! Changing an account, for operators. Old facts die with what they rested on, and the previous address is told (contract D12, D15).

use actix_web::{HttpResponse, patch, web::Data};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ExternalId, UserView, require_short};
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{
        id::UserId,
        identifier::{E164, EmailAddress, PhoneNumber, Username},
        message::Template,
        method::Method,
        refusal::Code,
        time::Timestamp,
        user::User,
    },
    error::Result,
    management::auth::Manager,
    operations::profile::Profile,
    post::{self, Address},
    refusals,
    stepup::records::fact_changed,
    storage::{
        Session, settings,
        users::{self, Basics, unless_taken},
    },
    web::{
        fields::{self, HttpUrl},
        json::Json,
        query::PathId,
    },
};

/// What to change; members that are absent stay as they are. Null or an empty text clears a member.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserChanges {
    /// Unique; the username policy does not bind operators.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 128, pattern = "^$|^[A-Z_a-z][0-9A-Z_a-z]*$")]
    username: Option<Option<Username>>,
    /// Unique whatever its letter case. The previous address is told.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 256, pattern = "^$|^[^\\s\\u0000-\\u001F\\u007F-\\u009F\\uFEFF]+@[^\\s\\u0000-\\u001F\\u007F-\\u009F\\uFEFF]+\\.[^\\s\\u0000-\\u001F\\u007F-\\u009F\\uFEFF]+$")]
    primary_email: Option<Option<EmailAddress>>,
    /// Unique. The previous number is told.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 256, pattern = "^[0-9]*$")]
    primary_phone: Option<Option<PhoneNumber>>,
    /// The `sub` under which a trusted external issuer knows the user, with that issuer's prefix. Unique.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 512)]
    external_id: Option<Option<ExternalId>>,
    /// Display name.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 128)]
    name: Option<Option<String>>,
    /// URL of a picture, http or https.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 2048, pattern = "^$|^https?://[^\\s\\u0000-\\u001F\\u007F-\\u009F\\uFEFF]+$")]
    avatar: Option<Option<HttpUrl>>,
    /// Replaces the whole object.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    custom_data: Option<Map<String, Value>>,
    /// Replaces the whole profile.
    profile: Option<Profile>,
}

impl UserChanges {
    /// The names of what is to change.
    fn names(&self) -> Vec<&'static str> {
        let given = [
            (self.username.is_some(), "username"),
            (self.primary_email.is_some(), "primaryEmail"),
            (self.primary_phone.is_some(), "primaryPhone"),
            (self.external_id.is_some(), "externalId"),
            (self.name.is_some(), "name"),
            (self.avatar.is_some(), "avatar"),
            (self.custom_data.is_some(), "customData"),
            (self.profile.is_some(), "profile"),
        ];
        given.into_iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name).collect()
    }
}

refusals!(UpdateRefused: [MANAGEMENT, BODY], EntityNotFound, EntityInvalidInput, EntityValueTooLong, UsernameInUse, EmailInUse,
    PhoneInUse, ExternalIdInUse, InvalidPhone);

/// Changes a user
///
/// A changed e-mail address or phone revokes the verification records that rest on the previous one, which is told by message; the
/// user's sessions end where `sessionPolicy` says so.
#[utoipa::path(
    operation_id = "UpdateUser", tag = "Users", security(("bearer" = [])),
    params(("userId" = String, Path, description = "The user's id.")),
    request_body = UserChanges,
    responses((status = 200, description = "The user as they are now.", body = UserView), UpdateRefused),
)]
#[patch("/users/{userId}")]
pub async fn update(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(changes): Json<UserChanges>,
) -> Result<HttpResponse> {
    let names = changes.names();
    if names.is_empty() {
        return Err(Code::EntityInvalidInput.into());
    }
    let username = changes.username.as_ref().and_then(Option::as_ref);
    let email = changes.primary_email.as_ref().and_then(Option::as_ref);
    require_short(username, email, changes.name.as_ref(), changes.avatar.as_ref())?;
    let id = UserId(id);
    let mut session = app.db.write().await?;
    apply(&app, &mut session, manager.about(&id), &id, changes).await?;
    audit::write(&app, &mut session, "user.updated", manager.about(&id), json!({ "fields": names })).await?;
    let user = users::find(&mut session, &id).await?.ok_or(Code::EntityNotFound)?;
    session.commit().await?;
    Ok(HttpResponse::Ok().json(user.to_json()))
}

async fn apply(app: &App, session: &mut Session, actor: Actor<'_>, id: &UserId, changes: UserChanges) -> Result<()> {
    let now = app.now();
    // Before the user's own row, in the order in which a change of the policy takes them.
    let policy = match &changes.username {
        Some(_) => Some(settings::hold(session).await?.sign_in_experience.username_policy),
        None => None,
    };
    let before = users::lock(session, id).await?.ok_or(Code::EntityNotFound)?;
    let facts = Facts { app, actor, before: &before, now };
    if let (Some(username), Some(policy)) = (&changes.username, policy) {
        let key = username.as_ref().map(|name| policy.key(name));
        let name = username.as_ref().map(Username::as_str);
        unless_taken(users::set_username(session, id, name, key.as_deref(), now).await, Code::UsernameInUse)?;
    }
    if let Some(email) = &changes.primary_email {
        facts.set_email(session, email.as_ref()).await?;
    }
    if let Some(phone) = &changes.primary_phone {
        let number = phone.as_ref().map(|phone| phone.normalized().ok_or(Code::InvalidPhone)).transpose()?;
        facts.set_phone(session, number.as_ref()).await?;
    }
    if let Some(external) = &changes.external_id {
        let external = external.as_ref().map(ExternalId::as_str);
        unless_taken(users::set_external_id(session, id, external, now).await, Code::ExternalIdInUse)?;
    }
    if let Some(profile) = &changes.profile {
        users::set_profile(session, id, &profile.members()?, now).await?;
    }
    let basics = Basics {
        name: changes.name,
        avatar: changes.avatar.map(|url| url.map(String::from)),
        custom_data: changes.custom_data,
    };
    if basics.name.is_some() || basics.avatar.is_some() || basics.custom_data.is_some() {
        users::set_basics(session, id, basics, now).await?;
    }
    Ok(())
}

/// Addresses of a user that change.
struct Facts<'a> {
    app: &'a App,
    actor: Actor<'a>,
    before: &'a User,
    now: Timestamp,
}

impl Facts<'_> {
    /// Sets or clears the address. Another spelling of the same one changes no fact.
    async fn set_email(&self, session: &mut Session, email: Option<&EmailAddress>) -> Result<()> {
        let (before, key) = (self.before, email.map(EmailAddress::key));
        let text = email.map(EmailAddress::as_str);
        unless_taken(users::set_email(session, &before.id, text, key.as_deref(), self.now).await, Code::EmailInUse)?;
        let previous = before.primary_email.as_deref();
        if previous.and_then(|previous| EmailAddress::parse(previous).ok()).map(|previous| previous.key()) == key {
            return Ok(());
        }
        self.changed(session, Method::EmailCode, Template::EmailChanged, previous.map(Address::Email)).await
    }

    /// Sets or clears the number.
    async fn set_phone(&self, session: &mut Session, number: Option<&E164>) -> Result<()> {
        let (before, digits) = (self.before, number.map(E164::as_str));
        unless_taken(users::set_phone(session, &before.id, digits, self.now).await, Code::PhoneInUse)?;
        let previous = before.primary_phone.as_deref();
        if digits == previous {
            return Ok(());
        }
        self.changed(session, Method::PhoneCode, Template::PhoneChanged, previous.map(Address::Phone)).await
    }

    /// No session is the operator's own: where sessions end, all do.
    async fn changed(
        &self,
        session: &mut Session,
        method: Method,
        notice: Template,
        previous: Option<Address<'_>>,
    ) -> Result<()> {
        let policy = settings::find(session).await?.sign_in_experience.session_policy;
        fact_changed(self.app, session, self.actor, method, policy, None).await?;
        post::notify(self.app, session, self.before, notice, previous).await
    }
}
