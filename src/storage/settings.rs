//! The settings row.

use sqlx::types::Json;

use super::Session;
use crate::domain::settings::{AccountCenter, Settings, SignInExperience};

#[derive(sqlx::FromRow)]
struct Row {
    version: i64,
    account_center: Json<AccountCenter>,
    sign_in_experience: Json<SignInExperience>,
}

/// The settings as they are now.
pub async fn find(session: &mut Session) -> sqlx::Result<Settings> {
    let sql = "select version, account_center, sign_in_experience from settings where id = 'default'";
    let row: Row = session.fetch_one(sql, ()).await?;
    Ok(Settings {
        version: row.version,
        account_center: row.account_center.0,
        sign_in_experience: row.sign_in_experience.0,
    })
}

/// Takes the row's lock for the rest of the transaction, raises the version, and gives the settings as they are.
pub async fn lock(session: &mut Session) -> sqlx::Result<Settings> {
    session.execute("update settings set version = version + 1 where id = 'default'", ()).await?;
    find(session).await
}

/// Takes the row's lock for the rest of the transaction and gives the settings as they are: they do not change meanwhile.
/// Whoever stores a username holds them, because what makes it unique follows from its policy.
pub async fn hold(session: &mut Session) -> sqlx::Result<Settings> {
    // An update locks the row on both engines.
    session.execute("update settings set version = version where id = 'default'", ()).await?;
    find(session).await
}

/// Stores both; call [`lock`] first.
pub async fn set(session: &mut Session, settings: &Settings) -> sqlx::Result<()> {
    let sql = "update settings set account_center = $1, sign_in_experience = $2 where id = 'default'";
    let params = (Json(&settings.account_center), Json(&settings.sign_in_experience));
    session.execute(sql, params).await.map(drop)
}

/// Adds the row with its defaults, unless it is there.
pub async fn add_default(session: &mut Session) -> sqlx::Result<()> {
    let sql = "insert into settings (id, version, account_center, sign_in_experience) values ('default', 1, $1, $2)
               on conflict (id) do nothing";
    let defaults = Settings::default();
    session.execute(sql, (Json(defaults.account_center), Json(defaults.sign_in_experience))).await.map(drop)
}
