//! Reading and changing one's account (contract 3, rows 1 and 2; 3.1, 3.2).

use actix_web::{HttpResponse, get, patch, web::Data};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{VerificationHeaders, profile::Profile, username::UpdateUsername};
use crate::{
    app::App,
    audit,
    domain::{
        id::{ApplicationId, UserId},
        identifier::Username,
        refusal::Code,
        settings::{AccountCenter, Field},
        time::Timestamp,
        user::User,
    },
    error::Result,
    refusals,
    stepup::gate::Gate,
    storage::{
        Session, settings,
        users::{self, Basics},
    },
    web::{
        caller::{Caller, Signed},
        fields::{self, HttpUrl},
        json::Json,
    },
};

/// One's own account: what the token's scopes and the account centre's settings let through. A member is absent when they hide it, and
/// null when it is not set.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account<'a> {
    /// The user's id.
    #[schema(value_type = String, example = "x1y2z3a4b5c6")]
    id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "ada")]
    username: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "ada@example.com")]
    primary_email: Option<Option<&'a str>>,
    /// E.164 digits without the plus sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "14155552671")]
    primary_phone: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "Ada Lovelace")]
    name: Option<Option<&'a str>>,
    /// URL of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "https://example.com/ada.png")]
    avatar: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Profile>, nullable = false)]
    profile: Option<ShownProfile<'a>>,
    /// Free for the front end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>, nullable = false, example = json!({ "theme": "dark" }))]
    custom_data: Option<&'a Map<String, Value>>,
    /// Accounts elsewhere, by provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>, nullable = false, example = json!({}))]
    identities: Option<Map<String, Value>>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    last_sign_in_at: Option<Option<Timestamp>>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, nullable = false, example = 1_795_176_000_000_i64)]
    created_at: Option<Timestamp>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, nullable = false, example = 1_795_176_000_000_i64)]
    updated_at: Option<Timestamp>,
    /// The application the account was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    application_id: Option<Option<&'a ApplicationId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    cimd_client_id: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    is_suspended: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    has_password: Option<bool>,
    /// Whether there is something to verify with.
    has_security_verification_method: bool,
}

impl<'a> Account<'a> {
    /// The account as `caller` may see it (contract 3.1).
    pub fn shown(user: &'a User, caller: &Signed) -> Self {
        let center = &caller.settings.account_center;
        let is_shown = |scope, field| caller.has_scope(scope) && center.shows(field);
        let is_profile = caller.has_scope("profile");
        let of_profile = |field| is_profile && center.shows(field);
        Self {
            id: &user.id,
            username: of_profile(Field::Username).then_some(user.username.as_deref()),
            primary_email: is_shown("email", Field::Email).then_some(user.primary_email.as_deref()),
            primary_phone: is_shown("phone", Field::Phone).then_some(user.primary_phone.as_deref()),
            name: of_profile(Field::Name).then_some(user.name.as_deref()),
            avatar: of_profile(Field::Avatar).then_some(user.avatar.as_deref()),
            profile: of_profile(Field::Profile).then(|| ShownProfile::new(&user.profile, caller)),
            custom_data: is_shown("custom_data", Field::CustomData).then_some(&*user.custom_data),
            identities: is_shown("identities", Field::Social).then(Map::new),
            last_sign_in_at: is_profile.then_some(user.last_sign_in_at),
            created_at: is_profile.then_some(user.created_at),
            updated_at: is_profile.then_some(user.updated_at),
            application_id: is_profile.then_some(user.application_id.as_ref()),
            cimd_client_id: is_profile.then_some(None),
            is_suspended: is_profile.then_some(user.is_suspended),
            has_password: of_profile(Field::Password).then_some(user.password_digest.is_some()),
            has_security_verification_method: !user.methods().is_empty(),
        }
    }
}

/// The profile, without the address unless its scope was granted.
pub struct ShownProfile<'a> {
    profile: &'a Map<String, Value>,
    has_address: bool,
}

impl<'a> ShownProfile<'a> {
    /// As `caller` may see it.
    pub fn new(profile: &'a Map<String, Value>, caller: &Signed) -> Self {
        Self { profile, has_address: caller.has_scope("address") }
    }
}

impl Serialize for ShownProfile<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.profile.iter().filter(|(name, _)| self.has_address || *name != "address"))
    }
}

refusals!(GetRefused: [USER]);

/// Shows one's account
#[utoipa::path(
    operation_id = "GetProfile", tag = "My account", security(("bearer" = [])),
    responses((status = 200, description = "The account.", body = Account), GetRefused),
)]
#[get("")]
pub async fn get(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(Account::shown(&caller.user, &caller))
}

/// What to change; members that are absent stay as they are.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountChanges {
    /// Display name; null or empty clears it.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<String>, max_length = 128, example = "Ada Lovelace")]
    name: Option<Option<String>>,
    /// URL of a picture, http or https; null clears it.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<String>, max_length = 2048, pattern = "^https?://[^\\s\\u0000-\\u001F\\u007F-\\u009F\\uFEFF]+$", example = "https://example.com/ada.png")]
    avatar: Option<Option<HttpUrl>>,
    /// Needs a verification; null removes it.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<Username>)]
    username: Option<Option<Username>>,
    /// Replaces the whole object.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>, example = json!({ "theme": "dark" }))]
    custom_data: Option<Map<String, Value>>,
}

impl AccountChanges {
    fn fields(&self) -> impl Iterator<Item = Field> {
        let present = [
            (self.name.is_some(), Field::Name),
            (self.avatar.is_some(), Field::Avatar),
            (self.username.is_some(), Field::Username),
            (self.custom_data.is_some(), Field::CustomData),
        ];
        present.into_iter().filter(|(is_present, _)| *is_present).map(|(_, field)| field)
    }

    fn require_editable(&self, center: &AccountCenter) -> Result<()> {
        self.fields().try_for_each(|field| center.require_edit(field)).map_err(Into::into)
    }

    fn require_short(&self) -> Result<()> {
        let name = self.name.iter().flatten().any(|name| name.chars().count() > 128);
        let avatar = self.avatar.iter().flatten().any(|url| url.as_str().chars().count() > 2048);
        let username = self.username.iter().flatten().any(Username::exceeds_column);
        if name || avatar || username {
            return Err(Code::EntityValueTooLong.into());
        }
        Ok(())
    }
}

refusals!(UpdateRefused: [USER, BODY], FieldNotEditable, ScopeMissing, ThirdPartyForbidden, VerificationRequired, LastSignInMethod,
    UsernameInUse, UsernameTooShort, UsernameTooLong, UsernameUppercase, UsernameLowercase, UsernameNumbers, UsernameUnderscore,
    EntityInvalidInput, EntityValueTooLong);

/// Changes name, picture, username or custom data
///
/// A change of the username needs a verification; the others do not.
#[utoipa::path(
    operation_id = "UpdateProfile", tag = "My account", security(("bearer" = [])), params(VerificationHeaders),
    request_body = AccountChanges,
    responses((status = 200, description = "The account as it is now.", body = Account), UpdateRefused),
)]
#[patch("")]
pub async fn update(
    app: Data<App>,
    gate: Gate<UpdateUsername>,
    Json(changes): Json<AccountChanges>,
) -> Result<HttpResponse> {
    let caller = gate.caller().clone();
    changes.require_editable(&caller.settings.account_center)?;
    caller.require_scope("profile")?;
    if changes.custom_data.is_some() {
        caller.require_scope("custom_data")?;
    }
    caller.require_first_party()?;
    if changes.fields().next().is_none() {
        return Err(Code::EntityInvalidInput.into());
    }
    changes.require_short()?;
    let names: Vec<Field> = changes.fields().collect();
    let data = json!({ "fields": names });
    let user = if changes.username.is_some() {
        gate.check(&app).await?;
        let mut opened = gate.open(&app).await?;
        let before = opened.user().clone();
        rename(&mut opened, &before, changes.username.as_ref().and_then(Option::as_ref), app.now()).await?;
        let user = apply(&app, &mut opened, &before.id, changes).await?;
        opened.commit(&app, data).await?;
        user
    } else {
        let mut session = app.db.write().await?;
        let user = apply(&app, &mut session, &caller.user.id, changes).await?;
        audit::write(&app, &mut session, "account.updated", &caller, data).await?;
        session.commit().await?;
        user
    };
    Ok(HttpResponse::Ok().json(Account::shown(&user, &caller)))
}

/// Sets or removes the username, as the policy allows.
async fn rename(session: &mut Session, user: &User, username: Option<&Username>, now: Timestamp) -> Result<()> {
    // Held, so that the policy cannot change between the key that is made here and the commit.
    let policy = settings::hold(session).await?.sign_in_experience.username_policy;
    match username {
        None if user.username.is_some() && user.sign_in_identifiers() <= 1 => return Err(Code::LastSignInMethod.into()),
        None => {}
        Some(username) => policy.check(username)?,
    }
    let (name, key) = (username.map(Username::as_str), username.map(|username| policy.key(username)));
    let stored = users::set_username(session, &user.id, name, key.as_deref(), now).await;
    users::unless_taken(stored, Code::UsernameInUse)
}

/// Stores the rest, and gives the account as it is then.
async fn apply(app: &App, session: &mut Session, user: &UserId, changes: AccountChanges) -> Result<User> {
    let basics = Basics {
        name: changes.name.map(|name| name.filter(|name| !name.is_empty())),
        avatar: changes.avatar.map(|url| url.map(String::from)),
        custom_data: changes.custom_data,
    };
    users::set_basics(session, user, basics, app.now()).await?;
    Ok(users::find(session, user).await?.ok_or(Code::EntityNotFound)?)
}
