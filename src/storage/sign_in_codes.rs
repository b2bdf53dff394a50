//! Codes and links that sign somebody in. Every change of state is one conditional statement.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::Session;
use crate::domain::{id::ApplicationId, time::Timestamp};

/// A code or link to be stored.
pub struct NewSignInCode<'a> {
    /// 24 hexadecimal digits: the `_id` of contract `auth0.md` 1.3. The code follows from it.
    pub id: &'a str,
    /// SHA-256 of what its holder must show beside the code.
    pub handle_hash: Option<&'a [u8]>,
    /// For which application.
    pub application: &'a ApplicationId,
    /// [`crate::domain::application::Connection::name`].
    pub connection: &'static str,
    /// E-mail key or E.164 digits.
    pub identifier: &'a str,
    /// The address as it was given.
    pub address: &'a str,
    /// SHA-256 of the secret in the link.
    pub link_hash: Option<&'a [u8]>,
    /// SHA-256 of the secret of the browser that asked for the link.
    pub browser_hash: Option<&'a [u8]>,
    /// For the link's authorization.
    pub auth_params: Map<String, Value>,
    /// Guesses of the one before it: a new code does not forget them.
    pub guesses: i64,
    /// Whether it has more digits than configured.
    pub is_long: bool,
    /// Creation.
    pub now: Timestamp,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

/// Adds a code.
pub async fn add(session: &mut Session, new: NewSignInCode<'_>) -> sqlx::Result<()> {
    let sql = "insert into sign_in_codes (id, handle_hash, application_id, connection, identifier, address, link_hash, browser_hash,
                 auth_params, guesses, created_at, expires_at, is_long)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let NewSignInCode { id, handle_hash, application, connection, identifier, address, link_hash, .. } = new;
    let NewSignInCode { browser_hash, auth_params, guesses, now, expires_at, is_long, .. } = new;
    let params = (
        id,
        handle_hash,
        application,
        connection,
        identifier,
        address,
        link_hash,
        browser_hash,
        Json(auth_params),
        guesses,
        now,
        expires_at,
        is_long,
    );
    session.execute(sql, params).await.map(drop)
}

/// A code or link as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the members of `NewSignInCode`")]
pub struct SignInCode {
    pub id: String,
    pub handle_hash: Option<Vec<u8>>,
    pub application_id: ApplicationId,
    pub connection: String,
    pub identifier: String,
    pub address: String,
    pub browser_hash: Option<Vec<u8>>,
    pub auth_params: Json<Map<String, Value>>,
    /// Guesses so far.
    pub guesses: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub replaced_at: Option<Timestamp>,
    pub is_long: bool,
}

macro_rules! columns {
    () => {
        "id, handle_hash, application_id, connection, identifier, address, browser_hash, auth_params, guesses, created_at, \
         expires_at, used_at, replaced_at, is_long"
    };
}

/// The newest code that has not been used or replaced, of those without a handle.
pub async fn find_named(
    session: &mut Session,
    application: &ApplicationId,
    connection: &str,
    identifier: &str,
) -> sqlx::Result<Option<SignInCode>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from sign_in_codes
         where identifier = $3 and connection = $2 and application_id = $1 and handle_hash is null
           and used_at is null and replaced_at is null
         order by created_at desc, id limit 1"
    );
    session.fetch_optional(sql, (application, connection, identifier)).await
}

/// The code of that handle.
pub async fn find_held(session: &mut Session, handle_hash: &[u8]) -> sqlx::Result<Option<SignInCode>> {
    let sql = concat!("select ", columns!(), " from sign_in_codes where handle_hash = $1");
    session.fetch_optional(sql, (handle_hash,)).await
}

/// The code that was mailed with that link.
pub async fn find_linked(session: &mut Session, link_hash: &[u8]) -> sqlx::Result<Option<SignInCode>> {
    let sql = concat!("select ", columns!(), " from sign_in_codes where link_hash = $1");
    session.fetch_optional(sql, (link_hash,)).await
}

/// Counts a guess, before it is looked at; gives their number with this one. `None` when nothing can be guessed: used, replaced or
/// too old. Holds the row until the transaction ends, so that guesses take turns.
pub async fn count_guess(session: &mut Session, id: &str, now: Timestamp) -> sqlx::Result<Option<i64>> {
    let sql = "update sign_in_codes set guesses = guesses + 1
               where id = $1 and used_at is null and replaced_at is null and expires_at > $2 returning guesses";
    Ok(session.fetch_optional::<(i64,)>(sql, (id, now)).await?.map(|(guesses,)| guesses))
}

/// A guess that was right is no failure, and counts no more.
pub async fn forgive_guess(session: &mut Session, id: &str) -> sqlx::Result<()> {
    session.execute("update sign_in_codes set guesses = guesses - 1 where id = $1", (id,)).await.map(drop)
}

/// Uses a code or its link, once; false when it was used or replaced before, or is too old.
pub async fn spend(session: &mut Session, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update sign_in_codes set used_at = $2
               where id = $1 and used_at is null and replaced_at is null and expires_at > $2";
    Ok(session.execute(sql, (id, now)).await? == 1)
}

/// The code is sent again, with a link: what the link leads to is what was asked for last.
pub async fn set_link(
    session: &mut Session,
    id: &str,
    link_hash: &[u8],
    browser_hash: Option<&[u8]>,
    auth_params: Map<String, Value>,
) -> sqlx::Result<()> {
    let sql = "update sign_in_codes set link_hash = $2, browser_hash = $3, auth_params = $4 where id = $1";
    session.execute(sql, (id, link_hash, browser_hash, Json(auth_params))).await.map(drop)
}

/// Takes a handle from the code that has it, which can be used no more: there is one code for a handle.
pub async fn release(session: &mut Session, handle_hash: &[u8], now: Timestamp) -> sqlx::Result<()> {
    let sql =
        "update sign_in_codes set handle_hash = null, replaced_at = coalesce(replaced_at, $2) where handle_hash = $1";
    session.execute(sql, (handle_hash, now)).await.map(drop)
}

/// A newer one takes its place; false when it was used meanwhile.
pub async fn replace(session: &mut Session, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "update sign_in_codes set replaced_at = $2 where id = $1 and used_at is null and replaced_at is null";
    Ok(session.execute(sql, (id, now)).await? == 1)
}
