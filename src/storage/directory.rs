//! Lists of accounts for operators, and what makes their usernames unique.

use super::Session;
use crate::domain::{id::UserId, user::User};

/// Which accounts to list.
#[derive(Clone, Debug)]
pub enum Filter {
    /// All of them.
    All,
    /// Those where id, username, e-mail, phone or name fits a pattern for `like`, in lower case, escaped with `!`.
    Like(String),
    /// Those with any of these.
    Exact(Box<Exact>),
}

/// Identifiers, each of which an index finds.
#[derive(Clone, Debug, Default)]
pub struct Exact {
    /// The id.
    pub id: Option<String>,
    /// What makes the username unique.
    pub username_key: Option<String>,
    /// The canonical form of the e-mail address.
    pub email_key: Option<String>,
    /// E.164 digits.
    pub phone: Option<String>,
    /// The `sub` of an external issuer, with its prefix.
    pub external_id: Option<String>,
}

macro_rules! like {
    ($start:expr, $end:expr) => {
        concat!(
            $start,
            " from users u where u.id like $1 escape '!' or lower(u.username) like $1 escape '!'
                or u.email_key like $1 escape '!' or u.primary_phone like $1 escape '!' or lower(u.name) like $1 escape '!' ",
            $end
        )
    };
}

macro_rules! exact {
    ($start:expr, $end:expr) => {
        concat!(
            $start,
            " from users u where u.id = $1 or u.username_key = $2 or u.email_key = $3 or u.primary_phone = $4
                or u.external_id = $5 ",
            $end
        )
    };
}

/// A page of accounts, newest first.
pub async fn list(session: &mut Session, filter: &Filter, limit: i64, offset: i64) -> sqlx::Result<Vec<User>> {
    const ALL: &str = concat!(
        "select ",
        super::users::columns!(),
        " from users u order by u.created_at desc, u.id desc limit $1 offset $2"
    );
    const LIKE: &str =
        like!(concat!("select ", super::users::columns!()), "order by u.created_at desc, u.id desc limit $2 offset $3");
    const EXACT: &str = exact!(
        concat!("select ", super::users::columns!()),
        "order by u.created_at desc, u.id desc limit $6 offset $7"
    );
    match filter {
        Filter::All => session.fetch_all(ALL, (limit, offset)).await,
        Filter::Like(pattern) => session.fetch_all(LIKE, (pattern, limit, offset)).await,
        Filter::Exact(exact) => {
            let Exact { id, username_key, email_key, phone, external_id } = &**exact;
            let params = (id, username_key, email_key, phone, external_id, limit, offset);
            session.fetch_all(EXACT, params).await
        }
    }
}

/// How many there are.
pub async fn count(session: &mut Session, filter: &Filter) -> sqlx::Result<i64> {
    const LIKE: &str = like!("select count(*)", "");
    const EXACT: &str = exact!("select count(*)", "");
    match filter {
        Filter::All => session.fetch_value("select count(*) from users", ()).await,
        Filter::Like(pattern) => session.fetch_value(LIKE, (pattern,)).await,
        Filter::Exact(exact) => {
            let Exact { id, username_key, email_key, phone, external_id } = &**exact;
            session.fetch_value(EXACT, (id, username_key, email_key, phone, external_id)).await
        }
    }
}

/// A username with what makes it unique.
#[derive(Debug, sqlx::FromRow)]
pub struct Named {
    /// Whose.
    pub id: UserId,
    /// As it is shown.
    pub username: String,
    /// As it is compared.
    pub username_key: String,
}

/// Up to `limit` usernames after `after`, by id.
pub async fn usernames(session: &mut Session, after: &str, limit: i64) -> sqlx::Result<Vec<Named>> {
    let sql = "select id, username, username_key from users
               where username is not null and username_key is not null and id > $1 order by id limit $2";
    session.fetch_all(sql, (after, limit)).await
}

/// Changes what makes a username unique, unless the username was changed meanwhile.
pub async fn set_username_key(session: &mut Session, of: &Named, key: &str) -> sqlx::Result<u64> {
    let sql = "update users set username_key = $3 where id = $1 and username = $2";
    session.execute(sql, (&of.id, &of.username, key)).await
}
