//! Where a request comes from, and its id.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::{HttpMessage, HttpRequest, dev::ServiceRequest, http::header::HeaderValue};
use ipnet::IpNet;

use crate::{
    domain::{message::Locale, settings::LanguageInfo},
    texts,
};

/// Client address and request id, put into every request at the edge.
#[derive(Clone, Debug)]
pub struct Client {
    /// The peer, or whom a trusted proxy says it speaks for.
    pub ip: Option<IpAddr>,
    /// 16 characters; also in the answer and the log.
    pub request_id: String,
    /// What the client calls itself.
    pub user_agent: Option<HeaderValue>,
}

impl Client {
    /// As the edge found it.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get().cloned().unwrap_or_else(|| Self {
            ip: None,
            request_id: String::new(),
            user_agent: None,
        })
    }

    /// The address as text.
    #[must_use]
    pub fn ip_text(&self) -> Option<String> {
        self.ip.map(|ip| ip.to_string())
    }

    /// What the client calls itself, as far as it is text: at most 512 characters.
    #[must_use]
    pub fn user_agent_text(&self) -> Option<String> {
        let text = self.user_agent.as_ref()?.to_str().ok()?;
        Some(text.chars().take(512).collect())
    }

    /// What counts as one client, as text.
    #[must_use]
    pub fn network_text(&self) -> String {
        self.ip.map_or_else(|| "unknown".to_owned(), |ip| network(ip).to_string())
    }
}

/// The client's address: the peer's, or, where that is a trusted proxy, the rightmost of `X-Forwarded-For` that is none.
///
/// Other headers that name addresses (`Forwarded`, `X-Real-IP`) are not read: a proxy that writes only one of them would leave the
/// other for clients to forge.
pub fn address(request: &ServiceRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let chain = request.headers().get_all("x-forwarded-for").map(HeaderValue::as_bytes);
    Some(behind_proxies(request.peer_addr()?.ip(), chain, trusted))
}

/// Walks the chain from its end, each proxy having added whom it heard. What it reads is what a trusted proxy wrote: whatever a
/// client put in front is never reached.
pub fn behind_proxies<'h>(peer: IpAddr, chain: impl Iterator<Item = &'h [u8]>, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    let mut client = peer.to_canonical();
    if !is_trusted(&client) {
        return client;
    }
    // Bytes, not text: one odd byte of the client's must not hide what the proxy wrote behind it.
    let hops = chain.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let hops: Vec<&[u8]> = hops.filter(|hop| !hop.is_empty()).collect();
    for hop in hops.into_iter().rev() {
        // What cannot be read ends the chain: the last address we could believe counts.
        let Some(ip) = std::str::from_utf8(hop).ok().and_then(hop_address) else { break };
        client = ip.to_canonical();
        if !is_trusted(&client) {
            break;
        }
    }
    client
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(bracketed).or_else(with_port)
}

/// What counts as one client: an IPv4 address, or the /64 network of an IPv6 address, which is what one subscriber gets at least.
#[must_use]
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        ip @ IpAddr::V4(_) => ip,
    }
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

impl Languages {
    /// The language for whoever asked, as the settings have it.
    #[must_use]
    pub fn negotiate(&self, info: &LanguageInfo) -> Locale {
        texts::negotiate(
            self.ui_locales.as_deref(),
            info.auto_detect,
            self.query.as_deref(),
            self.accepted.as_deref(),
            &info.fallback_language,
        )
    }
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
            ui_locales: cookie.and_then(|(_, value)| texts::ui_locales(value)),
            query: (!locales.is_empty()).then(|| locales.join(" ")),
            accepted: text("accept-language").map(str::to_owned),
        }))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The client behind `peer`, which sent these `X-Forwarded-For` lines; `10.0.0.0/8` and `fd00::/8` are trusted.
    fn client(peer: &str, lines: &[&[u8]]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        behind_proxies(peer.parse().unwrap(), lines.iter().copied(), &trusted).to_string()
    }

    #[rstest]
    // Nobody is believed who is not trusted.
    #[case("203.0.113.9", &["198.51.100.1"], "203.0.113.9")]
    #[case("2001:db8::9", &["198.51.100.1"], "2001:db8::9")]
    #[case("11.0.0.1", &["10.0.0.1"], "11.0.0.1")]
    // What a client wrote stands in front of what the proxy wrote.
    #[case("10.0.0.1", &["203.0.113.9"], "203.0.113.9")]
    #[case("10.0.0.1", &["1.1.1.1, 10.0.0.7, 203.0.113.9"], "203.0.113.9")]
    #[case("10.0.0.1", &["1.1.1.1", "203.0.113.9"], "203.0.113.9")]
    #[case("10.0.0.1", &["1.1.1.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9")]
    #[case("10.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3")]
    // Mapped addresses are the ones they map, on either side.
    #[case("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9")]
    #[case("fd00::1", &["[2001:db8::9]"], "2001:db8::9")]
    // With ports, as some proxies write them.
    #[case("10.0.0.1", &["203.0.113.9:51234"], "203.0.113.9")]
    #[case("10.0.0.1", &["[2001:db8::9]:51234"], "2001:db8::9")]
    #[case("10.0.0.1", &["1.1.1.1, [::ffff:10.9.9.9]:80, 203.0.113.9 , ,"], "203.0.113.9")]
    // Garbage written by a proxy: the proxy counts. Garbage in front of it is never read.
    #[case("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1")]
    #[case("10.0.0.1", &["203.0.113.9, 10.0.0.2:x"], "10.0.0.1")]
    #[case("10.0.0.1", &["203.0.113.9, [10.0.0.2]"], "10.0.0.1")]
    #[case("10.0.0.1", &["203.0.113.9, [2001:db8::1"], "10.0.0.1")]
    #[case("10.0.0.1", &["203.0.113.9, fe80::1%eth0"], "10.0.0.1")]
    #[case("10.0.0.1", &["<script>, \u{202e}, 203.0.113.9"], "203.0.113.9")]
    #[case("10.0.0.1", &["for=1.1.1.1, 203.0.113.9"], "203.0.113.9")]
    #[case("10.0.0.1", &["010.0.0.2"], "10.0.0.1")]
    #[case("10.0.0.1", &["", " , "], "10.0.0.1")]
    #[case("10.0.0.1", &[], "10.0.0.1")]
    fn addresses(#[case] peer: &str, #[case] lines: &[&str], #[case] expected: &str) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        assert_eq!(client(peer, &lines), expected);
    }

    #[test]
    fn an_odd_byte_of_the_clients_hides_nothing_the_proxy_wrote() {
        assert_eq!(client("10.0.0.1", &[b"\xff\xfe, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[b"1.1.1.1\xff,203.0.113.9"]), "203.0.113.9");
    }

    #[rstest]
    #[case("203.0.113.9", "203.0.113.9")]
    #[case("::ffff:203.0.113.9", "203.0.113.9")]
    #[case("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    #[case("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::")]
    #[case("2001:db8:1:3::1", "2001:db8:1:3::")]
    fn networks(#[case] ip: &str, #[case] expected: &str) {
        assert_eq!(network(ip.parse().unwrap()).to_string(), expected);
    }
}
