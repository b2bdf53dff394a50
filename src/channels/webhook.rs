//! The way out for webhooks: an HTTP client that reaches public addresses only, and follows no redirect.

use std::time::Duration;

use ipnet::IpNet;
use reqwest::{Client, header::HeaderMap};
use url::Url;

pub use super::http::Answer;
use super::{
    SendError,
    http::{self, exchange},
    network::{NotAllowed, Reachable},
};

/// What one delivery may take, from connecting to the last byte of the answer (contract 6.5).
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The client.
#[derive(Clone)]
pub struct Webhooks {
    client: Client,
    reachable: Reachable,
}

impl Webhooks {
    /// Reaches public addresses, and `allowed` beside them.
    ///
    /// # Errors
    /// A sentence, when no client can be made.
    pub fn new(allowed: &[IpNet]) -> Result<Self, String> {
        let reachable = Reachable::new(allowed);
        // No proxy of the environment: it would connect for us, to addresses that nobody judged.
        let builder = http::builder().no_proxy().dns_resolver(reachable.clone());
        Ok(Self { client: http::build(builder)?, reachable })
    }

    /// Whether the host of `url` is an address that is not reached. A name is judged when it is resolved.
    #[must_use]
    pub fn refuses(&self, url: &Url) -> bool {
        self.reachable.refuses(url)
    }

    /// Whether `url` may be reached as its name resolves now; sends nothing.
    ///
    /// # Errors
    /// In words, without the URL.
    pub async fn check(&self, url: &Url) -> Result<(), String> {
        let name = url.host_str().unwrap_or_default();
        self.reachable.check(url).await.map_err(|error| format!("{name} is not called: {error}"))
    }

    /// Posts `body` to `url`. Whatever answers is an answer, redirects among it.
    ///
    /// # Errors
    /// [`SendError::Refused`] when the address is not to be reached; else what went wrong. The URL is in none of them.
    pub async fn post(&self, url: Url, headers: HeaderMap, body: String) -> Result<Answer, SendError> {
        let name = format!("the webhook at {}", url.host_str().unwrap_or_default());
        if self.refuses(&url) {
            return Err(SendError::Refused(format!("{name} is not called: {NotAllowed}")));
        }
        exchange(self.client.post(url).headers(headers).body(body), &name, TIMEOUT).await
    }
}
