//! What users may see and change of their own account.

use std::collections::{BTreeMap, HashSet};

use actix_web::{HttpResponse, get, patch, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::Schema;

use crate::{
    app::App,
    audit,
    domain::settings::{AccountCenter, Field, FieldControl, ProfileField},
    error::Result,
    management::auth::Manager,
    refusals,
    storage::settings,
    web::{
        explain,
        fields::{self, HttpUrl, Text},
        json::Json,
        openapi,
    },
};

/// The names `profileFields` may have: what accounts hold, and the full name that forms compose.
const PROFILE_FIELDS: &[&str] = &[
    "name",
    "avatar",
    "fullname",
    "familyName",
    "givenName",
    "middleName",
    "nickname",
    "preferredUsername",
    "profile",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "address",
];

/// The account centre's settings.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountCenterView {
    #[schema(example = "default")]
    tenant_id: &'static str,
    #[schema(example = "default")]
    id: &'static str,
    #[serde(flatten)]
    center: AccountCenter,
}

pub(super) fn answer(center: AccountCenter) -> HttpResponse {
    HttpResponse::Ok().json(AccountCenterView { tenant_id: "default", id: "default", center })
}

/// What to change; members that are absent stay as they are.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountCenterChanges {
    /// Off: every account and verification route answers `account_center.not_enabled`.
    enabled: Option<bool>,
    /// Replaces the whole map.
    fields: Option<Fields>,
    /// Further origins for passkeys.
    #[schema(schema_with = origins_schema)]
    webauthn_related_origins: Option<Origins>,
    /// Where users go to delete their account; null or empty clears it.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 2048, pattern = "^$|^https?://[^\\s\\u0000-\\u001F\\u007F-\\u009F\\uFEFF]+$")]
    delete_account_url: Option<Option<PageUrl>>,
    /// For account pages; null or empty clears it.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>)]
    custom_css: Option<Option<String>>,
    /// Which profile fields account pages show; unknown names are dropped, null clears.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<Vec<ProfileField>>)]
    profile_fields: Option<Option<Vec<ProfileField>>>,
}

/// What users may do with each field; one that is absent counts as `Off`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fields {
    name: Option<FieldControl>,
    avatar: Option<FieldControl>,
    profile: Option<FieldControl>,
    email: Option<FieldControl>,
    phone: Option<FieldControl>,
    password: Option<FieldControl>,
    username: Option<FieldControl>,
    social: Option<FieldControl>,
    custom_data: Option<FieldControl>,
    mfa: Option<FieldControl>,
    passkey: Option<FieldControl>,
    session: Option<FieldControl>,
    trusted_device: Option<FieldControl>,
}

impl Fields {
    fn controls(&self) -> BTreeMap<Field, FieldControl> {
        let all = [
            (Field::Name, self.name),
            (Field::Avatar, self.avatar),
            (Field::Profile, self.profile),
            (Field::Email, self.email),
            (Field::Phone, self.phone),
            (Field::Password, self.password),
            (Field::Username, self.username),
            (Field::Social, self.social),
            (Field::CustomData, self.custom_data),
            (Field::Mfa, self.mfa),
            (Field::Passkey, self.passkey),
            (Field::Session, self.session),
            (Field::TrustedDevice, self.trusted_device),
        ];
        all.into_iter().filter_map(|(field, control)| Some((field, control?))).collect()
    }
}

/// At most 100 origins, each once.
#[derive(Deserialize)]
#[serde(try_from = "Vec<Text<1, 256>>")]
struct Origins(Vec<String>);

/// What [`Origins`] takes.
fn origins_schema() -> Schema {
    openapi::nullable_texts("Further origins for passkeys.", 100, openapi::text(1, 256))
}

impl TryFrom<Vec<Text<1, 256>>> for Origins {
    type Error = &'static str;

    fn try_from(origins: Vec<Text<1, 256>>) -> Result<Self, Self::Error> {
        if origins.len() > 100 {
            return Err("at most 100 origins");
        }
        let mut seen = HashSet::new();
        let once = origins.into_iter().filter(|origin| seen.insert(origin.clone()));
        Ok(Self(once.map(Into::into).collect()))
    }
}

/// An http or https URL of at most 2048 characters.
struct PageUrl(String);

impl TryFrom<String> for PageUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > 2048 {
            return Err("at most 2048 characters");
        }
        HttpUrl::try_from(text).map(|url| Self(url.into()))
    }
}

impl AccountCenterChanges {
    /// The settings after the change, and the names of what was given.
    fn apply(self, center: &mut AccountCenter) -> Result<Vec<&'static str>> {
        let mut names = Vec::new();
        if let Some(enabled) = self.enabled {
            center.enabled = enabled;
            names.push("enabled");
        }
        if let Some(fields) = self.fields {
            center.fields = fields.controls();
            names.push("fields");
        }
        if let Some(origins) = self.webauthn_related_origins {
            center.webauthn_related_origins = origins.0;
            names.push("webauthnRelatedOrigins");
        }
        if let Some(url) = self.delete_account_url {
            center.delete_account_url = url.map(|url| url.0);
            names.push("deleteAccountUrl");
        }
        if let Some(css) = self.custom_css {
            center.custom_css = css;
            names.push("customCss");
        }
        if let Some(fields) = self.profile_fields {
            center.profile_fields = fields.map(known_once).transpose()?;
            names.push("profileFields");
        }
        Ok(names)
    }
}

/// Without unknown names; refused when a name comes twice.
fn known_once(fields: Vec<ProfileField>) -> Result<Vec<ProfileField>> {
    let mut seen = HashSet::new();
    if !fields.iter().all(|field| seen.insert(field.name.as_str())) {
        return Err(explain::one("body", "profileFields", "A name may come once.").into());
    }
    Ok(fields.into_iter().filter(|field| PROFILE_FIELDS.contains(&field.name.as_str())).collect())
}

refusals!(GetRefused: [MANAGEMENT]);

/// Shows the account centre's settings
#[utoipa::path(
    operation_id = "GetAccountCenterSettings", tag = "Account center", security(("bearer" = [])),
    responses((status = 200, description = "The settings.", body = AccountCenterView), GetRefused),
)]
#[get("/account-center")]
pub async fn get(app: Data<App>, _manager: Manager) -> Result<HttpResponse> {
    Ok(answer(settings::find(&mut app.db.read().await?).await?.account_center))
}

refusals!(UpdateRefused: [MANAGEMENT, BODY]);

/// Changes the account centre's settings
///
/// What users may see and change of their own account; the change counts with the request that follows it.
#[utoipa::path(
    operation_id = "UpdateAccountCenterSettings", tag = "Account center", security(("bearer" = [])),
    request_body = AccountCenterChanges,
    responses((status = 200, description = "The settings as they are now.", body = AccountCenterView), UpdateRefused),
)]
#[patch("/account-center")]
pub async fn update(
    app: Data<App>,
    manager: Manager,
    Json(changes): Json<AccountCenterChanges>,
) -> Result<HttpResponse> {
    let mut session = app.db.write().await?;
    let mut all = settings::lock(&mut session).await?;
    let names = changes.apply(&mut all.account_center)?;
    settings::set(&mut session, &all).await?;
    let data = json!({ "fields": names });
    audit::write(&app, &mut session, "settings.account_center.updated", &manager, data).await?;
    session.commit().await?;
    Ok(answer(all.account_center))
}
