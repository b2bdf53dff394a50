//! The authorization request (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1, contract `auth0.md` 4.1), and what may become of it.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{application::Connection, demand::Demand},
    error::Error,
    signin::redirecting::ResponseMode,
};

/// A request that can be answered. What is stored of it while the person signs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct Asked {
    /// Which of our issuers was asked: its place in `app.urls.issuers`.
    pub issuer: usize,
    /// One of the client's, character for character.
    pub redirect_uri: String,
    /// Where its parameters go.
    pub response_mode: ResponseMode,
    /// Given back as it came.
    pub state: Option<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What there is of what was asked for, separated by spaces.
    pub scope: String,
    /// Another API the access token is for.
    pub audience: Option<String>,
    /// S256 (RFC 7636).
    pub code_challenge: Option<String>,
    /// RFC 9449 10.
    pub dpop_jkt: Option<String>,
    /// The ways in that are offered, best first.
    pub connections: Vec<Connection>,
    /// Whether the request named one: then nobody is let in by an earlier sign-in.
    pub is_connection_named: bool,
    /// Who it might be.
    pub login_hint: Option<String>,
    /// Languages, best first.
    pub ui_locales: Option<String>,
    /// What the client wants to be asked.
    pub prompt: Prompt,
    /// The oldest sign-in that will do, in seconds.
    pub max_age: Option<u64>,
    /// What the client asks for in a step-up (RFC 9470): a sign-in that permits what a verification permits.
    pub demand: Option<Demand>,
    /// Whether the page is worded for people without an account.
    pub is_sign_up: bool,
    /// Whether what goes to a mail address is a link with a code, and not a code alone.
    pub sends_link: bool,
    /// Whether it came by a message: then nobody could make a PKCE challenge.
    pub is_from_link: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            issuer: 0,
            redirect_uri: String::new(),
            response_mode: ResponseMode::Query,
            state: None,
            nonce: None,
            scope: String::new(),
            audience: None,
            code_challenge: None,
            dpop_jkt: None,
            connections: Vec::new(),
            is_connection_named: false,
            login_hint: None,
            ui_locales: None,
            prompt: Prompt::Unsaid,
            max_age: None,
            demand: None,
            is_sign_up: false,
            sends_link: false,
            is_from_link: false,
        }
    }
}

/// `prompt` (OpenID Connect Core 3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// Nobody may be asked anything.
    Silent,
    /// Everybody signs in.
    Login,
    /// Whoever is signed in is asked whether it is to be them.
    SelectAccount,
}

/// What is demanded cannot be proved: here, or by the user who came (RFC 9470 5).
pub const UNMET: &str = "unmet_authentication_requirements";

/// An error of RFC 6749 4.1.2.1, and its description.
pub type Refused = (&'static str, &'static str);

/// Why there is no answer.
#[derive(Debug)]
pub enum Fault {
    /// Told on a page: nobody can be sent anywhere before client and redirect URI are known.
    Page(&'static str),
    /// Told to the client (RFC 6749 4.1.2.1).
    Client {
        /// Where to.
        back: Box<Back>,
        /// RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6.
        error: &'static str,
        /// For developers.
        description: &'static str,
    },
    /// Ours.
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The way back to the client.
#[derive(Clone, Debug)]
pub struct Back {
    /// As [`Asked::issuer`].
    pub issuer: usize,
    /// As [`Asked::redirect_uri`].
    pub redirect_uri: String,
    /// As [`Asked::response_mode`].
    pub response_mode: ResponseMode,
    /// As [`Asked::state`].
    pub state: Option<String>,
}

impl From<&Asked> for Back {
    fn from(asked: &Asked) -> Self {
        Self {
            issuer: asked.issuer,
            redirect_uri: asked.redirect_uri.clone(),
            response_mode: asked.response_mode,
            state: asked.state.clone(),
        }
    }
}
