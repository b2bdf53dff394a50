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
