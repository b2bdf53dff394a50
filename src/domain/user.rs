//! An account.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::{
    id::{ApplicationId, UserId},
    identifier::EmailAddress,
    method::Method,
    password::{PasswordAlgorithm, StoredPassword},
    time::Timestamp,
};

/// One account, as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct User {
    /// Its id; the `sub` of our tokens.
    pub id: UserId,
    /// The `sub` under which a trusted external issuer knows it, with that issuer's prefix.
    pub external_id: Option<String>,
    /// ASCII letters, digits and underscores.
    pub username: Option<String>,
    /// In the spelling that was given.
    pub primary_email: Option<String>,
    /// E.164 digits without the plus sign.
    pub primary_phone: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// URL of a picture.
    pub avatar: Option<String>,
    /// Standard claims (contract 3.3).
    pub profile: Json<Map<String, Value>>,
    /// Free for the operator.
    pub custom_data: Json<Map<String, Value>>,
    /// The hash, in the form its algorithm writes.
    pub password_digest: Option<String>,
    /// Which algorithm that is.
    pub password_algorithm: Option<String>,
    /// The application the user came from.
    pub application_id: Option<ApplicationId>,
    /// Suspended users are refused everywhere.
    pub is_suspended: bool,
    /// Last sign-in.
    pub last_sign_in_at: Option<Timestamp>,
    /// Creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

impl User {
    /// The methods this user can verify with.
    #[must_use]
    pub fn methods(&self) -> Vec<Method> {
        Method::ALL
            .iter()
            .copied()
            .filter(|method| match method {
                Method::Password => self.password_digest.is_some(),
                Method::EmailCode => self.primary_email.is_some(),
                Method::PhoneCode => self.primary_phone.is_some(),
            })
            .collect()
    }

    /// The canonical form of the e-mail address.
    #[must_use]
    pub fn email_key(&self) -> Option<String> {
        let address = EmailAddress::parse(self.primary_email.as_deref()?).ok()?;
        Some(address.key())
    }

    /// The password as it is kept; `None` without one, or when its algorithm is not known (no password matches then).
    #[must_use]
    pub fn stored_password(&self) -> Option<StoredPassword> {
        let algorithm = PasswordAlgorithm::parse(self.password_algorithm.as_deref()?).ok()?;
        Some(StoredPassword { algorithm, digest: self.password_digest.clone()? })
    }

    /// How many identifiers lead to this account: one must remain (contract 3.4, "LAST").
    #[must_use]
    pub fn sign_in_identifiers(&self) -> usize {
        [&self.username, &self.primary_email, &self.primary_phone].iter().filter(|field| field.is_some()).count()
    }

    /// The user object of the management API and of webhooks (contract 4 and 6.4): never the password.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "id": self.id,
            "externalId": self.external_id,
            "username": self.username,
            "primaryEmail": self.primary_email,
            "primaryPhone": self.primary_phone,
            "name": self.name,
            "avatar": self.avatar,
            "customData": *self.custom_data,
            "identities": {},
            "lastSignInAt": self.last_sign_in_at,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "profile": *self.profile,
            "applicationId": self.application_id,
            "cimdClientId": null,
            "isSuspended": self.is_suspended,
            "hasPassword": self.password_digest.is_some(),
        })
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}
