//! `[email]`: how e-mail leaves.

use std::{path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::address::{HookTarget, hook, is_loopback};

/// Settings of the e-mail channel. With neither `smtp_url` nor `hook_url` there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmailConfig {
    /// Who the mail is from, `Name <user@example.com>` or the address alone. Needed with `smtp_url`. Default: none.
    pub from: Option<String>,
    /// Where answers go. Default: none, so that answers go to `from`.
    pub reply_to: Option<String>,
    /// The mail server: `smtps://user:password@host:465` (TLS from the start), `smtp://host:587` (STARTTLS, required) or
    /// `smtp://host:25?tls=none` (unencrypted). On a loopback host `smtp://` is unencrypted unless `?tls=starttls` is given.
    /// The port defaults to 465, 587 and 25 in this order. Default: none.
    pub smtp_url: Option<SecretString>,
    /// The login name, when it is not in `smtp_url`. Default: none.
    pub smtp_username: Option<String>,
    /// The login password, when it is not in `smtp_url`. Default: none.
    pub smtp_password: Option<SecretString>,
    /// A PEM file of certificate authorities to trust for the mail server, besides the public ones. Default: none.
    pub smtp_ca_file: Option<PathBuf>,
    /// An HTTP endpoint that takes messages as JSON, instead of SMTP. Default: none.
    pub hook_url: Option<SecretString>,
    /// The value of the `Authorization` header for `hook_url`. Default: none.
    pub hook_authorization: Option<SecretString>,
    /// Milliseconds one attempt may take, from connecting to the final answer. Default: 10000.
    pub timeout_ms: u64,
    /// Milliseconds an open SMTP connection may rest before it is thrown away. Default: 15000.
    pub idle_timeout_ms: u64,
    /// SMTP connections at a time, and messages under way at a time. Default: 8.
    pub max_connections: usize,
}

impl Default for EmailConfig {
    fn default() -> Self {
        Self {
            from: None,
            reply_to: None,
            smtp_url: None,
            smtp_username: None,
            smtp_password: None,
            smtp_ca_file: None,
            hook_url: None,
            hook_authorization: None,
            timeout_ms: 10_000,
            idle_timeout_ms: 15_000,
            max_connections: 8,
        }
    }
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all.
    None,
    /// Upgraded by STARTTLS; a server that does not offer it gets nothing.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

/// A mail server, understood.
#[derive(Clone, Debug)]
pub struct SmtpTarget {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Protection.
    pub tls: SmtpTls,
    /// Name and password.
    pub login: Option<(String, SecretString)>,
}

/// Where e-mail goes.
#[derive(Clone, Debug)]
pub enum EmailRoute {
    /// To a mail server.
    Smtp(SmtpTarget),
    /// To an HTTP endpoint.
    Hook(HookTarget),
}

impl EmailConfig {
    /// Where e-mail goes; `None` when nothing is configured.
    ///
    /// # Errors
    /// Every problem of the section, one sentence each, with the key, what is wrong and what to write.
    pub fn route(&self) -> Result<Option<EmailRoute>, Vec<String>> {
        let mut problems = self.general_problems();
        let route = match (&self.smtp_url, &self.hook_url) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                problems.push("email.smtp_url and email.hook_url are both set: keep one of them".to_owned());
                None
            }
            (Some(url), None) => {
                if self.from.is_none() {
                    problems.push(
                        "email.from is missing: write the sender, such as `Example <no-reply@example.com>`".to_owned(),
                    );
                }
                self.smtp_target(url.expose_secret())
                    .map_err(|problem| problems.push(problem))
                    .ok()
                    .map(EmailRoute::Smtp)
            }
            (None, Some(url)) => hook("email", url, self.hook_authorization.as_ref())
                .map_err(|more| problems.extend(more))
                .ok()
                .map(EmailRoute::Hook),
        };
        if problems.is_empty() { Ok(route) } else { Err(problems) }
    }

    /// The longest one attempt may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn general_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, value) in [("email.from", &self.from), ("email.reply_to", &self.reply_to)] {
            if value.as_ref().is_some_and(|text| text.parse::<lettre::message::Mailbox>().is_err()) {
                problems.push(format!(
                    "{key} is not a mail address: write `user@example.com` or `Name <user@example.com>`"
                ));
            }
        }
        for (key, value) in [("email.timeout_ms", self.timeout_ms), ("email.idle_timeout_ms", self.idle_timeout_ms)] {
            if !(1..=600_000).contains(&value) {
                problems.push(format!("{key} is {value}: write milliseconds between 1 and 600000"));
            }
        }
        if !(1..=256).contains(&self.max_connections) {
            problems
                .push(format!("email.max_connections is {}: write a number between 1 and 256", self.max_connections));
        }
        if self.smtp_url.is_none() {
            let set = [
                ("email.smtp_username", self.smtp_username.is_some()),
                ("email.smtp_password", self.smtp_password.is_some()),
                ("email.smtp_ca_file", self.smtp_ca_file.is_some()),
            ];
            problems.extend(set.iter().filter(|(_, set)| *set).map(|(key, _)| {
                format!("{key} is set but email.smtp_url is not: set email.smtp_url too, or take {key} away")
            }));
        }
        if self.hook_authorization.is_some() && self.hook_url.is_none() {
            problems
                .push("email.hook_authorization is set but email.hook_url is not: set email.hook_url too".to_owned());
        }
        problems
    }

    fn smtp_target(&self, text: &str) -> Result<SmtpTarget, String> {
        let fix = "write smtps://host:465, smtp://host:587 or smtp://127.0.0.1:1025";
        let url = Url::parse(text).map_err(|error| format!("email.smtp_url is not a URL ({error}): {fix}"))?;
        if !matches!(url.scheme(), "smtp" | "smtps") {
            return Err(format!("email.smtp_url has the scheme `{}`: {fix}", url.scheme()));
        }
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let known = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte));
        if host.is_empty() || !known {
            return Err(format!("email.smtp_url has no usable host name: {fix}"));
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(format!(
                "email.smtp_url has something after the port; a `/`, `?` or `#` in a password is written %2F, %3F, %23: {fix}"
            ));
        }
        let tls = tls_mode(&url, &host)?;
        let login = self.login(&url)?;
        if login.is_some() && tls == SmtpTls::None && !is_loopback(&host) {
            return Err(
                "email.smtp_url would send the password unencrypted: use smtps:// or take `?tls=none` off".to_owned()
            );
        }
        let default_port = match tls {
            SmtpTls::Implicit => 465,
            SmtpTls::StartTls => 587,
            SmtpTls::None => 25,
        };
        Ok(SmtpTarget { host, port: url.port().unwrap_or(default_port), tls, login })
    }

    fn login(&self, url: &Url) -> Result<Option<(String, SecretString)>, String> {
        let decode = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| "email.smtp_url has a user or password that is not percent-encoded UTF-8".to_owned())
        };
        let in_url = !url.username().is_empty() || url.password().is_some();
        if in_url && (self.smtp_username.is_some() || self.smtp_password.is_some()) {
            return Err(
                "email.smtp_url has a login and email.smtp_username or email.smtp_password is set too: give it once"
                    .to_owned(),
            );
        }
        let (name, password) = if in_url {
            (decode(url.username())?, url.password().map(decode).transpose()?.map(SecretString::from))
        } else {
            (self.smtp_username.clone().unwrap_or_default(), self.smtp_password.clone())
        };
        match (name.is_empty(), password) {
            (true, None) => Ok(None),
            (false, Some(password)) => Ok(Some((name, password))),
            (true, Some(_)) => Err("email.smtp_username is missing for the password given: set both".to_owned()),
            (false, None) => Err("email.smtp_password is missing for the user given: set both".to_owned()),
        }
    }
}

fn tls_mode(url: &Url, host: &str) -> Result<SmtpTls, String> {
    let mut wanted = None;
    for (key, value) in url.query_pairs() {
        match (key.as_ref(), value.as_ref()) {
            ("tls", "none") => wanted = Some(SmtpTls::None),
            ("tls", "starttls") => wanted = Some(SmtpTls::StartTls),
            _ => {
                return Err("email.smtp_url has a parameter it does not know: after `?` goes tls=none or tls=starttls"
                    .to_owned());
            }
        }
    }
    match (url.scheme(), wanted) {
        ("smtps", None) => Ok(SmtpTls::Implicit),
        ("smtps", Some(_)) => {
            Err("email.smtp_url is smtps:// and has a tls parameter: take the parameter off".to_owned())
        }
        (_, Some(mode)) => Ok(mode),
        (_, None) if is_loopback(host) => Ok(SmtpTls::None),
        (_, None) => Ok(SmtpTls::StartTls),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn config(url: &str) -> EmailConfig {
        EmailConfig { from: Some("A <a@example.com>".into()), smtp_url: Some(url.into()), ..EmailConfig::default() }
    }

    #[rstest]
    #[case("smtp://127.0.0.1:1025", "127.0.0.1", 1025, SmtpTls::None)]
    #[case("smtp://localhost", "localhost", 25, SmtpTls::None)]
    #[case("smtp://[::1]:2525/", "::1", 2525, SmtpTls::None)]
    #[case("smtp://localhost?tls=starttls", "localhost", 587, SmtpTls::StartTls)]
    #[case("smtp://mail.example.com", "mail.example.com", 587, SmtpTls::StartTls)]
    #[case("smtp://mail.example.com?tls=none", "mail.example.com", 25, SmtpTls::None)]
    #[case("smtps://mail.example.com", "mail.example.com", 465, SmtpTls::Implicit)]
    #[case("smtps://u%40x:p%2Fw@mail.example.com:9465", "mail.example.com", 9465, SmtpTls::Implicit)]
    fn smtp_urls_are_understood(#[case] url: &str, #[case] host: &str, #[case] port: u16, #[case] tls: SmtpTls) {
        let Some(EmailRoute::Smtp(target)) = config(url).route().unwrap() else { panic!("not SMTP") };
        assert_eq!((target.host.as_str(), target.port, target.tls), (host, port, tls));
        if let Some((name, password)) = target.login {
            assert_eq!((name.as_str(), password.expose_secret()), ("u@x", "p/w"));
        }
    }

    #[rstest]
    #[case("http://mail", "scheme `http`")]
    #[case("mail.example.com:25", "email.smtp_url")]
    #[case("smtp://", "host name")]
    #[case("smtp://mail/path", "after the port")]
    #[case("smtp://mail?tls=maybe", "tls=none or tls=starttls")]
    #[case("smtps://mail?tls=none", "take the parameter off")]
    #[case("smtp://u:p@mail?tls=none", "unencrypted")]
    #[case("smtp://u@mail", "email.smtp_password is missing")]
    fn bad_smtp_urls_are_told(#[case] url: &str, #[case] expected: &str) {
        let problems = config(url).route().unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:?}");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let all = EmailConfig {
            from: Some("not an address".into()),
            smtp_username: Some("u".into()),
            hook_url: Some("nonsense".into()),
            timeout_ms: 0,
            max_connections: 0,
            ..EmailConfig::default()
        };
        let problems = all.route().unwrap_err();
        for key in ["email.from", "email.smtp_username", "email.hook_url", "email.timeout_ms", "email.max_connections"]
        {
            assert!(problems.iter().any(|problem| problem.starts_with(key)), "{key} in {problems:?}");
        }
        assert!(EmailConfig::default().route().unwrap().is_none());
    }

    #[test]
    fn unknown_keys_are_refused_and_debug_keeps_secrets() {
        assert!(serde_json::from_str::<EmailConfig>(r#"{"smtp_ur": "smtp://localhost"}"#).is_err());
        let config: EmailConfig = serde_json::from_str(r#"{"smtp_url": "smtp://u:hunter2@localhost"}"#).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
