//! Client applications, and what they may do to sign people in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{message::Kind, method::Method};

/// What kind of client an application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum ApplicationType {
    /// An app on a device; keeps no secret.
    Native,
    /// A page in a browser; keeps no secret.
    #[serde(rename = "SPA")]
    Spa,
    /// A web server.
    Traditional,
    /// A service acting for itself.
    MachineToMachine,
}

impl ApplicationType {
    /// Every type.
    pub const ALL: &[Self] = &[Self::Native, Self::Spa, Self::Traditional, Self::MachineToMachine];

    /// The name on the wire and in storage.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "Native",
            Self::Spa => "SPA",
            Self::Traditional => "Traditional",
            Self::MachineToMachine => "MachineToMachine",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether it can keep a secret, and so must show it.
    #[must_use]
    pub const fn is_confidential(self) -> bool {
        matches!(self, Self::Traditional | Self::MachineToMachine)
    }
}

/// The client of account pages on our own origin, ours at `/account` and those written for Logto (contract 3, 8.5): part of every
/// installation.
pub const ACCOUNT_CENTER: &str = "account-center";

/// A way to sign in without a password: where the code or link goes (contract `auth0.md` 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Connection {
    /// An e-mail address.
    Email,
    /// A phone.
    Sms,
}

impl Connection {
    /// Both.
    pub const ALL: &[Self] = &[Self::Email, Self::Sms];

    /// The name on the wire, in storage and in front of `sub` (contract P5).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The connection of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|connection| connection.name() == name)
    }

    /// What a code by this connection proves.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Email => Method::EmailCode,
            Self::Sms => Method::PhoneCode,
        }
    }

    /// The channel its messages take.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Email => Kind::Email,
            Self::Sms => Kind::Sms,
        }
    }
}

/// A way to get tokens. Token exchange has a switch of its own, `allowTokenExchange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub enum GrantType {
    /// RFC 6749 4.1.
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// RFC 6749 6.
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// RFC 6749 4.4.
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// A code that was sent (contract `auth0.md` 2).
    #[serde(rename = "http://auth0.com/oauth/grant-type/passwordless/otp")]
    PasswordlessOtp,
}

impl GrantType {
    /// Every grant.
    pub const ALL: &[Self] =
        &[Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials, Self::PasswordlessOtp];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::PasswordlessOtp => "http://auth0.com/oauth/grant-type/passwordless/otp",
        }
    }

    /// The grant of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|grant| grant.name() == name)
    }

    /// What an application may use unless its settings say otherwise: people's grants for those that people use.
    #[must_use]
    pub const fn defaults(kind: ApplicationType) -> &'static [Self] {
        match kind {
            ApplicationType::MachineToMachine => &[Self::ClientCredentials],
            ApplicationType::Native | ApplicationType::Spa | ApplicationType::Traditional => {
                &[Self::AuthorizationCode, Self::RefreshToken, Self::PasswordlessOtp]
            }
        }
    }
}

/// What sign-in knows of an application. What is absent is the default of the application's type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientSettings {
    /// Grants it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<GrantType>>,
    /// Connections its users may sign in by; both by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<Connection>>,
    /// Origins whose pages may call with credentials (contract `auth0.md` 3.3).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors_allowed_origins: Vec<String>,
    /// Whether its `auth0-forwarded-for` header names the client (contract P7).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trust_forwarded_for: bool,
    /// Whether its tokens are bound to a key, always (RFC 9449 5.2).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_proof_of_possession: bool,
    /// Public keys of `private_key_jwt` (RFC 7523), as a JWK set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Map<String, Value>>,
}

impl ClientSettings {
    /// Whether an application of that type with these settings may use `grant`.
    #[must_use]
    pub fn allows(&self, kind: ApplicationType, grant: GrantType) -> bool {
        self.grant_types.as_deref().unwrap_or(GrantType::defaults(kind)).contains(&grant)
    }

    /// The connections its users may sign in by, in the order they are offered.
    #[must_use]
    pub fn connections(&self) -> &[Connection] {
        self.connections.as_deref().unwrap_or(Connection::ALL)
    }
}
