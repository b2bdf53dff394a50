//! E-mail by SMTP, over connections kept open for a short while.
//!
//! The pool is ours because a connection cut off by a timeout must be thrown away: answers still under way on it would be taken
//! for those of the next message.

use std::{
    error::Error as _,
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use lettre::{
    address::Envelope,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Mail, Rset},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret;
use tokio::{sync::Semaphore, time::Instant};

use super::{Channel, SendError, quote};
use crate::{
    config::email::{EmailConfig, SmtpTarget, SmtpTls},
    domain::message::Message,
};

/// The longest a kept connection may take to show that it is alive.
const PROBE: Duration = Duration::from_secs(1);

/// A mail server and the connections to it.
pub(super) struct Smtp {
    target: SmtpTarget,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    tls: Option<TlsParameters>,
    timeout: Duration,
    idle_timeout: Duration,
    permits: Semaphore,
    resting: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

/// What was being done when the server said no: it decides who has to act.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    LoggingIn,
    Sending,
}

impl Smtp {
    /// Reads the authorities' file; connects to nothing.
    ///
    /// # Errors
    /// A sentence naming the key.
    pub(super) fn new(config: &EmailConfig, target: SmtpTarget) -> Result<Self, String> {
        let mailbox =
            |key: &str, text: &str| text.parse::<Mailbox>().map_err(|_| format!("{key} is not a mail address"));
        let from = mailbox("email.from", config.from.as_deref().unwrap_or_default())?;
        let reply_to = config.reply_to.as_deref().map(|text| mailbox("email.reply_to", text)).transpose()?;
        let tls = (target.tls != SmtpTls::None).then(|| tls(config, &target)).transpose()?;
        Ok(Self {
            target,
            from,
            reply_to,
            tls,
            timeout: config.timeout(),
            idle_timeout: Duration::from_millis(config.idle_timeout_ms),
            permits: Semaphore::new(config.max_connections),
            resting: Mutex::default(),
        })
    }

    fn compose(&self, message: &Message) -> Result<lettre::Message, SendError> {
        let to = message.to.parse().map_err(|_| SendError::Refused("the recipient is no mail address".to_owned()))?;
        let sent = UNIX_EPOCH + Duration::from_millis(u64::try_from(message.created_at.0).unwrap_or(0));
        let id = format!("<{}@{}>", message.id, self.from.email.domain());
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.rendered.subject.clone().unwrap_or_default())
            .date(sent)
            .message_id(Some(id))
            .raw_header(automatic);
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let text = message.rendered.text.clone();
        match &message.rendered.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, html.clone())),
            None => builder.singlepart(SinglePart::plain(text)),
        }
        .map_err(|error| SendError::Refused(format!("the e-mail cannot be put together: {error}")))
    }

    async fn deliver(&self, envelope: &Envelope, bytes: &[u8]) -> Result<(), SendError> {
        let _permit = self.permits.acquire().await.map_err(|_| SendError::passing("the channel is closing"))?;
        if let Some(mut connection) = self.rested().await {
            match connection.send(envelope, bytes).await {
                Ok(_) => {
                    self.keep(connection);
                    return Ok(());
                }
                // Closed while it rested, and found out only now: the message goes out over a fresh one.
                Err(error) if was_closed(&error) => {}
                Err(error) => return Err(self.explain(&error, Stage::Sending)),
            }
        }
        let mut connection = self.connect().await?;
        connection.send(envelope, bytes).await.map_err(|error| self.explain(&error, Stage::Sending))?;
        self.keep(connection);
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let hello = ClientId::default();
        let implicit = self.tls.clone().filter(|_| self.target.tls == SmtpTls::Implicit);
        let address = (self.target.host.as_str(), self.target.port);
        let half = Some(self.timeout / 2); // leaves time for the host's next address
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, half, &hello, implicit, None)
            .await
            .map_err(|error| self.explain(&error, Stage::Connecting))?;
        if let (SmtpTls::StartTls, Some(tls)) = (self.target.tls, self.tls.clone()) {
            if !connection.can_starttls() {
                let fix = "use smtps://, or ?tls=none in email.smtp_url if the network is yours alone";
                return Err(SendError::Misconfigured(format!("{} does not offer STARTTLS: {fix}", self.name())));
            }
            connection.starttls(tls, &hello).await.map_err(|error| self.explain(&error, Stage::Connecting))?;
        }
        if let Some((name, password)) = &self.target.login {
            let login = Credentials::new(name.clone(), password.expose_secret().to_owned());
            let ways = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&ways, &login).await.map_err(|error| self.explain(&error, Stage::LoggingIn))?;
        }
        Ok(connection)
    }

    /// A kept connection that is young and answers.
    async fn rested(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, since) = self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() > self.idle_timeout {
                continue;
            }
            if tokio::time::timeout(PROBE.min(self.timeout / 4), connection.test_connected()).await.unwrap_or(false) {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|(_, since)| since.elapsed() <= self.idle_timeout);
        resting.push((connection, Instant::now()));
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SendError>>) -> Result<T, SendError> {
        tokio::time::timeout(self.timeout, work).await.unwrap_or_else(|_| Err(self.too_slow()))
    }

    fn too_slow(&self) -> SendError {
        SendError::passing(format!("{} did not finish within {} ms", self.name(), self.timeout.as_millis()))
    }

    fn name(&self) -> String {
        format!("the mail server {}:{}", self.target.host, self.target.port)
    }

    fn explain(&self, error: &Error, stage: Stage) -> SendError {
        let detail = format!("{}: {}", self.name(), quote(&error.to_string()));
        let number = error.status().map(u16::from);
        match (stage, number) {
            (_, Some(530 | 534 | 535 | 538)) => SendError::Unauthorized(detail),
            (Stage::LoggingIn, Some(code)) if code >= 500 => SendError::Unauthorized(detail),
            (Stage::LoggingIn, None) if error.is_client() => SendError::Misconfigured(detail),
            (Stage::Sending, Some(code)) if code >= 500 => SendError::Refused(detail),
            (Stage::Sending, None) if error.is_client() => SendError::Refused(detail),
            _ if is_about_tls(error) => SendError::Misconfigured(format!(
                "{detail} (is the certificate one that email.smtp_ca_file or the public authorities vouch for?)"
            )),
            _ if error.is_timeout() => self.too_slow(),
            _ => SendError::passing(detail),
        }
    }
}

fn tls(config: &EmailConfig, target: &SmtpTarget) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(target.host.clone());
    if let Some(path) = &config.smtp_ca_file {
        let key = format!("email.smtp_ca_file {}", path.display());
        let fix = "name a PEM file with `BEGIN CERTIFICATE` blocks";
        let pem = std::fs::read(path).map_err(|error| format!("{key} cannot be read ({error}): {fix}"))?;
        if !pem.windows(17).any(|window| window == b"BEGIN CERTIFICATE") {
            return Err(format!("{key} has no certificate: {fix}"));
        }
        let authorities = Certificate::from_pem(&pem).map_err(|error| format!("{key} is broken ({error}): {fix}"))?;
        builder = builder.add_root_certificate(authorities);
    }
    builder.build().map_err(|error| format!("TLS for email.smtp_url cannot be set up: {error}"))
}

/// Whether the server hung up instead of answering; 421 is its way of saying so.
fn was_closed(error: &Error) -> bool {
    match error.status() {
        Some(code) => u16::from(code) == 421,
        None => !error.is_client(),
    }
}

fn is_about_tls(error: &Error) -> bool {
    let chain = std::iter::successors(error.source(), |error| (*error).source());
    let mut io = chain.filter_map(|error| error.downcast_ref::<io::Error>()).filter_map(io::Error::get_ref);
    error.is_tls() || io.any(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

#[async_trait]
impl Channel for Smtp {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mail = self.compose(message)?;
        self.in_time(self.deliver(mail.envelope(), &mail.formatted())).await
    }

    /// Connects, logs in, and asks whether it may send from our address.
    async fn check(&self) -> Result<String, SendError> {
        self.in_time(async {
            let mut connection = self.connect().await?;
            let sender = Mail::new(Some(self.from.email.clone()), Vec::new());
            connection.command(sender).await.map_err(|error| match self.explain(&error, Stage::Sending) {
                SendError::Refused(detail) => SendError::Misconfigured(format!("{detail} (email.from was refused)")),
                other => other,
            })?;
            connection.command(Rset).await.map_err(|error| self.explain(&error, Stage::Sending))?;
            connection.abort().await; // QUIT, whatever is answered
            let protection = match self.target.tls {
                SmtpTls::None => "unencrypted",
                SmtpTls::StartTls => "with STARTTLS",
                SmtpTls::Implicit => "with TLS",
            };
            let login = if self.target.login.is_some() { ", takes the login" } else { "" };
            Ok(format!("{} answers {protection}{login}, and lets us send from email.from", self.name()))
        })
        .await
    }
}
