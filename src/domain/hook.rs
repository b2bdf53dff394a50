//! What webhooks tell of: one line each, with its name on the wire (contract 6.4), what its body has, and the fact in words.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};

/// What the body of an event has, beside what all have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// `data`: the user as they are after the change; as they were, when they are gone.
    User,
    /// Members of its own.
    Members,
    /// `data`: whose account, through which application, and what the audit log has.
    Fact,
}

macro_rules! events {
    ($($name:ident $text:literal $content:ident $meaning:literal)*) => {
        /// An event a webhook may ask for. `docs/webhooks.md` lists the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum HookEvent {
            $(#[doc = $meaning] #[serde(rename = $text)] $name,)*
        }

        impl HookEvent {
            /// The whole table, in its order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What its body has.
            #[must_use]
            pub const fn content(self) -> Content {
                match self { $(Self::$name => Content::$content,)* }
            }

            /// The fact, in words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

events! {
    UserCreated "User.Created" User "An account was made, or imported."
    UserDeleted "User.Deleted" User "An account was deleted."
    UserDataUpdated "User.Data.Updated" User "An account was changed, by its owner or by an operator; its password counts."
    UserSuspensionStatusUpdated "User.SuspensionStatus.Updated" User "An account was suspended, or welcomed again."
    IdentifierLockout "Identifier.Lockout" Members "Too many failures locked a method of a user; told once for each lock."
    MessageRateLimited "Message.RateLimited" Members "More messages were asked for than may be sent; told once in ten minutes for a user and recipient."
    VerificationSucceeded "Verification.Succeeded" Fact "A password or code was right; the record is verified."
    VerificationFailed "Verification.Failed" Fact "A password or code was judged and found wrong."
    VerificationLocked "Verification.Locked" Fact "That failure was one too many: the method is locked, or disabled."
    VerificationRevoked "Verification.Revoked" Fact "Living records were revoked, because what they rested on changed."
}

impl HookEvent {
    /// The event of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.name() == name)
    }

    /// As a list is stored: names, separated by spaces. Names this version does not know are passed over.
    #[must_use]
    pub fn list(text: &str) -> Vec<Self> {
        text.split(' ').filter_map(Self::parse).collect()
    }

    /// The stored form of a list.
    #[must_use]
    pub fn to_text(events: &[Self]) -> String {
        events.iter().map(|event| event.name()).collect::<Vec<_>>().join(" ")
    }
}

// By hand: the derive does not see names that come out of a macro.
impl utoipa::PartialSchema for HookEvent {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|event| event.name());
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        schema.description(Some("An event a webhook may ask for.")).into()
    }
}

impl utoipa::ToSchema for HookEvent {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("HookEvent")
    }
}
