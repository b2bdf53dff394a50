//! Messages to an HTTP endpoint of the operator's (contract 6.2), for e-mail and SMS alike.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{
    Client, RequestBuilder,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Channel, SendError, http};
use crate::{
    config::address::{HookTarget, is_loopback},
    domain::message::{Kind, Message},
};

/// `POST {to, type, payload, ip?}`. Messages that the contract does not know bring their words in the payload: notices, and those that tell
/// what their code agrees to.
pub(super) struct Hook {
    client: Client,
    target: HookTarget,
    name: String,
    timeout: Duration,
}

impl Hook {
    pub(super) fn new(client: Client, target: HookTarget, timeout: Duration) -> Self {
        let url = url::Url::parse(target.url.expose_secret()).ok();
        let host = url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        Self { client, target, name: format!("the hook at {host}"), timeout }
    }

    fn authorized(&self, request: RequestBuilder) -> Result<RequestBuilder, SendError> {
        let Some(secret) = &self.target.authorization else { return Ok(request) };
        let mut value = HeaderValue::from_str(secret.expose_secret())
            .map_err(|_| SendError::Misconfigured("hook_authorization cannot be sent as a header".to_owned()))?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }
}

fn body(message: &Message) -> Value {
    let mut payload = json!(message.payload);
    if message.kind == Kind::Sms {
        for absent in ["application", "user"] {
            payload.as_object_mut().and_then(|members| members.remove(absent));
        }
    }
    let is_known = message.template.carries_code() && !message.template.carries_display();
    if let (false, Some(members)) = (is_known, payload.as_object_mut()) {
        let Value::Object(words) = json!(message.rendered) else { return Value::Null };
        members.extend(words.into_iter().filter(|(_, text)| !text.is_null()));
    }
    let mut body = json!({ "to": message.to, "type": message.template, "payload": payload });
    if let (Some(ip), Some(members)) = (&message.ip, body.as_object_mut()) {
        members.insert("ip".to_owned(), json!(ip));
    }
    body
}

#[async_trait]
impl Channel for Hook {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let request = self.client.post(self.target.url.expose_secret()).json(&body(message));
        let request = self.authorized(request)?.header("Idempotency-Key", &message.id);
        let answer = http::exchange(request, &self.name, self.timeout).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(SendError::Failed {
            detail: format!("{} answered {}", self.name, answer.status.as_u16()),
            is_final: matches!(answer.status.as_u16(), 400 | 413 | 415 | 422),
        })
    }

    async fn check(&self) -> Result<String, SendError> {
        let url = self.target.url.expose_secret();
        let request = self.authorized(self.client.head(url))?;
        let answer = http::exchange(request, &self.name, self.timeout).await?;
        let parsed = url::Url::parse(url).ok();
        let open = parsed.is_some_and(|url| url.scheme() == "http" && !url.host_str().is_some_and(is_loopback));
        let warning = if open { "; beware: over http:// codes travel unencrypted" } else { "" };
        Ok(format!(
            "{} is reachable: it answers HEAD with {} (only a message shows whether it takes them){warning}",
            self.name,
            answer.status.as_u16()
        ))
    }
}
