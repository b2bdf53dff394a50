//! Who holds an identifier.

use super::Session;
use crate::domain::id::UserId;

/// What makes an account the one it is: each unique, in the form that is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Identifiers {
    /// By the username policy.
    pub username_key: Option<String>,
    /// In lower case.
    pub email_key: Option<String>,
    /// E.164 digits.
    pub primary_phone: Option<String>,
    /// The `sub` of a trusted issuer.
    pub external_id: Option<String>,
}

/// An account and what identifies it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Holder {
    /// The account.
    pub id: UserId,
    /// What identifies it.
    #[sqlx(flatten)]
    pub identifiers: Identifiers,
}

/// The accounts, at most four, that hold one of these.
pub async fn holders(session: &mut Session, wanted: &Identifiers) -> sqlx::Result<Vec<Holder>> {
    let sql = "select id, username_key, email_key, primary_phone, external_id from users
               where username_key = $1 or email_key = $2 or primary_phone = $3 or external_id = $4";
    let Identifiers { username_key, email_key, primary_phone, external_id } = wanted;
    session.fetch_all(sql, (username_key, email_key, primary_phone, external_id)).await
}
