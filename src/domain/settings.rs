//! What an operator sets at run time, through the management API: the account centre and the sign-in experience (contract 4).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    blocklist::EmailBlocklistPolicy,
    method::{Method, Refusable},
    password_policy::PasswordPolicy,
    refusal::Code,
    username::UsernamePolicy,
};

/// What users may do with a field of their account (contract 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum FieldControl {
    /// Neither seen nor changed.
    Off,
    /// Seen.
    ReadOnly,
    /// Seen and changed.
    Edit,
}

/// A field of the account centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub enum Field {
    Name,
    Avatar,
    Profile,
    Email,
    Phone,
    Password,
    Username,
    Social,
    CustomData,
    Mfa,
    Passkey,
    Session,
    TrustedDevice,
}

impl Field {
    /// Every field.
    pub const ALL: &[Self] = &[
        Self::Name,
        Self::Avatar,
        Self::Profile,
        Self::Email,
        Self::Phone,
        Self::Password,
        Self::Username,
        Self::Social,
        Self::CustomData,
        Self::Mfa,
        Self::Passkey,
        Self::Session,
        Self::TrustedDevice,
    ];
}

/// The account centre: what users may see and change of their own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountCenter {
    /// Off: every account and verification route answers `account_center.not_enabled`.
    pub enabled: bool,
    /// A missing field counts as `Off`.
    pub fields: BTreeMap<Field, FieldControl>,
    /// Further origins for passkeys.
    pub webauthn_related_origins: Vec<String>,
    /// Where users go to delete their account.
    pub delete_account_url: Option<String>,
    /// For account pages.
    pub custom_css: Option<String>,
    /// Which profile fields account pages show.
    pub profile_fields: Option<Vec<ProfileField>>,
}

/// A profile field that account pages show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProfileField {
    /// Its name.
    pub name: String,
}

impl Default for AccountCenter {
    /// On, with every field `Edit` (contract D22).
    fn default() -> Self {
        Self {
            enabled: true,
            fields: Field::ALL.iter().map(|field| (*field, FieldControl::Edit)).collect(),
            webauthn_related_origins: Vec::new(),
            delete_account_url: None,
            custom_css: None,
            profile_fields: None,
        }
    }
}

impl AccountCenter {
    /// What users may do with `field`.
    #[must_use]
    pub fn control(&self, field: Field) -> FieldControl {
        self.fields.get(&field).copied().unwrap_or(FieldControl::Off)
    }

    /// Whether users may see `field`.
    #[must_use]
    pub fn shows(&self, field: Field) -> bool {
        self.control(field) != FieldControl::Off
    }

    /// Refuses with `account_center.field_not_enabled` where `field` is `Off` ("NEN" of contract 3).
    pub fn require_view(&self, field: Field) -> Refusable<()> {
        if self.control(field) == FieldControl::Off { Err(Code::FieldNotEnabled.into()) } else { Ok(()) }
    }

    /// Refuses with `account_center.field_not_editable` unless `field` is `Edit` ("NE" of contract 3).
    pub fn require_edit(&self, field: Field) -> Refusable<()> {
        if self.control(field) == FieldControl::Edit { Ok(()) } else { Err(Code::FieldNotEditable.into()) }
    }
}

/// A number from `LEAST` to `MOST`.
fn within<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    if (LEAST..=MOST).contains(&number) { Ok(number) } else { Err(D::Error::custom("out of range")) }
}

/// Life and tries of a code (contract 1.6, D7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct VerificationCodePolicy {
    /// Seconds, 60 to 3600.
    #[schema(minimum = 60, maximum = 3600)]
    #[serde(deserialize_with = "within::<60, 3600, _>")]
    pub expiration_duration: u32,
    /// Guesses a code takes, 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    #[serde(deserialize_with = "within::<1, 100, _>")]
    pub max_retry_attempts: u32,
}

impl Default for VerificationCodePolicy {
    fn default() -> Self {
        Self { expiration_duration: 600, max_retry_attempts: 5 }
    }
}

/// Brute-force lockout for each user and method (contract 1.7, D7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SentinelPolicy {
    /// Failures in a rolling hour that lock the method.
    #[schema(minimum = 1, maximum = 1000)]
    #[serde(deserialize_with = "within::<1, 1000, _>")]
    pub max_attempts: u32,
    /// Minutes of the first lock; each further lock is twice as long, up to a day.
    #[schema(minimum = 1, maximum = 1440)]
    #[serde(deserialize_with = "within::<1, 1440, _>")]
    pub lockout_duration: u32,
}

impl Default for SentinelPolicy {
    fn default() -> Self {
        Self { max_attempts: 10, lockout_duration: 15 }
    }
}

/// Which changes of an account end its other sessions (contract D12). Suspending or deleting a user ends them all, whatever stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionPolicy {
    /// Setting the password.
    pub end_on_password_change: bool,
    /// Binding, replacing or removing the primary e-mail address.
    pub end_on_email_change: bool,
    /// Binding, replacing or removing the primary phone.
    pub end_on_phone_change: bool,
}

impl Default for SessionPolicy {
    /// A new password is what people reach for when somebody else is in; an address changes for many reasons, and no session rests on
    /// one. Above all, whoever takes an account over by changing its address must not thereby end the session in which the owner,
    /// told at the previous address, undoes it.
    fn default() -> Self {
        Self { end_on_password_change: true, end_on_email_change: false, end_on_phone_change: false }
    }
}

impl SessionPolicy {
    /// Whether a change of the fact that `method` rests on ends other sessions.
    #[must_use]
    pub const fn ends_on(self, method: Method) -> bool {
        match method {
            Method::Password => self.end_on_password_change,
            Method::EmailCode => self.end_on_email_change,
            Method::PhoneCode => self.end_on_phone_change,
        }
    }
}

/// Languages of messages (contract 6.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LanguageInfo {
    /// Whether the request's own languages count.
    pub auto_detect: bool,
    /// What is used otherwise: a language tag (BCP 47).
    #[serde(deserialize_with = "language_tag")]
    #[schema(max_length = 35, pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
    pub fallback_language: String,
}

/// Letters and digits in groups, as language tags are written; at most 35 characters (RFC 5646 4.4.1).
fn language_tag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let tag = String::deserialize(deserializer)?;
    let mut groups = tag.split('-');
    let is_language = groups
        .next()
        .is_some_and(|group| (2..=3).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let are_groups =
        groups.all(|group| (1..=8).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if tag.len() <= 35 && is_language && are_groups { Ok(tag) } else { Err(D::Error::custom("not a language tag")) }
}

impl Default for LanguageInfo {
    fn default() -> Self {
        Self { auto_detect: true, fallback_language: "en".to_owned() }
    }
}

/// The sign-in experience, as far as verification goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SignInExperience {
    /// Life and tries of a code.
    pub verification_code_policy: VerificationCodePolicy,
    /// Lockout.
    pub sentinel_policy: SentinelPolicy,
    /// What passwords must be like.
    pub password_policy: PasswordPolicy,
    /// Which e-mail addresses are accepted.
    pub email_blocklist_policy: EmailBlocklistPolicy,
    /// What usernames must be like.
    pub username_policy: UsernamePolicy,
    /// Which changes end other sessions.
    pub session_policy: SessionPolicy,
    /// Languages.
    pub language_info: LanguageInfo,
}

/// All settings, with the version under which they were stored.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Grows with every change.
    pub version: i64,
    /// The account centre.
    pub account_center: AccountCenter,
    /// The sign-in experience.
    pub sign_in_experience: SignInExperience,
}
