//! Changing the profile (contract 3, row 3; 3.3). No verification needed.

use actix_web::{HttpResponse, patch, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::account::ShownProfile;
use crate::{
    app::App,
    audit,
    domain::{refusal::Code, settings::Field},
    error::Result,
    refusals,
    storage::users,
    web::{caller::Caller, fields, json::Json},
};

/// A text of a profile: at most 1024 characters.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(max_length = 1024)]
pub struct ProfileText(String);

impl TryFrom<String> for ProfileText {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > 1024 { Err("at most 1024 characters") } else { Ok(Self(text)) }
    }
}

macro_rules! optional_texts {
    ($(#[$doc:meta])* $name:ident { $($field:ident),* $(; $more:ident: $kind:ty)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $(
                #[serde(default, deserialize_with = "fields::not_null", skip_serializing_if = "Option::is_none")]
                #[schema(nullable = false)]
                $field: Option<ProfileText>,
            )*
            $(
                #[serde(default, deserialize_with = "fields::not_null", skip_serializing_if = "Option::is_none")]
                #[schema(nullable = false)]
                $more: Option<$kind>,
            )?
        }
    };
}

optional_texts! {
    /// A postal address, as the claim of OpenID Connect Core 5.1.1; replaced as a whole.
    Address { formatted, street_address, locality, region, postal_code, country }
}

optional_texts! {
    /// Standard claims of OpenID Connect Core 5.1. Members that are absent stay as they are.
    Profile {
        family_name, given_name, middle_name, nickname, preferred_username, profile, website, gender, birthdate, zoneinfo, locale;
        address: Address
    }
}

impl Profile {
    /// Those members that are present.
    pub fn members(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self).map_err(anyhow::Error::from)? {
            Value::Object(members) => Ok(members),
            _ => Err(Code::EntityInvalidInput.into()),
        }
    }
}

refusals!(Refused: [USER, BODY], FieldNotEditable, ScopeMissing, ThirdPartyForbidden, EntityNotFound);

/// Changes the profile
#[utoipa::path(
    operation_id = "UpdateOtherProfile", tag = "My account", security(("bearer" = [])),
    request_body = Profile,
    responses((status = 200, description = "The profile as it is now.", body = Profile), Refused),
)]
#[patch("/profile")]
pub async fn update(app: Data<App>, caller: Caller, Json(changes): Json<Profile>) -> Result<HttpResponse> {
    caller.settings.account_center.require_edit(Field::Profile)?;
    caller.require_scope("profile")?;
    if changes.address.is_some() {
        caller.require_scope("address")?;
    }
    caller.require_first_party()?;
    let changes = changes.members()?;
    let names: Vec<String> = changes.keys().cloned().collect();
    let mut session = app.db.write().await?;
    let user = users::lock(&mut session, &caller.user.id).await?.ok_or(Code::EntityNotFound)?;
    let mut profile = user.profile.0;
    profile.extend(changes);
    users::set_profile(&mut session, &user.id, &profile, app.now()).await?;
    audit::write(&app, &mut session, "account.profile.updated", &caller, json!({ "fields": names })).await?;
    session.commit().await?;
    Ok(HttpResponse::Ok().json(ShownProfile::new(&profile, &caller)))
}
