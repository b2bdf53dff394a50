//! One try of one delivery: signed anew, with the same id and the same body each time.

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};

use super::{
    Stored,
    config::{HookConfig, unseal},
};
use crate::{
    app::App,
    channels::{
        SendError,
        webhook::{Answer, TIMEOUT},
    },
    crypto::hook_signature,
    error::Result,
    post::Outcome,
    storage::{hooks, outbox::Due},
};

/// How long a delivery belongs to whoever tries it: longer than a try may take, with time to mark the outcome.
pub const LEASE: Duration = TIMEOUT.saturating_add(Duration::from_secs(30));

/// Pauses after the first, the second, and every further failure.
const PAUSES: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(60), Duration::from_secs(600)];

/// A receiver that asks for more time gets it, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Delivers a row of the outbox.
pub async fn deliver(app: &App, due: &Due) -> Outcome {
    match attempt(app, due).await {
        Ok(outcome) => outcome,
        Err(error) => {
            // Another node may have the key that is missing here, or the database back.
            tracing::error!(id = due.id, %error, "a webhook cannot be tried");
            Outcome::Later { wait: pause(due.failures) }
        }
    }
}

async fn attempt(app: &App, due: &Due) -> Result<Outcome> {
    let plain = app.sealer.open("outbox", &due.id, "sealed", &due.sealed)?;
    let stored: Stored = serde_json::from_slice(&plain).map_err(anyhow::Error::from)?;
    let hook = hooks::find(&mut app.db.read().await?, &stored.hook).await?;
    let give_up = |reason| Ok(Outcome::GivenUp { reason });
    let Some(hook) = hook else { return give_up("hook_deleted".into()) };
    if !hook.enabled {
        return give_up("hook_disabled".into());
    }
    let (config, key) = unseal(&app.sealer, &hook)?;
    let answer = send(app, &config, &key, &due.id, stored.body).await;
    let result = if answer.as_ref().is_ok_and(|answer| answer.status.is_success()) { "delivered" } else { "failed" };
    metrics::counter!("countersign_hook_deliveries_total", "result" => result).increment(1);
    let (reason, wait, is_final) = match answer {
        Ok(answer) if answer.status.is_success() => return Ok(Outcome::Delivered),
        Ok(answer) => {
            let status = answer.status;
            (format!("status_{}", status.as_u16()), answer.retry_after, status == StatusCode::GONE)
        }
        Err(SendError::Refused(_)) => ("address_not_allowed".to_owned(), None, true),
        Err(_) => ("no_answer".to_owned(), None, false),
    };
    tracing::warn!(id = due.id, hook = %hook.id, event = due.template, reason, "a webhook was not delivered");
    if is_final || due.failures >= config.retries() {
        return give_up(reason.into());
    }
    Ok(Outcome::Later { wait: pause(due.failures).max(wait.unwrap_or_default()).min(LONGEST_PAUSE) })
}

/// Posts `body`, signed with `key`.
pub async fn send(app: &App, config: &HookConfig, key: &str, id: &str, body: String) -> Result<Answer, SendError> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static("Logto (https://logto.io/)"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.extend(config.headers());
    let seconds = app.now().0.div_euclid(1000);
    for (name, value) in [
        ("logto-signature-sha-256", hook_signature::contract(key, &body)),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", hook_signature::standard(key, id, seconds, &body)),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|_| SendError::Misconfigured(name.to_owned()))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    let outcome = app.webhooks.post(config.url.get().clone(), headers, body).await;
    if let Err(error) = &outcome {
        tracing::warn!(%error, "a webhook has no answer");
    }
    outcome
}

fn pause(failures: i64) -> Duration {
    let last = Duration::from_secs(600);
    usize::try_from(failures).ok().and_then(|failures| PAUSES.get(failures)).copied().unwrap_or(last)
}
