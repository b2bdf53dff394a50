//! Where a request comes from, and its id.

use std::net::IpAddr;

use actix_web::{HttpMessage, HttpRequest, dev::ServiceRequest};
use ipnet::IpNet;

/// Client address and request id, put into every request at the edge.
#[derive(Clone, Debug)]
pub struct Client {
    /// The peer, or whom a trusted proxy says it speaks for.
    pub ip: Option<IpAddr>,
    /// 16 characters; also in the answer and the log.
    pub request_id: String,
}

impl Client {
    /// As the edge found it.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get().cloned().unwrap_or_else(|| Self { ip: None, request_id: String::new() })
    }

    /// The address as text.
    #[must_use]
    pub fn ip_text(&self) -> Option<String> {
        self.ip.map(|ip| ip.to_string())
    }
}

/// The client's address: the rightmost address of `X-Forwarded-For` that is no trusted proxy, if the peer is one.
pub fn address(request: &ServiceRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let hops: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let mut client = peer;
    for hop in hops.into_iter().rev() {
        // What cannot be read ends the chain: the last address we could believe counts.
        let Ok(ip) = hop.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else { break };
        client = ip.to_canonical();
        if !is_trusted(&client) {
            break;
        }
    }
    Some(client)
}

/// The languages a request asks for (contract 6.3).
#[derive(Clone, Debug, Default)]
pub struct Languages {
    /// `uiLocales` of the front end's cookie.
    pub ui_locales: Option<String>,
    /// `?locale=`.
    pub query: Option<String>,
    /// `Accept-Language`.
    pub accepted: Option<String>,
}

impl actix_web::FromRequest for Languages {
    type Error = crate::error::Error;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let cookies = text("cookie").unwrap_or_default();
        let cookie =
            cookies.split(';').filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == "_logto");
        let query = url::form_urlencoded::parse(request.query_string().as_bytes());
        let locales: Vec<String> =
            query.filter(|(name, _)| name == "locale").map(|(_, value)| value.into_owned()).collect();
        std::future::ready(Ok(Self {
            ui_locales: cookie.and_then(|(_, value)| crate::texts::ui_locales(value)),
            query: (!locales.is_empty()).then(|| locales.join(" ")),
            accepted: text("accept-language").map(str::to_owned),
        }))
    }
}
