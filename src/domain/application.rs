//! Client applications.

use serde::{Deserialize, Serialize};

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
