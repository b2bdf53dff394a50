//! `[server]`: where the service listens and how the outside sees it.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one. Default `127.0.0.1:3000`.
    pub bind: SocketAddr,
    /// The URL under which clients reach the service: the root of the issuer. Default: `http://<bind>`.
    pub public_url: Option<String>,
    /// Proxies, as CIDR blocks, whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// HTTP worker threads. Default: one a core.
    pub workers: Option<usize>,
    /// Seconds that running requests get to finish when the service is told to stop. Default 10.
    pub shutdown_seconds: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 3000)),
            public_url: None,
            trusted_proxies: Vec::new(),
            workers: None,
            shutdown_seconds: 10,
        }
    }
}

impl ServerConfig {
    /// Refuses a `public_url` that cannot be an issuer.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let fits = self.public_url.as_deref().is_none_or(|text| {
            url::Url::parse(text).is_ok_and(|url| {
                let is_http = matches!(url.scheme(), "http" | "https") && url.host().is_some();
                is_http && url.query().is_none() && url.fragment().is_none()
            })
        });
        let fix = "server.public_url: give the http or https URL clients use, such as `https://accounts.example.com`, \
                   without query or fragment";
        if fits { Vec::new() } else { vec![fix.to_owned()] }
    }
}
