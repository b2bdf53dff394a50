//! A new account: for the management API and for the command line.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ExternalId, require_short};
use crate::{
    app::App,
    audit::{self, Actor},
    crypto::stored::validate_digest,
    domain::{
        id::UserId,
        identifier::{E164, EmailAddress, PhoneNumber, Username},
        password::{PasswordAlgorithm, StoredPassword},
        refusal::Code,
        user::User,
    },
    error::Result,
    operations::profile::Profile,
    storage::{
        Session, settings,
        users::{self, Basics, unless_taken},
    },
    web::fields::{self, HttpUrl},
};

/// An account to be created. Every member may be left out.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewUser {
    /// Unique; the username policy does not bind operators.
    pub username: Option<Username>,
    /// Unique whatever its letter case.
    pub primary_email: Option<EmailAddress>,
    /// Unique.
    pub primary_phone: Option<PhoneNumber>,
    /// The `sub` under which a trusted external issuer knows the user, with that issuer's prefix. Unique.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512)]
    pub external_id: Option<ExternalId>,
    /// The password policy does not bind operators.
    #[serde(default, deserialize_with = "fields::filled_or_none")]
    #[schema(value_type = Option<String>, min_length = 1, example = "correct horse battery staple")]
    pub password: Option<SecretString>,
    /// Instead of `password`: a digest made elsewhere, which is replaced by one of ours when the user next verifies.
    #[schema(value_type = Option<String>, max_length = 4096)]
    pub password_digest: Option<SecretString>,
    /// How `passwordDigest` was made.
    pub password_algorithm: Option<PasswordAlgorithm>,
    /// Display name.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 128)]
    pub name: Option<Option<String>>,
    /// URL of a picture, http or https.
    #[serde(default, deserialize_with = "fields::clearable")]
    #[schema(value_type = Option<String>, max_length = 2048, pattern = "^$|^https?://[^\\s\\u0000-\\u001F\\u007F-\\u009F\\uFEFF]+$")]
    pub avatar: Option<Option<HttpUrl>>,
    /// Free for the operator.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    pub custom_data: Option<Map<String, Value>>,
    /// Standard claims.
    pub profile: Option<Profile>,
}

/// A new account that is checked and whose password is hashed: what is left is to store it.
pub struct Prepared {
    new: NewUser,
    phone: Option<E164>,
    password: Option<StoredPassword>,
}

impl NewUser {
    /// Checks all that can be checked without the database, and hashes the password: costly, so outside of any transaction.
    pub async fn prepare(mut self, app: &App) -> Result<Prepared> {
        require_short(self.username.as_ref(), self.primary_email.as_ref(), self.name.as_ref(), self.avatar.as_ref())?;
        let phone = self.primary_phone.take().map(|phone| phone.normalized().ok_or(Code::InvalidPhone)).transpose()?;
        let password = match (self.password.take(), self.password_digest.take()) {
            (Some(_), Some(_)) => return Err(Code::PasswordAndDigest.into()),
            (Some(password), None) => Some(StoredPassword {
                algorithm: PasswordAlgorithm::Argon2id,
                digest: app.hasher.hash(password).await?,
            }),
            (None, Some(digest)) => {
                let algorithm = self.password_algorithm.ok_or(Code::PasswordAlgorithmRequired)?;
                validate_digest(algorithm, digest.expose_secret())?;
                Some(StoredPassword { algorithm, digest: digest.expose_secret().to_owned() })
            }
            (None, None) => None,
        };
        Ok(Prepared { new: self, phone, password })
    }
}

/// Stores a new account in the caller's transaction, with its audit event. `actor` says who does it; its user is set here.
///
/// # Errors
/// [`Code::UsernameInUse`], [`Code::EmailInUse`], [`Code::PhoneInUse`], [`Code::ExternalIdInUse`]; the transaction cannot be used
/// any more then.
pub async fn create(app: &App, session: &mut Session, prepared: Prepared, actor: Actor<'_>) -> Result<User> {
    let Prepared { new, phone, password } = prepared;
    let (id, now) = (UserId::random(&*app.random), app.now());
    let key = match &new.username {
        Some(name) => Some(settings::hold(session).await?.sign_in_experience.username_policy.key(name)),
        None => None,
    };
    users::add(session, &id, None, now).await?;
    if let Some(name) = &new.username {
        let stored = users::set_username(session, &id, Some(name.as_str()), key.as_deref(), now).await;
        unless_taken(stored, Code::UsernameInUse)?;
    }
    if let Some(email) = &new.primary_email {
        let stored = users::set_email(session, &id, Some(email.as_str()), Some(&email.key()), now).await;
        unless_taken(stored, Code::EmailInUse)?;
    }
    if let Some(phone) = &phone {
        unless_taken(users::set_phone(session, &id, Some(phone.as_str()), now).await, Code::PhoneInUse)?;
    }
    if let Some(external) = &new.external_id {
        let stored = users::set_external_id(session, &id, Some(external.as_str()), now).await;
        unless_taken(stored, Code::ExternalIdInUse)?;
    }
    if let Some(StoredPassword { algorithm, digest }) = &password {
        users::set_password(session, &id, digest, algorithm.name(), now).await?;
    }
    let basics =
        Basics { name: new.name, avatar: new.avatar.map(|url| url.map(Into::into)), custom_data: new.custom_data };
    if basics.name.is_some() || basics.avatar.is_some() || basics.custom_data.is_some() {
        users::set_basics(session, &id, basics, now).await?;
    }
    if let Some(profile) = &new.profile {
        users::set_profile(session, &id, &profile.members()?, now).await?;
    }
    let data = json!({ "algorithm": password.map(|password| password.algorithm) });
    audit::write(app, session, "user.created", Actor { user: Some(&id), ..actor }, data).await?;
    Ok(users::find(session, &id).await?.ok_or(Code::EntityNotFound)?)
}
