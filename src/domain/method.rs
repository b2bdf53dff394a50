//! Ways to prove that the owner is here: the list a new verification method joins.

use super::refusal::Refusal;

/// A verification method (contract `operations.md`, "Words").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The account's password.
    Password,
    /// A code sent to the primary e-mail address.
    EmailCode,
    /// A code sent to the primary phone.
    PhoneCode,
}

/// What a method rests on. Two of the same category are one factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Something one knows.
    Knowledge,
    /// Something one has.
    Possession,
}

impl Method {
    /// Every method.
    pub const ALL: &[Self] = &[Self::Password, Self::EmailCode, Self::PhoneCode];

    /// The name in storage, policies and the audit log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::EmailCode => "email_code",
            Self::PhoneCode => "phone_code",
        }
    }

    /// The Authentication Method Reference value (RFC 8176).
    #[must_use]
    pub const fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::EmailCode => "otp",
            Self::PhoneCode => "sms",
        }
    }

    /// What it rests on; `None` for a mailbox, which whoever knows its password reads from anywhere (NIST SP 800-63B-4 3.1.3.1).
    #[must_use]
    pub const fn category(self) -> Option<Category> {
        match self {
            Self::Password => Some(Category::Knowledge),
            Self::EmailCode => None,
            Self::PhoneCode => Some(Category::Possession),
        }
    }

    /// The kind of identifier it goes to, as the contract names it (1.2); `userId` for a method without one.
    #[must_use]
    pub const fn identifier(self) -> &'static str {
        match self {
            Self::Password => "userId",
            Self::EmailCode => "email",
            Self::PhoneCode => "phone",
        }
    }

    /// The method of that name.
    ///
    /// # Errors
    /// The name itself, when it is none of [`Method::ALL`].
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|method| method.name() == name).ok_or_else(|| name.to_owned())
    }
}

/// What a record was made for: the message template of contract 6.1, and with it what the record may open (contract 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Purpose {
    /// Step-up: the record opens gates.
    UserPermissionValidation,
    /// Proof of a new address: the record binds that address and opens nothing.
    BindNewIdentifier,
    /// Asked for while binding a factor: opens nothing.
    BindMfa,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: &[Self] = &[Self::UserPermissionValidation, Self::BindNewIdentifier, Self::BindMfa];

    /// The name on the wire and in storage.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserPermissionValidation => "UserPermissionValidation",
            Self::BindNewIdentifier => "BindNewIdentifier",
            Self::BindMfa => "BindMfa",
        }
    }
}

/// Shorthand of everything that may be refused.
pub type Refusable<T> = Result<T, Refusal>;
