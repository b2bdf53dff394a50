//! Ways a message leaves: one file a channel. A new one implements [`Channel`] and joins [`Channels::from_config`].
//!
//! There is deliberately none that writes messages to the log: codes do not belong there. In development, [`mailbox`] keeps them.

mod hook;
mod http;
pub mod mailbox;
mod network;
mod smtp;
mod twilio;
pub mod webhook;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mailbox::Mailbox;

use crate::{
    config::{
        email::{EmailConfig, EmailRoute},
        sms::{SmsConfig, SmsRoute},
    },
    domain::{
        message::{Kind, Message},
        refusal::{Code, Refusal},
    },
};

/// One way out.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Hands the message over; returns once the other side has taken it. Bounded in time.
    async fn send(&self, message: &Message) -> Result<(), SendError>;

    /// Tries the way without sending anything: a sentence on what answered, for `doctor`.
    async fn check(&self) -> Result<String, SendError>;
}

/// Why a message was not handed over. The texts are for the log and the operator: no address, code or password is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing is configured for this kind of message.
    #[error("no channel is configured for {}", .0.name())]
    NoChannel(Kind),
    /// The recipient or the message was refused; it will be again.
    #[error("{0}")]
    Refused(String),
    /// Our credentials were refused.
    #[error("{0}")]
    Unauthorized(String),
    /// The operator has to mend the configuration, ours or the other side's.
    #[error("{0}")]
    Misconfigured(String),
    /// Too many messages.
    #[error("{detail}")]
    RateLimited {
        /// What was said.
        detail: String,
        /// How long to wait, when that was said too.
        retry_after: Option<Duration>,
    },
    /// The answer could not be understood.
    #[error("{0}")]
    Unintelligible(String),
    /// Anything else: not reachable, too slow, broken.
    #[error("{detail}")]
    Failed {
        /// What happened.
        detail: String,
        /// Whether trying again is pointless.
        is_final: bool,
    },
}

impl SendError {
    /// A failure that may pass.
    fn passing(detail: impl Into<String>) -> Self {
        Self::Failed { detail: detail.into(), is_final: false }
    }

    /// The contract's connector error (0.5).
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let code = match self {
            Self::NoChannel(_) => Code::ConnectorNotFound,
            Self::Refused(_) => Code::ConnectorInvalidRequest,
            Self::Unauthorized(_) => Code::ConnectorAuthorizationFailed,
            Self::Misconfigured(_) => Code::ConnectorInvalidConfig,
            Self::RateLimited { .. } => Code::ConnectorRateLimited,
            Self::Unintelligible(_) => Code::ConnectorInvalidResponse,
            Self::Failed { .. } => Code::ConnectorGeneral,
        };
        match self {
            Self::RateLimited { retry_after: Some(wait), .. } => code.refuse().retry_after(*wait),
            _ => code.refuse(),
        }
    }

    /// Whether another attempt with the same message is pointless. Refused credentials are not final: operators mend them.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::NoChannel(_) | Self::Refused(_) => true,
            Self::Failed { is_final, .. } => *is_final,
            _ => false,
        }
    }
}

/// The ways out of this process, one a kind.
#[derive(Clone, Default)]
pub struct Channels {
    /// For e-mail.
    pub email: Option<Arc<dyn Channel>>,
    /// For text messages.
    pub sms: Option<Arc<dyn Channel>>,
}

impl Channels {
    /// The configured channels; nothing is connected yet.
    ///
    /// # Errors
    /// Every problem of both sections, one sentence each, with the key, what is wrong and what to write.
    pub fn from_config(email: &EmailConfig, sms: &SmsConfig) -> Result<Self, Vec<String>> {
        let client = http::client().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let mut channels = Self::default();
        match email.route() {
            Ok(None) => {}
            Ok(Some(EmailRoute::Hook(target))) => {
                channels.email = Some(Arc::new(hook::Hook::new(client.clone(), target, email.timeout())));
            }
            Ok(Some(EmailRoute::Smtp(target))) => match smtp::Smtp::new(email, target) {
                Ok(channel) => channels.email = Some(Arc::new(channel)),
                Err(problem) => problems.push(problem),
            },
            Err(more) => problems.extend(more),
        }
        match sms.route() {
            Ok(None) => {}
            Ok(Some(SmsRoute::Hook(target))) => {
                channels.sms = Some(Arc::new(hook::Hook::new(client, target, sms.timeout())));
            }
            Ok(Some(SmsRoute::Twilio(target))) => {
                channels.sms = Some(Arc::new(twilio::Twilio::new(client, target, sms.timeout())));
            }
            Err(more) => problems.extend(more),
        }
        if problems.is_empty() { Ok(channels) } else { Err(problems) }
    }

    /// Channels of a mailbox that keeps the last `capacity` messages in memory, for development and tests.
    #[must_use]
    pub fn to_mailbox(capacity: usize) -> (Self, Arc<Mailbox>) {
        let mailbox = Arc::new(Mailbox::new(capacity));
        (Self { email: Some(mailbox.clone()), sms: Some(mailbox.clone()) }, mailbox)
    }

    /// The channel for a kind.
    ///
    /// # Errors
    /// [`SendError::NoChannel`], which is `501 connector.not_found`.
    pub fn of(&self, kind: Kind) -> Result<&Arc<dyn Channel>, SendError> {
        match kind {
            Kind::Email => self.email.as_ref(),
            Kind::Sms => self.sms.as_ref(),
        }
        .ok_or(SendError::NoChannel(kind))
    }

    /// Hands a message to the channel of its kind.
    pub async fn send(&self, message: &Message) -> Result<(), SendError> {
        self.of(message.kind)?.send(message).await
    }

    /// Tries every configured channel without sending anything: what answered, or what is wrong, in words.
    pub async fn check(&self) -> Vec<(Kind, Result<String, SendError>)> {
        let mut results = Vec::new();
        for kind in Kind::ALL {
            if let Ok(channel) = self.of(*kind) {
                results.push((*kind, channel.check().await));
            }
        }
        results
    }
}

/// What the other side said, fit for a log: one line, at most 200 characters, without addresses and numbers that may be private.
fn quote(text: &str) -> String {
    let hide = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if word.contains('@') || digits >= 6 {
            "…".to_owned()
        } else {
            word.chars().filter(|c| !c.is_control()).collect()
        }
    };
    let line = text.split_whitespace().take(60).map(hide).collect::<Vec<_>>().join(" ");
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hide_what_is_private() {
        let quoted = quote("550 5.1.1 <bob@example.com>:\r\n no \u{7}user +15005550006, code 123456");
        assert_eq!(quoted, "550 5.1.1 … no user … code …");
        assert_eq!(quote(&"a".repeat(999)).len(), 200);
    }

    #[tokio::test]
    async fn no_channel_is_the_contracts_501() {
        let error = Channels::default().of(Kind::Sms).err().unwrap();
        assert_eq!((error.refusal().code, error.is_final()), (Code::ConnectorNotFound, true));
    }

    #[tokio::test]
    async fn problems_of_both_sections_are_told_together() {
        let email = EmailConfig { smtp_url: Some("ftp://x".into()), ..EmailConfig::default() };
        let sms = SmsConfig { account_sid: Some("AC1".into()), ..SmsConfig::default() };
        let problems = Channels::from_config(&email, &sms).err().unwrap();
        assert!(problems.iter().any(|problem| problem.starts_with("email.")), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.starts_with("sms.")), "{problems:?}");
    }
}
