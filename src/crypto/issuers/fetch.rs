//! The requests to an issuer: its discovery document (`OpenID` Connect Discovery 4) and its keys (RFC 7517 5).

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Certificate, Client, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::keys::KeySet;
use crate::config::trusted_issuers::{TrustedIssuer, check_url};
use crate::domain::time::Timestamp;

/// The largest answer that is read.
const MOST_BYTES: usize = 256 * 1024;

/// A client that follows no redirects and gives up after `timeout`, for everything up to the last byte.
pub(super) fn client(timeout: Duration, ca_file: Option<&Path>) -> Result<Client> {
    let mut builder = Client::builder().timeout(timeout).redirect(redirect::Policy::none()).user_agent("countersign");
    if let Some(path) = ca_file {
        let wrong = || {
            format!(
                "trusted_issuers.ca_file: expected a PEM file of certificates at {}; mend the path or the file",
                path.display()
            )
        };
        let certificates =
            Certificate::from_pem_bundle(&std::fs::read(path).with_context(wrong)?).with_context(wrong)?;
        ensure!(!certificates.is_empty(), wrong());
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().context("cannot prepare requests to trusted issuers; are the system's CA certificates installed?")
}

/// The keys, and where they were. `known_url` is where they were last time; without it they are discovered.
pub(super) async fn keys(
    client: &Client,
    config: &TrustedIssuer,
    known_url: Option<String>,
    now: Timestamp,
) -> Result<(KeySet, String)> {
    let url = match config.jwks_url.clone().or(known_url) {
        Some(url) => url,
        None => discover(client, config).await?,
    };
    let set = KeySet::parse(&get(client, &url).await?, &config.algorithms, now);
    ensure!(set.len() > 0, "{url} lists no key for signatures by {}", config.algorithms.join(", "));
    Ok((set, url))
}

async fn discover(client: &Client, config: &TrustedIssuer) -> Result<String> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: String,
    }
    let url = config.discovery_url.clone().unwrap_or_else(|| {
        let issuer = config.issuer.strip_suffix('/').unwrap_or(&config.issuer);
        format!("{issuer}/.well-known/openid-configuration")
    });
    let found: Discovery = get(client, &url).await?;
    // Discovery 4.3: exactly equal, or another issuer's keys would speak for this one.
    ensure!(found.issuer == config.issuer, "{url} speaks for \"{}\", not for \"{}\"", found.issuer, config.issuer);
    check_url(&found.jwks_uri).map_err(|problem| anyhow::anyhow!("jwks_uri of {url}: {problem}"))?;
    Ok(found.jwks_uri)
}

async fn get<T: DeserializeOwned>(client: &Client, url: &str) -> Result<T> {
    let mut answer = client
        .get(url)
        .header("accept", "application/json")
        .send()
        .await
        .with_context(|| format!("{url} does not answer"))?;
    if answer.status() != reqwest::StatusCode::OK {
        bail!("{url} answered {}", answer.status());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.with_context(|| format!("{url} stopped answering"))? {
        ensure!(body.len() + chunk.len() <= MOST_BYTES, "{url} answered more than {MOST_BYTES} bytes");
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).with_context(|| format!("{url} did not answer with the JSON expected"))
}
