//! Reading and changing one's account (contract 3, rows 1 and 2; 3.1, 3.2).

use actix_web::{HttpResponse, get, patch, web::Data};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{VerificationHeaders, profile::Profile, username::UpdateUsername};
use crate::{
    app::App,
    audit,
    domain::{
        id::UserId,
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
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes `visible` for the OpenAPI document")]
pub struct Account {
    /// The user's id.
    #[schema(example = "x1y2z3a4b5c6")]
    id: String,
    #[schema(example = "ada")]
    username: Option<String>,
    #[schema(example = "ada@example.com")]
    primary_email: Option<String>,
    /// E.164 digits without the plus sign.
    #[schema(example = "14155552671")]
    primary_phone: Option<String>,
    #[schema(example = "Ada Lovelace")]
    name: Option<String>,
    /// URL of a picture.
    #[schema(example = "https://example.com/ada.png")]
    avatar: Option<String>,
    #[schema(nullable = false)]
    profile: Option<Profile>,
    /// Free for the front end.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>, nullable = false, example = json!({ "theme": "dark" }))]
    custom_data: Option<Map<String, Value>>,
    /// Accounts elsewhere, by provider.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>, nullable = false, example = json!({}))]
    identities: Option<Map<String, Value>>,
    /// Milliseconds since 1970.
    last_sign_in_at: Option<i64>,
    /// Milliseconds since 1970.
    #[schema(nullable = false, example = 1_795_176_000_000_i64)]
    created_at: Option<i64>,
    /// Milliseconds since 1970.
    #[schema(nullable = false, example = 1_795_176_000_000_i64)]
    updated_at: Option<i64>,
    /// The application the account was made with.
    application_id: Option<String>,
    cimd_client_id: Option<String>,
    #[schema(nullable = false)]
    is_suspended: Option<bool>,
    #[schema(nullable = false)]
    has_password: Option<bool>,
    /// Whether there is something to verify with.
    has_security_verification_method: bool,
}

/// The account as `caller` may see it (contract 3.1).
pub fn visible(user: &User, caller: &Signed) -> Value {
    let center = &caller.settings.account_center;
    let has = |scope: &str| caller.has_scope(scope);
    let mut members = Map::new();
    let mut put = |name: &str, scope: &str, field: Option<Field>, value: Value| {
        if has(scope) && field.is_none_or(|field| center.shows(field)) {
            members.insert(name.to_owned(), value);
        }
    };
    put("username", "profile", Some(Field::Username), json!(user.username));
    put("primaryEmail", "email", Some(Field::Email), json!(user.primary_email));
    put("primaryPhone", "phone", Some(Field::Phone), json!(user.primary_phone));
    put("name", "profile", Some(Field::Name), json!(user.name));
    put("avatar", "profile", Some(Field::Avatar), json!(user.avatar));
    put("profile", "profile", Some(Field::Profile), visible_profile(&user.profile, caller));
    put("customData", "custom_data", Some(Field::CustomData), json!(*user.custom_data));
    put("identities", "identities", Some(Field::Social), json!({}));
    put("lastSignInAt", "profile", None, json!(user.last_sign_in_at));
    put("createdAt", "profile", None, json!(user.created_at));
    put("updatedAt", "profile", None, json!(user.updated_at));
    put("applicationId", "profile", None, json!(user.application_id));
    put("cimdClientId", "profile", None, Value::Null);
    put("isSuspended", "profile", None, json!(user.is_suspended));
    put("hasPassword", "profile", Some(Field::Password), json!(user.password_digest.is_some()));
    members.insert("id".to_owned(), json!(user.id));
    members.insert("hasSecurityVerificationMethod".to_owned(), json!(!user.methods().is_empty()));
    Value::Object(members)
}

/// The profile, without the address unless its scope was granted.
pub fn visible_profile(profile: &Map<String, Value>, caller: &Signed) -> Value {
    let shown = profile.iter().filter(|(name, _)| *name != "address" || caller.has_scope("address"));
    Value::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect())
}

refusals!(GetRefused: [USER]);

/// Shows one's account
#[utoipa::path(
    operation_id = "GetProfile", tag = "My account", security(("bearer" = [])),
    responses((status = 200, description = "The account.", body = Account), GetRefused),
)]
#[get("")]
pub async fn get(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(visible(&caller.user, &caller))
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
    Ok(HttpResponse::Ok().json(visible(&user, &caller)))
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
