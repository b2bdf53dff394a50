//! `[sms]`: how text messages leave.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::address::{HookTarget, hook, http_url};
use crate::domain::calling_codes;

/// Where Twilio itself answers.
const TWILIO: &str = "https://api.twilio.com";

/// Settings of the SMS channel. With neither `account_sid` nor `hook_url` there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsConfig {
    /// The sender: a number (`+15005550006`), a short code, a name of up to 11 letters, or a messaging service (`MG...`).
    /// Needed with `account_sid`. Default: none.
    pub from: Option<String>,
    /// Base URL of an API with Twilio's Messages resource. Default: Twilio itself, once `account_sid` is set.
    pub twilio_url: Option<String>,
    /// The account's id (`AC...`). Default: none.
    pub account_sid: Option<String>,
    /// The account's secret. Default: none.
    pub auth_token: Option<SecretString>,
    /// An HTTP endpoint that takes messages as JSON, instead of Twilio's API. Default: none.
    pub hook_url: Option<SecretString>,
    /// The value of the `Authorization` header for `hook_url`. Default: none.
    pub hook_authorization: Option<SecretString>,
    /// The countries text messages go to, as calling codes (`44`) or longer prefixes (`4474`), digits alone. Default: none, which
    /// stands for all countries, without the codes that are no country's.
    pub allowed_calling_codes: Vec<String>,
    /// Text messages in a day, all together; 0 for no limit. Default 10000.
    pub daily_budget: i64,
    /// Text messages in a day to one calling code; 0 for no limit. Default 5000.
    pub daily_budget_per_calling_code: i64,
    /// The site whose form takes the code, such as `login.example.com`: messages then end with the line `@host #code`, and
    /// browsers fill the code in on that site only. Default: none.
    pub otp_host: Option<String>,
    /// Milliseconds one attempt may take, from connecting to the last byte of the answer. Default: 10000.
    pub timeout_ms: u64,
}

impl Default for SmsConfig {
    fn default() -> Self {
        Self {
            from: None,
            twilio_url: None,
            account_sid: None,
            auth_token: None,
            hook_url: None,
            hook_authorization: None,
            allowed_calling_codes: Vec::new(),
            daily_budget: 10_000,
            daily_budget_per_calling_code: 5000,
            otp_host: None,
            timeout_ms: 10_000,
        }
    }
}

/// An account at an API with Twilio's Messages resource.
#[derive(Clone, Debug)]
pub struct TwilioTarget {
    /// Base URL, without a slash at the end.
    pub base: String,
    /// The account's id.
    pub account_sid: String,
    /// The account's secret.
    pub auth_token: SecretString,
    /// The sender as configured.
    pub from: String,
}

/// Where text messages go.
#[derive(Clone, Debug)]
pub enum SmsRoute {
    /// To Twilio or what speaks its language.
    Twilio(TwilioTarget),
    /// To an HTTP endpoint.
    Hook(HookTarget),
}

impl SmsConfig {
    /// Where text messages go; `None` when nothing is configured.
    ///
    /// # Errors
    /// Every problem of the section, one sentence each, with the key, what is wrong and what to write.
    pub fn route(&self) -> Result<Option<SmsRoute>, Vec<String>> {
        let mut problems = Vec::new();
        if !(1..=600_000).contains(&self.timeout_ms) {
            problems.push(format!("sms.timeout_ms is {}: write milliseconds between 1 and 600000", self.timeout_ms));
        }
        let is_prefix = |code: &String| {
            (1..=15).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()) && !code.starts_with('0')
        };
        if let Some(code) = self.allowed_calling_codes.iter().find(|code| !is_prefix(code)) {
            problems.push(format!(
                "sms.allowed_calling_codes has {code:?}: write calling codes in digits alone, such as [\"1\", \"44\"]"
            ));
        }
        if self.daily_budget < 0 || self.daily_budget_per_calling_code < 0 {
            problems.push(
                "sms.daily_budget or sms.daily_budget_per_calling_code is below 0: write 0 for no limit, or a number of messages"
                    .to_owned(),
            );
        }
        if self.otp_host.as_deref().is_some_and(|host| !is_host(host)) {
            problems.push(
                "sms.otp_host is not a host name: write it without scheme, port and path, such as login.example.com"
                    .to_owned(),
            );
        }
        if self.hook_authorization.is_some() && self.hook_url.is_none() {
            problems.push("sms.hook_authorization is set but sms.hook_url is not: set sms.hook_url too".to_owned());
        }
        let twilio = self.twilio_url.is_some() || self.account_sid.is_some() || self.auth_token.is_some();
        let route = match (twilio, &self.hook_url) {
            (false, None) => None,
            (true, Some(_)) => {
                problems.push(
                    "sms.hook_url is set besides sms.twilio_url, sms.account_sid or sms.auth_token: keep one way"
                        .to_owned(),
                );
                None
            }
            (true, None) => self.twilio().map_err(|more| problems.extend(more)).ok().map(SmsRoute::Twilio),
            (false, Some(url)) => hook("sms", url, self.hook_authorization.as_ref())
                .map_err(|more| problems.extend(more))
                .ok()
                .map(SmsRoute::Hook),
        };
        if problems.is_empty() { Ok(route) } else { Err(problems) }
    }

    /// Whether text messages go to this number (E.164 digits).
    #[must_use]
    pub fn serves(&self, digits: &str) -> bool {
        if self.allowed_calling_codes.is_empty() {
            calling_codes::is_of_a_country(digits)
        } else {
            self.allowed_calling_codes.iter().any(|code| digits.starts_with(code.as_str()))
        }
    }

    /// The longest one attempt may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn twilio(&self) -> Result<TwilioTarget, Vec<String>> {
        let mut problems = Vec::new();
        let base = self.twilio_url.as_deref().unwrap_or(TWILIO);
        match http_url("sms.twilio_url", base) {
            Err(problem) => problems.push(problem),
            Ok(url) if url.query().is_some() || !url.username().is_empty() || url.password().is_some() => {
                problems.push(
                    "sms.twilio_url has a query or a login: write the base URL alone, such as https://api.twilio.com"
                        .to_owned(),
                );
            }
            Ok(_) => {}
        }
        let sid = self.account_sid.clone().unwrap_or_default();
        if sid.is_empty() || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            problems.push("sms.account_sid is missing or has other characters than letters and digits: write the account's id, `AC...`".to_owned());
        }
        let token = self.auth_token.clone().unwrap_or_default();
        if token.expose_secret().is_empty() {
            problems.push(
                "sms.auth_token is missing: write the account's secret, best as COUNTERSIGN_SMS__AUTH_TOKEN".to_owned(),
            );
        }
        let from = with_plus(self.from.as_deref().unwrap_or_default());
        if !is_sender(&from) {
            problems.push(
                "sms.from is missing or no sender: write a number such as +15005550006, a short code, a name of up to 11 letters \
                 and digits, or a messaging service id (`MG...`)"
                    .to_owned(),
            );
        }
        if problems.is_empty() {
            let base = base.trim_end_matches('/').to_owned();
            Ok(TwilioTarget { base, account_sid: sid, auth_token: token, from })
        } else {
            Err(problems)
        }
    }
}

/// A number that lost its plus on the way here, as numbers in environment variables may, has it back; short codes have none.
fn with_plus(from: &str) -> String {
    let is_number = (9..=15).contains(&from.len()) && from.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { format!("+{from}") } else { from.to_owned() }
}

fn is_sender(from: &str) -> bool {
    let digits = |text: &str, range: std::ops::RangeInclusive<usize>| {
        range.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = from.strip_prefix('+').is_some_and(|rest| digits(rest, 7..=15) && !rest.starts_with('0'));
    let service = from.len() == 34 && from.starts_with("MG") && from.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = (1..=11).contains(&from.len())
        && from.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        && from.bytes().any(|byte| byte.is_ascii_alphabetic());
    number || service || name || digits(from, 3..=8)
}

fn is_host(host: &str) -> bool {
    let plain = host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    plain && Url::parse(&format!("https://{host}/")).is_ok_and(|url| url.host_str() == Some(host))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn twilio() -> SmsConfig {
        SmsConfig {
            from: Some("+15005550006".into()),
            account_sid: Some("AC0123456789".into()),
            auth_token: Some("token".into()),
            ..SmsConfig::default()
        }
    }

    #[test]
    fn twilio_is_the_default_base() {
        let Some(SmsRoute::Twilio(target)) = twilio().route().unwrap() else { panic!("not Twilio") };
        assert_eq!(target.base, "https://api.twilio.com");
        assert!(SmsConfig::default().route().unwrap().is_none());
    }

    #[test]
    fn a_base_loses_its_last_slash() {
        let config = SmsConfig { twilio_url: Some("http://127.0.0.1:4010/".into()), ..twilio() };
        let Some(SmsRoute::Twilio(target)) = config.route().unwrap() else { panic!("not Twilio") };
        assert_eq!(target.base, "http://127.0.0.1:4010");
    }

    #[rstest]
    #[case("+15005550006", true)]
    #[case("12345", true)]
    #[case("Example", true)]
    #[case("MG0123456789abcdef0123456789abcdef", true)]
    #[case("+0123456789", false)]
    #[case("+1500555000612345", false)]
    #[case("15005550006", true)]
    #[case("A name too long", false)]
    #[case("", false)]
    fn senders(#[case] from: &str, #[case] fits: bool) {
        assert_eq!(is_sender(&with_plus(from)), fits);
    }

    #[rstest]
    #[case("login.example.com", true)]
    #[case("localhost", true)]
    #[case("https://login.example.com", false)]
    #[case("login.example.com:443", false)]
    #[case("login.example.com/x", false)]
    #[case("Login.example.com", false)]
    #[case("a b", false)]
    #[case("", false)]
    fn otp_hosts(#[case] host: &str, #[case] fits: bool) {
        assert_eq!(is_host(host), fits);
    }

    #[rstest]
    #[case(&[], "447911123456", true)]
    #[case(&[], "97912345678", false)]
    #[case(&["979"], "97912345678", true)]
    #[case(&["1", "81"], "818012345678", true)]
    #[case(&["1", "81"], "447911123456", false)]
    #[case(&["447"], "447911123456", true)]
    #[case(&["447"], "442079460000", false)]
    fn countries(#[case] allowed: &[&str], #[case] digits: &str, #[case] serves: bool) {
        let allowed_calling_codes = allowed.iter().map(|&code| code.to_owned()).collect();
        assert_eq!(SmsConfig { allowed_calling_codes, ..SmsConfig::default() }.serves(digits), serves);
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let config = SmsConfig {
            twilio_url: Some("ftp://x".into()),
            otp_host: Some("a/b".into()),
            timeout_ms: 0,
            allowed_calling_codes: vec!["44".into(), "+1".into()],
            daily_budget: -1,
            ..SmsConfig::default()
        };
        let problems = config.route().unwrap_err();
        for key in [
            "sms.from",
            "sms.twilio_url",
            "sms.account_sid",
            "sms.auth_token",
            "sms.otp_host",
            "sms.timeout_ms",
            "sms.allowed_calling_codes has \"+1\"",
            "sms.daily_budget",
        ] {
            assert!(problems.iter().any(|problem| problem.starts_with(key)), "{key} in {problems:?}");
        }
    }
}
