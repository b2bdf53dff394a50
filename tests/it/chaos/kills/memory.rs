//! What a client remembers: what was acknowledged, and what it asked for without hearing what came of it.

use crate::chaos::client::Consent;

/// One thing that is changed again and again.
#[derive(Clone, Debug)]
pub struct Fact {
    /// As it was acknowledged last.
    pub known: String,
    /// Asked for; not known whether it happened.
    pub maybe: Option<String>,
    /// Changes that happened.
    pub changes: i64,
}

impl Fact {
    pub fn new(known: String) -> Self {
        Self { known, maybe: None, changes: 0 }
    }

    /// It was acknowledged.
    pub fn happened(&mut self) {
        self.known = self.maybe.take().unwrap();
        self.changes += 1;
    }

    /// What there is decides what came of the last change; anything else than before and after is a loss.
    #[track_caller]
    pub fn settle(&mut self, is: &str, what: &str) {
        if self.maybe.as_deref() == Some(is) {
            self.happened();
        }
        assert_eq!(self.known, is, "{what}: an acknowledged change is lost, or one happened that nobody asked for");
        self.maybe = None;
    }
}

/// A single-use record, and the address it proves.
#[derive(Clone, Debug)]
pub struct Proof {
    pub record: String,
    pub address: String,
}

/// What the client of one user remembers.
#[derive(Debug)]
pub struct Memory {
    pub name: String,
    pub id: String,
    pub token: String,
    pub password: Fact,
    pub email: Fact,
    /// Another user, suspended and welcomed again by an operator: `true` or `false`.
    pub victim: String,
    pub suspended: Fact,
    /// The proof that goes with `email.maybe`.
    pub proof: Option<Proof>,
    /// Used up, and acknowledged.
    pub spent: Vec<Proof>,
    /// Records that rested on a password that has changed since.
    pub revoked: Vec<String>,
    /// Tickets that were exchanged.
    pub tickets: Vec<String>,
    /// Records, and how many wrong guesses of each were answered.
    pub guesses: Vec<(String, i64)>,
    /// Addresses to which a code was accepted.
    pub accepted: Vec<String>,
    /// A consent that is being redeemed.
    pub redeeming: Option<Consent>,
    /// Consents that were redeemed, and the answers.
    pub redeemed: Vec<(Consent, String)>,
    /// Redemptions whose answer was lost.
    pub unanswered: i64,
    /// So many addresses were made up.
    pub addresses: u32,
    pub turns: u32,
}
