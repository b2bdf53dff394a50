//! Codes and links that sign somebody in: sent, sent again, judged, used (contract `auth0.md` 1.5, 1.6; `security.md`, invariants 1 and 2).
//!
//! A start says nothing of whether there is an account, neither by its answer nor by the time it takes: what nobody may use is
//! written down like everything else, and is not sent.

mod judging;
mod lengths;
mod sending;

pub use judging::{Wrong, check_named, redeem, redeem_link, redeem_named};
pub use sending::{Ask, Carries, Holder, Sent, send};

use crate::domain::{
    application::Connection,
    identifier::{E164, EmailAddress},
};

/// Where a code goes, in canonical form.
#[derive(Clone, Debug)]
pub struct Address {
    /// Through which connection.
    pub connection: Connection,
    /// What two spellings of the same address share: the e-mail key, or E.164 digits.
    pub key: String,
    /// As it was given; a phone with its plus sign.
    pub spelling: String,
    /// Where the message is sent.
    pub to: String,
    /// For the audit log.
    pub masked: String,
}

impl Address {
    /// An e-mail address mail can be sent to, or `+` and the 1 to 15 digits of a number that can be called.
    #[must_use]
    pub fn parse(connection: Connection, text: &str) -> Option<Self> {
        match connection {
            Connection::Email => {
                let address = EmailAddress::parse(text).ok()?;
                let is_good = address.is_deliverable() && !address.exceeds_column();
                is_good.then(|| Self {
                    connection,
                    key: address.key(),
                    spelling: address.as_str().to_owned(),
                    to: address.as_str().to_owned(),
                    masked: address.masked(),
                })
            }
            Connection::Sms => {
                let number = text.strip_prefix('+').filter(|digits| digits.len() <= 15).and_then(E164::of)?;
                let plus = number.plus();
                Some(Self {
                    connection,
                    key: number.as_str().to_owned(),
                    spelling: plus.clone(),
                    to: plus,
                    masked: number.masked(),
                })
            }
        }
    }
}
