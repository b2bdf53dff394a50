//! What channels over HTTP share: one client, bounded answers, errors in words.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode, header::RETRY_AFTER};

use super::{SendError, network::NotAllowed};

/// The most read of an answer, in bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The client for messages.
pub(super) fn client() -> Result<Client, String> {
    build(builder())
}

/// No redirects (they would carry codes and credentials elsewhere), connections kept for a short while.
pub(super) fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .pool_idle_timeout(Duration::from_secs(15))
        .user_agent(concat!("Countersign/", env!("CARGO_PKG_VERSION")))
}

pub(super) fn build(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| format!("the HTTP client for messages cannot be made: {error:?}"))
}

/// An answer, read as far as it is looked at.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The wait asked for, when it is given in seconds.
    pub retry_after: Option<Duration>,
    /// The first 64 KiB of the body.
    pub body: Vec<u8>,
}

/// Sends a request; `name` says whom in errors. `timeout` covers connecting through the last byte of the answer.
pub(super) async fn exchange(request: RequestBuilder, name: &str, timeout: Duration) -> Result<Answer, SendError> {
    let explain = |error: reqwest::Error| explain(&error, name, timeout);
    let mut response = request.timeout(timeout).send().await.map_err(explain)?;
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds: u64| Duration::from_secs(seconds.min(86_400)));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(explain)? {
        let room = LARGEST_ANSWER - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    Ok(Answer { status: response.status(), retry_after, body })
}

/// Never the URL, which may hold a secret.
fn explain(error: &reqwest::Error, name: &str, timeout: Duration) -> SendError {
    let chain = std::iter::successors(std::error::Error::source(error), |error| (*error).source());
    if let Some(reason) = chain.clone().find_map(|error| error.downcast_ref::<NotAllowed>()) {
        SendError::Refused(format!("{name} is not called: {reason}"))
    } else if error.is_timeout() {
        SendError::passing(format!("{name} did not answer within {} ms", timeout.as_millis()))
    } else if error.is_connect() {
        let cause = chain.last().map(ToString::to_string).unwrap_or_default();
        SendError::passing(format!("{name} cannot be reached: {cause}"))
    } else {
        let cause = chain.last().map(ToString::to_string).unwrap_or_default();
        SendError::passing(format!("the exchange with {name} broke off: {cause}"))
    }
}
