//! The application that is part of every installation: the client of the account page, and of account pages written for Logto that
//! stand on the same origin (contract 8.5).

use serde_json::{Map, Value, json};
use sqlx::types::Json;

use crate::{
    app::App,
    domain::{
        application::{ACCOUNT_CENTER, ApplicationType, ClientSettings, GrantType},
        id::ApplicationId,
    },
    error::Result,
    storage::applications::{self, Application},
};

/// Sees to it that it is there, and that people come back from signing in and out to this service's own public URL.
pub async fn ensure(app: &App) -> Result<()> {
    let (id, uris) = (ApplicationId(ACCOUNT_CENTER.to_owned()), uris(app));
    let known = applications::find(&mut app.db.read().await?, &id).await?;
    if known.is_some_and(|known| *known.oidc_client_metadata == uris) {
        return Ok(());
    }
    let mut session = app.db.write().await?;
    let fresh = Application {
        id: id.clone(),
        name: "Account".to_owned(),
        description: Some("The account page of this service".to_owned()),
        kind: ApplicationType::Spa.name().to_owned(),
        is_third_party: false,
        is_management: false,
        allow_token_exchange: false,
        oidc_client_metadata: Json(uris.clone()),
        custom_data: Json::default(),
        client_settings: Json(ClientSettings {
            grant_types: Some(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]),
            ..ClientSettings::default()
        }),
        created_at: app.now(),
    };
    // Another node may have been quicker; then the row is held while it is looked at again.
    if !applications::add_missing(&mut session, &fresh).await?
        && let Some(mut known) = applications::lock(&mut session, &id).await?
    {
        known.oidc_client_metadata = Json(uris);
        applications::set(&mut session, &known).await?;
    }
    Ok(session.commit().await?)
}

fn uris(app: &App) -> Map<String, Value> {
    let page = json!([format!("{}/account", app.urls.root)]);
    Map::from_iter([("redirectUris".to_owned(), page.clone()), ("postLogoutRedirectUris".to_owned(), page)])
}
