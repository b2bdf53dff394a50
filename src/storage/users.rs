//! Accounts.

use serde_json::{Map, Value};
use sqlx::{
    Arguments,
    error::{BoxDynError, DatabaseError},
    postgres::PgArguments,
    sqlite::SqliteArguments,
    types::Json,
};

use super::{Params, Session};
use crate::{
    domain::{
        id::{ApplicationId, SessionId, UserId},
        refusal::Code,
        time::Timestamp,
        user::User,
    },
    error::Result,
};

/// Whom a token speaks for, read with every request in one statement so that revocation is immediate.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CallerRow {
    /// The account.
    #[sqlx(flatten)]
    pub user: User,
    /// Whether the token's application is third-party; `None` when there is no such application.
    pub is_third_party: Option<bool>,
    /// The version of the settings.
    pub settings_version: i64,
}

macro_rules! columns {
    () => {
        "u.id, u.external_id, u.username, u.primary_email, u.primary_phone, u.name, u.avatar, u.profile, \
         u.custom_data, u.password_digest, u.password_algorithm, u.application_id, u.is_suspended, \
         u.last_sign_in_at, u.created_at, u.updated_at"
    };
}
pub(super) use columns;

macro_rules! state {
    () => {
        "a.is_third_party as is_third_party, c.version as settings_version"
    };
}

/// The session goes on, and its user is welcome. Said here and not by the reader of the row, and asked of the session first (deleting or
/// suspending a user ends it), so that it takes the same time whyever there is nobody.
macro_rules! is_welcome {
    () => {
        " and s.ended_at is null and not u.is_suspended"
    };
}

/// Whom a token of ours speaks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `sub`.
    pub user: UserId,
    /// `sid`.
    pub session: Option<SessionId>,
    /// `client_id`.
    pub application: ApplicationId,
}

/// How many callers one statement reads.
pub const TOGETHER: usize = 32;

/// The parameters of [`find_callers`]: free slots are null and match nobody.
struct Slots<'a>(&'a [Asked]);

impl<'a> Slots<'a> {
    fn values(&self) -> impl Iterator<Item = Option<&'a str>> {
        let asked = self.0.iter().flat_map(|one| {
            [Some(one.user.as_str()), one.session.as_ref().map(SessionId::as_str), Some(one.application.as_str())]
        });
        asked.chain(std::iter::repeat(None)).take(3 * TOGETHER)
    }
}

impl<'q> Params<'q> for Slots<'q> {
    fn sqlite(self) -> Result<SqliteArguments, BoxDynError> {
        let mut arguments = SqliteArguments::default();
        self.values().try_for_each(|value| arguments.add(value))?;
        Ok(arguments)
    }

    fn postgres(self) -> Result<PgArguments, BoxDynError> {
        let mut arguments = PgArguments::default();
        self.values().try_for_each(|value| arguments.add(value))?;
        Ok(arguments)
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    slot: i64,
    #[sqlx(flatten)]
    row: CallerRow,
}

/// The users with those ids who are welcome and have a session that goes on, with the state of the application, in the order they were
/// asked for; at most [`TOGETHER`].
pub async fn find_callers(session: &mut Session, asked: &[Asked]) -> sqlx::Result<Vec<Option<CallerRow>>> {
    if let [Asked { user, session: sid, application }] = asked {
        let sql = concat!(
            "select ",
            columns!(),
            ", ",
            state!(),
            " from sessions s cross join users u cross join settings c
               left join applications a on a.id = $3
             where s.id = $2 and s.user_id = $1 and u.id = $1 and c.id = 'default'",
            is_welcome!()
        );
        return Ok(vec![session.fetch_optional(sql, (user, sid, application)).await?]);
    }
    // `cross join` has SQLite go in this order, and keeps it from reading all users for the few that were asked for.
    let sql = concat!(
        "with asked (slot, user_id, sid, application_id) as (values
                 (cast(0 as bigint), cast($1 as text), cast($2 as text), cast($3 as text)),
                 (1, $4, $5, $6), (2, $7, $8, $9), (3, $10, $11, $12), (4, $13, $14, $15), (5, $16, $17, $18),
                 (6, $19, $20, $21), (7, $22, $23, $24), (8, $25, $26, $27), (9, $28, $29, $30),
                 (10, $31, $32, $33), (11, $34, $35, $36), (12, $37, $38, $39), (13, $40, $41, $42),
                 (14, $43, $44, $45), (15, $46, $47, $48), (16, $49, $50, $51), (17, $52, $53, $54),
                 (18, $55, $56, $57), (19, $58, $59, $60), (20, $61, $62, $63), (21, $64, $65, $66),
                 (22, $67, $68, $69), (23, $70, $71, $72), (24, $73, $74, $75), (25, $76, $77, $78),
                 (26, $79, $80, $81), (27, $82, $83, $84), (28, $85, $86, $87), (29, $88, $89, $90),
                 (30, $91, $92, $93), (31, $94, $95, $96))
             select asked.slot, ",
        columns!(),
        ", ",
        state!(),
        " from asked cross join sessions s cross join users u cross join settings c
               left join applications a on a.id = asked.application_id
             where s.id = asked.sid and s.user_id = asked.user_id and u.id = asked.user_id and c.id = 'default'",
        is_welcome!()
    );
    let found: Vec<Found> = session.fetch_all(sql, Slots(asked)).await?;
    let mut rows: Vec<Option<CallerRow>> = asked.iter().map(|_| None).collect();
    for Found { slot, row } in found {
        if let Some(place) = usize::try_from(slot).ok().and_then(|slot| rows.get_mut(slot)) {
            *place = Some(row);
        }
    }
    Ok(rows)
}

/// The user a trusted external issuer knows by that `sub`, if welcome. There is neither session nor application of ours.
pub async fn find_caller_by_external_id(session: &mut Session, external_id: &str) -> sqlx::Result<Option<CallerRow>> {
    let sql = concat!(
        "select ",
        columns!(),
        ", ",
        state!(),
        " from users u
           join settings c on c.id = 'default'
           left join applications a on a.id = null
         where u.external_id = $1 and not u.is_suspended"
    );
    session.fetch_optional(sql, (external_id,)).await
}

/// The user with that id.
pub async fn find(session: &mut Session, user: &UserId) -> sqlx::Result<Option<User>> {
    session.fetch_optional(concat!("select ", columns!(), " from users u where u.id = $1"), (user,)).await
}

/// Users known by that text: an id, a username, an e-mail key or E.164 digits. At most one for each.
pub async fn find_named(session: &mut Session, text: &str, email_key: &str) -> sqlx::Result<Vec<UserId>> {
    let sql = "select id from users where id = $1 or username = $1 or primary_phone = $1 or email_key = $2 limit 4";
    let rows: Vec<(UserId,)> = session.fetch_all(sql, (text, email_key)).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Adds an account without identifiers; they are set by statements of their own, so that a clash says which it was.
pub async fn add(
    session: &mut Session,
    user: &UserId,
    application: Option<&ApplicationId>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into users (id, profile, custom_data, application_id, is_suspended, created_at, updated_at)
               values ($1, $2, $2, $3, false, $4, $4)";
    session.execute(sql, (user, Json(Map::new()), application, now)).await.map(drop)
}

/// The account of an e-mail key.
pub async fn find_by_email(session: &mut Session, email_key: &str) -> sqlx::Result<Option<UserId>> {
    let row: Option<(UserId,)> =
        session.fetch_optional("select id from users where email_key = $1", (email_key,)).await?;
    Ok(row.map(|(id,)| id))
}

/// The account of a phone: E.164 digits.
pub async fn find_by_phone(session: &mut Session, phone: &str) -> sqlx::Result<Option<UserId>> {
    let row: Option<(UserId,)> =
        session.fetch_optional("select id from users where primary_phone = $1", (phone,)).await?;
    Ok(row.map(|(id,)| id))
}

/// Whether the account of an e-mail key is suspended; `None` when there is no account.
pub async fn is_suspended_by_email(session: &mut Session, email_key: &str) -> sqlx::Result<Option<bool>> {
    // One row whatever there is: reading none takes another time than reading one.
    let sql = "select (select is_suspended from users where email_key = $1)";
    let (is_suspended,): (Option<bool>,) = session.fetch_one(sql, (email_key,)).await?;
    Ok(is_suspended)
}

/// The same for a phone: E.164 digits.
pub async fn is_suspended_by_phone(session: &mut Session, phone: &str) -> sqlx::Result<Option<bool>> {
    let sql = "select (select is_suspended from users where primary_phone = $1)";
    let (is_suspended,): (Option<bool>,) = session.fetch_one(sql, (phone,)).await?;
    Ok(is_suspended)
}

/// Adds an account with an e-mail address; false when another has it.
pub async fn add_with_email(
    session: &mut Session,
    user: &UserId,
    application: &ApplicationId,
    email: &str,
    key: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "insert into users (id, primary_email, email_key, profile, custom_data, application_id, is_suspended, created_at, updated_at)
               values ($1, $2, $3, $4, $4, $5, false, $6, $6) on conflict (email_key) do nothing";
    Ok(session.execute(sql, (user, email, key, Json(Map::new()), application, now)).await? == 1)
}

/// Adds an account with a phone (E.164 digits); false when another has it.
pub async fn add_with_phone(
    session: &mut Session,
    user: &UserId,
    application: &ApplicationId,
    phone: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "insert into users (id, primary_phone, profile, custom_data, application_id, is_suspended, created_at, updated_at)
               values ($1, $2, $3, $3, $4, false, $5, $5) on conflict (primary_phone) do nothing";
    Ok(session.execute(sql, (user, phone, Json(Map::new()), application, now)).await? == 1)
}

/// The user has signed in.
pub async fn set_signed_in(session: &mut Session, user: &UserId, now: Timestamp) -> sqlx::Result<()> {
    session.execute("update users set last_sign_in_at = $2 where id = $1", (user, now)).await.map(drop)
}

/// Sets or clears the username; `key` is what makes it unique ([`crate::domain::username::UsernamePolicy::key`]).
pub async fn set_username(
    session: &mut Session,
    user: &UserId,
    username: Option<&str>,
    key: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update users set username = $2, username_key = $3, updated_at = $4 where id = $1";
    session.execute(sql, (user, username, key, now)).await
}

/// Sets or clears the primary e-mail address; `key` is its canonical form.
pub async fn set_email(
    session: &mut Session,
    user: &UserId,
    email: Option<&str>,
    key: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update users set primary_email = $2, email_key = $3, updated_at = $4 where id = $1";
    session.execute(sql, (user, email, key, now)).await
}

/// Sets or clears the primary phone: E.164 digits.
pub async fn set_phone(session: &mut Session, user: &UserId, phone: Option<&str>, now: Timestamp) -> sqlx::Result<u64> {
    let sql = "update users set primary_phone = $2, updated_at = $3 where id = $1";
    session.execute(sql, (user, phone, now)).await
}

/// Sets the `sub` of an external issuer.
pub async fn set_external_id(
    session: &mut Session,
    user: &UserId,
    external_id: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update users set external_id = $2, updated_at = $3 where id = $1";
    session.execute(sql, (user, external_id, now)).await
}

/// Sets the password's hash.
pub async fn set_password(
    session: &mut Session,
    user: &UserId,
    digest: &str,
    algorithm: &str,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql =
        "update users set password_digest = $2, password_algorithm = $3, password_updated_at = $4, updated_at = $4
               where id = $1";
    session.execute(sql, (user, digest, algorithm, now)).await
}

/// Replaces the hash of an unchanged password (by itself, where there is nothing to upgrade), holding the row until the transaction
/// ends. Says whether the user is suspended; `None` when the password was changed meanwhile.
pub async fn upgrade_password(
    session: &mut Session,
    user: &UserId,
    from: &str,
    digest: &str,
    algorithm: &str,
) -> sqlx::Result<Option<bool>> {
    let sql = "update users set password_digest = $3, password_algorithm = $4 where id = $1 and password_digest = $2
               returning is_suspended";
    let row: Option<(bool,)> = session.fetch_optional(sql, (user, from, digest, algorithm)).await?;
    Ok(row.map(|(is_suspended,)| is_suspended))
}

/// What a statement that sets something unique says: done, no such user, or taken by another.
pub fn unless_taken(outcome: sqlx::Result<u64>, taken: Code) -> Result<()> {
    match outcome {
        Ok(0) => Err(Code::EntityNotFound.into()),
        Ok(_) => Ok(()),
        Err(error) if error.as_database_error().is_some_and(DatabaseError::is_unique_violation) => Err(taken.into()),
        Err(error) => Err(error.into()),
    }
}

/// What of name, avatar and custom data is to change; `None` leaves a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct Basics {
    /// Display name.
    pub name: Option<Option<String>>,
    /// Picture.
    pub avatar: Option<Option<String>>,
    /// Replaces the whole object.
    pub custom_data: Option<Map<String, Value>>,
}

/// Changes name, avatar and custom data.
pub async fn set_basics(session: &mut Session, user: &UserId, basics: Basics, now: Timestamp) -> sqlx::Result<u64> {
    let sql = "update users set
                 name = case when $2 then $3 else name end,
                 avatar = case when $4 then $5 else avatar end,
                 custom_data = case when $6 then $7 else custom_data end,
                 updated_at = $8
               where id = $1";
    let Basics { name, avatar, custom_data } = basics;
    let (has_name, has_avatar, has_data) = (name.is_some(), avatar.is_some(), custom_data.is_some());
    let data = Json(custom_data.unwrap_or_default());
    let params = (user, has_name, name.flatten(), has_avatar, avatar.flatten(), has_data, data, now);
    session.execute(sql, params).await
}

/// Replaces the profile.
pub async fn set_profile(
    session: &mut Session,
    user: &UserId,
    profile: &Map<String, Value>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update users set profile = $2, updated_at = $3 where id = $1";
    session.execute(sql, (user, Json(profile), now)).await
}

/// Suspends the user, or takes the suspension back.
pub async fn set_suspended(
    session: &mut Session,
    user: &UserId,
    is_suspended: bool,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "update users set is_suspended = $2, updated_at = $3 where id = $1";
    session.execute(sql, (user, is_suspended, now)).await
}

/// Removes the account with all that belongs to it; false when there was none.
pub async fn delete(session: &mut Session, user: &UserId) -> sqlx::Result<bool> {
    Ok(session.execute("delete from users where id = $1", (user,)).await? == 1)
}

/// Takes the row's lock for the rest of the transaction and gives the user as it is now: no other transaction changes it meanwhile.
/// `None` when the user is gone.
pub async fn lock(session: &mut Session, user: &UserId) -> sqlx::Result<Option<User>> {
    // An update locks the row on both engines, which `select … for update` would not on SQLite. Not of the key: SQLite would go through
    // all that refers to it.
    if session.execute("update users set is_suspended = is_suspended where id = $1", (user,)).await? == 0 {
        return Ok(None);
    }
    find(session, user).await
}
