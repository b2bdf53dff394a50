//! Messages to people: which there are, in which languages, and one of them ready to go.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{method::Purpose, time::Timestamp};

/// The kind of channel a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An e-mail, to an address.
    Email,
    /// A text message, to a phone.
    Sms,
}

impl Kind {
    /// Both.
    pub const ALL: &[Self] = &[Self::Email, Self::Sms];

    /// The name in logs, metrics and configuration sections.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

/// A message's template: those of contract 6.1 that carry a code, and the notices of D15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Template {
    /// A code that proves the owner is here.
    UserPermissionValidation,
    /// A code that proves who holds a new address.
    BindNewIdentifier,
    /// A code asked for while adding a factor.
    BindMfa,
    /// A code that agrees to an operation, and what it is.
    OperationConfirmation,
    /// A code to sign in with.
    SignIn,
    /// A code to sign in with, and a link that does the same.
    SignInLink,
    /// Notice: the password was changed.
    PasswordChanged,
    /// Notice to the previous address: the e-mail address was added, changed or removed.
    EmailChanged,
    /// Notice to the previous phone, or by e-mail: the phone number was added, changed or removed.
    PhoneChanged,
}

impl Template {
    /// Every template.
    pub const ALL: &[Self] = &[
        Self::UserPermissionValidation,
        Self::BindNewIdentifier,
        Self::BindMfa,
        Self::OperationConfirmation,
        Self::SignIn,
        Self::SignInLink,
        Self::PasswordChanged,
        Self::EmailChanged,
        Self::PhoneChanged,
    ];

    /// The name on the wire (`type`), in file names and in the outbox.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserPermissionValidation => "UserPermissionValidation",
            Self::BindNewIdentifier => "BindNewIdentifier",
            Self::BindMfa => "BindMfa",
            Self::OperationConfirmation => "OperationConfirmation",
            Self::SignIn => "SignIn",
            Self::SignInLink => "SignInLink",
            Self::PasswordChanged => "PasswordChanged",
            Self::EmailChanged => "EmailChanged",
            Self::PhoneChanged => "PhoneChanged",
        }
    }

    /// The template of that exact name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|template| template.name() == name)
    }

    /// Whether the message is there to carry a code; the others are notices.
    #[must_use]
    pub const fn carries_code(self) -> bool {
        matches!(
            self,
            Self::UserPermissionValidation
                | Self::BindNewIdentifier
                | Self::BindMfa
                | Self::OperationConfirmation
                | Self::SignIn
                | Self::SignInLink
        )
    }

    /// Whether it tells what the code agrees to, which must then stand in it.
    #[must_use]
    pub const fn carries_display(self) -> bool {
        matches!(self, Self::OperationConfirmation)
    }

    /// Whether it carries a link, too.
    #[must_use]
    pub const fn carries_link(self) -> bool {
        matches!(self, Self::SignInLink)
    }
}

impl From<Purpose> for Template {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::UserPermissionValidation => Self::UserPermissionValidation,
            Purpose::BindNewIdentifier => Self::BindNewIdentifier,
            Purpose::BindMfa => Self::BindMfa,
        }
    }
}

/// A language messages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// English.
    En,
    /// Japanese.
    Ja,
}

impl Locale {
    /// Every language.
    pub const ALL: &[Self] = &[Self::En, Self::Ja];

    /// The language tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The language for a tag: the tag itself, else its base (`ja-JP` is `ja`); letter case does not matter.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let base = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.iter().copied().find(|locale| locale.tag().eq_ignore_ascii_case(base))
    }
}

/// A message's words, filled in. It waits in the outbox and holds a code, so `Debug` shows nothing and it must be stored sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// The subject line, for e-mail.
    pub subject: Option<String>,
    /// Plain text: the body of an SMS, the text part of an e-mail.
    pub text: String,
    /// The HTML part, for e-mail.
    pub html: Option<String>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rendered(…)")
    }
}

/// What an HTTP hook is told beside the words (contract 6.2).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// The code; absent in notices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The language the message is in.
    pub locale: Locale,
    /// The languages the caller's page asked for, raw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// `{id, name, branding?, displayName?}`; e-mail only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<Value>,
    /// `{id, avatar, name, primaryEmail, primaryPhone, username, profile}`; e-mail only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Value>,
}

/// One message, ready to be handed to a channel. Holds a code and an address: `Debug` shows neither.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its own id, the same on every attempt, so that receivers can drop what they already have. Letters, digits and `-`.
    pub id: String,
    /// When it was made: the `Date` of an e-mail.
    pub created_at: Timestamp,
    /// Which channel it takes.
    pub kind: Kind,
    /// The e-mail address, or the phone number in international form, with or without its plus.
    pub to: String,
    /// Which message.
    pub template: Template,
    /// Its words.
    pub rendered: Rendered,
    /// What an HTTP hook is told.
    pub payload: Payload,
    /// The caller's address, when hooks are to know it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ip: Option<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}
