//! Text messages by Twilio's Messages resource, or by a service that speaks the same language.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    Channel, SendError,
    http::{self, Answer},
    quote,
};
use crate::{config::sms::TwilioTarget, domain::message::Message};

/// Errors of the Messages resource that the sender's set-up causes, not the recipient: From not ours, not able to send texts,
/// not a number, no From at all, a messaging service without numbers.
const OUR_FAULT: &[u64] = &[21212, 21603, 21606, 21659, 21660, 21703, 21704, 21705, 21910];
/// The error of a queue that is full.
const QUEUE_FULL: u64 = 21611;

/// `POST {base}/2010-04-01/Accounts/{sid}/Messages.json`.
pub(super) struct Twilio {
    client: Client,
    target: TwilioTarget,
    timeout: Duration,
}

/// What is read of an answer, good or bad.
#[derive(Default, Deserialize)]
struct Reply {
    sid: Option<String>,
    status: Option<serde_json::Value>,
    error_code: Option<u64>,
    code: Option<u64>,
    message: Option<String>,
}

impl Twilio {
    pub(super) fn new(client: Client, target: TwilioTarget, timeout: Duration) -> Self {
        Self { client, target, timeout }
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}{rest}", self.target.base, self.target.account_sid)
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Answer, SendError> {
        let login = request.basic_auth(&self.target.account_sid, Some(self.target.auth_token.expose_secret()));
        http::exchange(login, "the SMS service", self.timeout).await
    }
}

/// The number with its plus (E.164): at most 15 digits, no zero in front.
fn e164(to: &str) -> Option<String> {
    let digits = to.strip_prefix('+').unwrap_or(to);
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (fits && !digits.starts_with('0')).then(|| format!("+{digits}"))
}

fn judge(answer: &Answer) -> Result<Reply, SendError> {
    let reply: Option<Reply> = serde_json::from_slice(&answer.body).ok();
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return reply
            .ok_or_else(|| SendError::Unintelligible(format!("the SMS service answered {status} without JSON")));
    }
    let reply = reply.unwrap_or_default();
    let detail = format!(
        "the SMS service answered {status}, error {}: {}",
        reply.code.map_or_else(|| "unknown".to_owned(), |code| code.to_string()),
        quote(reply.message.as_deref().unwrap_or("no reason given"))
    );
    Err(match (status, reply.code) {
        (429, _) | (_, Some(QUEUE_FULL)) => SendError::RateLimited { detail, retry_after: answer.retry_after },
        (401 | 403, _) => SendError::Unauthorized(detail),
        (400, Some(code)) if OUR_FAULT.contains(&code) => SendError::Misconfigured(detail),
        (400, Some(_)) => SendError::Refused(detail),
        (300..=399 | 404 | 405, _) => SendError::Misconfigured(format!("{detail} (is sms.twilio_url right?)")),
        _ => SendError::passing(detail),
    })
}

#[async_trait]
impl Channel for Twilio {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let to = e164(&message.to).ok_or_else(|| SendError::Refused("the recipient is no E.164 number".to_owned()))?;
        let is_service = self.target.from.starts_with("MG") && self.target.from.len() == 34;
        let sender = if is_service { "MessagingServiceSid" } else { "From" };
        let form = [("To", to.as_str()), (sender, &self.target.from), ("Body", &message.rendered.text)];
        let answer = self.exchange(self.client.post(self.url("/Messages.json")).form(&form)).await?;
        let reply = judge(&answer)?;
        if reply.sid.is_none_or(|sid| sid.is_empty()) {
            return Err(SendError::Unintelligible("the SMS service's answer names no message".to_owned()));
        }
        let failed = matches!(reply.status.as_ref().and_then(|status| status.as_str()), Some("failed" | "undelivered"));
        match reply.error_code {
            Some(code) => {
                Err(SendError::Refused(format!("the SMS service took the message and failed it, error {code}")))
            }
            None if failed => Err(SendError::Refused("the SMS service took the message and failed it".to_owned())),
            None => Ok(()),
        }
    }

    async fn check(&self) -> Result<String, SendError> {
        let answer = self.exchange(self.client.get(self.url(".json"))).await?;
        let reply = judge(&answer)?;
        match reply.status.as_ref().and_then(|status| status.as_str()) {
            Some(state @ ("suspended" | "closed")) => {
                Err(SendError::Misconfigured(format!("the SMS service knows the account, but it is {state}")))
            }
            _ => Ok("the SMS service knows the account and takes the auth token".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_out_with_a_plus() {
        assert_eq!(e164("15005550006").as_deref(), Some("+15005550006"));
        assert_eq!(e164("+15005550006").as_deref(), Some("+15005550006"));
        for bad in ["", "+", "++15005550006", "0123456789", "+1 500 555 0006", "1234567890123456", "15005a"] {
            assert_eq!(e164(bad), None, "{bad}");
        }
    }
}
