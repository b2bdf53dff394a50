//! Client applications and their secrets.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::{Session, Texts};
use crate::domain::{
    application::{ApplicationType, ClientSettings, GrantType},
    id::ApplicationId,
    time::Timestamp,
};

/// One client application.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Application {
    /// Its `client_id`.
    pub id: ApplicationId,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// [`crate::domain::application::ApplicationType`] by name.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// Third-party applications may not change accounts.
    pub is_third_party: bool,
    /// May ask for management tokens.
    pub is_management: bool,
    /// May exchange subject tokens.
    pub allow_token_exchange: bool,
    /// Redirect URIs and the like.
    pub oidc_client_metadata: Json<Map<String, Value>>,
    /// Free for the operator.
    pub custom_data: Json<Map<String, Value>>,
    /// What sign-in knows of it.
    pub client_settings: Json<ClientSettings>,
    /// Creation.
    pub created_at: Timestamp,
}

impl Application {
    /// Its type; `None` when the row holds another word.
    #[must_use]
    pub fn application_type(&self) -> Option<ApplicationType> {
        ApplicationType::parse(&self.kind)
    }

    /// Whether it may use that grant.
    #[must_use]
    pub fn allows(&self, grant: GrantType) -> bool {
        self.application_type().is_some_and(|kind| self.client_settings.allows(kind, grant))
    }

    /// Whether it can keep a secret, and so must authenticate.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.application_type().is_none_or(ApplicationType::is_confidential)
    }

    /// Whether `uri` is one of its redirect URIs, character for character (RFC 9700 2.1).
    #[must_use]
    pub fn has_redirect_uri(&self, uri: &str) -> bool {
        self.lists("redirectUris", uri)
    }

    /// Where users go when a request does not say.
    #[must_use]
    pub fn first_redirect_uri(&self) -> Option<&str> {
        self.oidc_client_metadata.get("redirectUris").and_then(Value::as_array)?.first()?.as_str()
    }

    /// The same for where users go after signing out.
    #[must_use]
    pub fn has_post_logout_redirect_uri(&self, uri: &str) -> bool {
        self.lists("postLogoutRedirectUris", uri)
    }

    /// Whether pages of that origin are its own: those of the URIs users come back to.
    #[must_use]
    pub fn has_origin(&self, origin: &url::Origin) -> bool {
        let lists = ["redirectUris", "postLogoutRedirectUris"].map(|member| self.oidc_client_metadata.get(member));
        let mut uris = lists.into_iter().flatten().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        origin.is_tuple() && uris.any(|uri| url::Url::parse(uri).is_ok_and(|uri| uri.origin() == *origin))
    }

    fn lists(&self, member: &str, uri: &str) -> bool {
        let list = self.oidc_client_metadata.get(member).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|one| one.as_str() == Some(uri)))
    }
}

macro_rules! columns {
    () => {
        "id, name, description, type, is_third_party, is_management, allow_token_exchange, oidc_client_metadata, \
         custom_data, client_settings, created_at"
    };
}

macro_rules! insert_into {
    () => {
        concat!("insert into applications (", columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
    };
}

/// Adds an application.
pub async fn add(session: &mut Session, application: &Application) -> sqlx::Result<()> {
    insert(session, insert_into!(), application).await.map(drop)
}

/// The same unless there is one with that id; false when there is.
pub async fn add_missing(session: &mut Session, application: &Application) -> sqlx::Result<bool> {
    Ok(insert(session, concat!(insert_into!(), " on conflict (id) do nothing"), application).await? == 1)
}

async fn insert(session: &mut Session, sql: &'static str, application: &Application) -> sqlx::Result<u64> {
    let Application { id, name, description, kind, is_third_party, is_management, allow_token_exchange, .. } =
        application;
    let Application { oidc_client_metadata, custom_data, client_settings, created_at, .. } = application;
    let params = (
        id,
        name,
        description,
        kind,
        *is_third_party,
        *is_management,
        *allow_token_exchange,
        oidc_client_metadata,
        custom_data,
        client_settings,
        *created_at,
    );
    session.execute(sql, params).await
}

/// The application with that id.
pub async fn find(session: &mut Session, id: &ApplicationId) -> sqlx::Result<Option<Application>> {
    session.fetch_optional(concat!("select ", columns!(), " from applications where id = $1"), (id,)).await
}

/// A page of applications, newest first.
pub async fn list(session: &mut Session, limit: i64, offset: i64) -> sqlx::Result<Vec<Application>> {
    let sql = concat!("select ", columns!(), " from applications order by created_at desc, id limit $1 offset $2");
    session.fetch_all(sql, (limit, offset)).await
}

/// How many there are.
pub async fn count(session: &mut Session) -> sqlx::Result<i64> {
    session.fetch_value("select count(*) from applications", ()).await
}

/// Takes the row's lock for the rest of the transaction and gives the application as it is now; `None` when it is gone.
pub async fn lock(session: &mut Session, id: &ApplicationId) -> sqlx::Result<Option<Application>> {
    // An update locks the row on both engines; not of the key, to which much refers.
    session.execute("update applications set name = name where id = $1", (id,)).await?;
    find(session, id).await
}

/// Stores what may change of an application; call [`lock`] first.
pub async fn set(session: &mut Session, application: &Application) -> sqlx::Result<u64> {
    let sql = "update applications set name = $2, description = $3, is_management = $4, allow_token_exchange = $5,
                 oidc_client_metadata = $6, custom_data = $7, client_settings = $8 where id = $1";
    let Application { id, name, description, is_management, allow_token_exchange, .. } = application;
    let Application { oidc_client_metadata: metadata, custom_data: data, client_settings: settings, .. } = application;
    session.execute(sql, (id, name, description, *is_management, *allow_token_exchange, metadata, data, settings)).await
}

/// Removes an application with its secrets; false when there was none.
pub async fn delete(session: &mut Session, id: &ApplicationId) -> sqlx::Result<bool> {
    Ok(session.execute("delete from applications where id = $1", (id,)).await? == 1)
}

/// Adds a secret that does not expire, by its SHA-256.
pub async fn add_secret(
    session: &mut Session,
    id: &ApplicationId,
    secret_hash: &[u8],
    name: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    add_secret_until(session, id, secret_hash, name, now, None).await
}

/// The same for one that expires, unless `expires_at` is `None`.
pub async fn add_secret_until(
    session: &mut Session,
    id: &ApplicationId,
    secret_hash: &[u8],
    name: &str,
    now: Timestamp,
    expires_at: Option<Timestamp>,
) -> sqlx::Result<()> {
    let sql = "insert into application_secrets (application_id, secret_hash, name, created_at, expires_at)
               values ($1, $2, $3, $4, $5)";
    session.execute(sql, (id, secret_hash, name, now, expires_at)).await.map(drop)
}

/// A secret, without what it is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Secret {
    /// One of a kind in its application.
    pub name: String,
    /// Creation.
    pub created_at: Timestamp,
    /// From when on it is worthless.
    pub expires_at: Option<Timestamp>,
}

/// The secrets of an application, expired ones as well, oldest first.
pub async fn list_secrets(session: &mut Session, id: &ApplicationId) -> sqlx::Result<Vec<Secret>> {
    let sql = "select name, created_at, expires_at from application_secrets where application_id = $1
               order by created_at, name";
    session.fetch_all(sql, (id,)).await
}

/// Removes the secrets of an application that have expired.
pub async fn delete_expired_secrets(session: &mut Session, id: &ApplicationId, now: Timestamp) -> sqlx::Result<()> {
    let sql = "delete from application_secrets where application_id = $1 and expires_at <= $2";
    session.execute(sql, (id, now)).await.map(drop)
}

/// Removes the secret of that name; false when there was none.
pub async fn delete_secret(session: &mut Session, id: &ApplicationId, name: &str) -> sqlx::Result<bool> {
    let sql = "delete from application_secrets where application_id = $1 and name = $2";
    Ok(session.execute(sql, (id, name)).await? == 1)
}

/// Whether there is an application with that id that keeps no secret.
pub async fn is_public(session: &mut Session, id: &ApplicationId) -> sqlx::Result<bool> {
    // The condition is that of an index (migration 0007), in which those that keep one are as little found as those that do not exist.
    // SQLite would rather go by the primary key, and look at the row.
    const TEXTS: Texts = Texts {
        sqlite: "select count(*) from applications indexed by applications_public
                 where id = $1 and type in ('Native', 'SPA')",
        postgres: "select count(*) from applications where id = $1 and type in ('Native', 'SPA')",
    };
    let sql = TEXTS.of(session);
    Ok(session.fetch_value::<i64>(sql, (id,)).await? > 0)
}

/// Whether that digest is one of the application's living secrets.
pub async fn has_secret(
    session: &mut Session,
    id: &ApplicationId,
    secret_hash: &[u8],
    now: Timestamp,
) -> sqlx::Result<bool> {
    // A digest of 128 random bits or more: comparing it in the index gives nothing away.
    let sql = "select count(*) from application_secrets
               where application_id = $1 and secret_hash = $2 and (expires_at is null or expires_at > $3)";
    Ok(session.fetch_value::<i64>(sql, (id, secret_hash, now)).await? > 0)
}
