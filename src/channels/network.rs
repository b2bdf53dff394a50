//! Which addresses we connect to on somebody's word. Whoever names a URL must not reach through us what only we can reach.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Not public (IANA's registry of special-purpose addresses), or where clouds keep what they tell their machines alone.
const NOT_PUBLIC: &[Ipv4Net] = &[
    // This host, private, shared by carriers, loopback, link-local
    net([0, 0, 0, 0], 8),
    net([10, 0, 0, 0], 8),
    net([100, 64, 0, 0], 10),
    net([127, 0, 0, 0], 8),
    net([169, 254, 0, 0], 16),
    net([172, 16, 0, 0], 12),
    net([192, 168, 0, 0], 16),
    // Protocols, documentation, benchmarks, the anycast of 6to4
    net([192, 0, 0, 0], 24),
    net([192, 0, 2, 0], 24),
    net([192, 88, 99, 0], 24),
    net([198, 18, 0, 0], 15),
    net([198, 51, 100, 0], 24),
    net([203, 0, 113, 0], 24),
    // Multicast, reserved, broadcast
    net([224, 0, 0, 0], 4),
    net([240, 0, 0, 0], 4),
    // A public address by which one cloud answers its own machines
    net([168, 63, 129, 16], 32),
];

/// Of IPv6, only what is routed for all.
const GLOBAL: Ipv6Net = net6(0x2000 << 112, 3);

/// And of that, not what is for protocols or documentation, or carries an IPv4 address inside (Teredo, 6to4).
const NOT_PUBLIC_6: &[Ipv6Net] =
    &[net6(0x2001 << 112, 23), net6(0x2001_0db8 << 96, 32), net6(0x2002 << 112, 16), net6(0x3fff << 112, 20)];

const fn net(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn net6(bits: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix)
}

/// The address is in a network we do not connect to.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("its address is in a network that is not public, and not in webhooks.allowed_networks")]
pub(super) struct NotAllowed;

/// Public addresses, and those the configuration allows beside them.
#[derive(Clone)]
pub(super) struct Reachable {
    allowed: Arc<[IpNet]>,
}

impl Reachable {
    pub(super) fn new(allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.into() }
    }

    /// Whether we connect to `ip`. An IPv4 address inside an IPv6 address (`::ffff:10.0.0.1`) is that address.
    fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.allowed.iter().any(|network| network.contains(&ip))
    }

    /// Whether the host of `url` is an address we do not connect to. What is a name is judged when it is resolved.
    pub(super) fn refuses(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(ip)) => !self.allows(ip.into()),
            Some(Host::Ipv6(ip)) => !self.allows(ip.into()),
            Some(Host::Domain(_)) => false,
            None => true,
        }
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !NOT_PUBLIC.iter().any(|network| network.contains(&ip)),
        IpAddr::V6(ip) => GLOBAL.contains(&ip) && !NOT_PUBLIC_6.iter().any(|network| network.contains(&ip)),
    }
}

impl Reachable {
    /// The addresses of a name that we connect to.
    async fn resolve_name(&self, name: &str) -> std::io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
        let is_there = !found.is_empty();
        let left: Vec<SocketAddr> = found.into_iter().filter(|found| self.allows(found.ip())).collect();
        if is_there && left.is_empty() { Err(std::io::Error::other(NotAllowed)) } else { Ok(left) }
    }

    /// Whether the host of `url`, as it is or as it is resolved now, is one we connect to.
    pub(super) async fn check(&self, url: &Url) -> std::io::Result<()> {
        match url.host() {
            Some(Host::Domain(name)) => self.resolve_name(name).await.map(drop),
            _ if self.refuses(url) => Err(std::io::Error::other(NotAllowed)),
            _ => Ok(()),
        }
    }
}

/// The system's resolver, with only those addresses left that we connect to: the connection is made to one of the very addresses that
/// were judged, so a name that answers differently the next time gains nothing.
impl Resolve for Reachable {
    fn resolve(&self, name: Name) -> Resolving {
        let reachable = self.clone();
        Box::pin(async move {
            match reachable.resolve_name(name.as_str()).await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                // As itself, for whoever looks for it among the causes.
                Err(error) => Err(error.downcast::<NotAllowed>().map_or_else(Into::into, Into::into)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("8.8.8.8", true)]
    #[case("11.0.0.1", true)]
    #[case("100.63.255.255", true)]
    #[case("172.15.0.1", true)]
    #[case("172.32.0.1", true)]
    #[case("2606:4700::1", true)]
    #[case("0.0.0.0", false)]
    #[case("0.1.2.3", false)]
    #[case("10.1.2.3", false)]
    #[case("100.64.0.1", false)]
    #[case("100.100.100.200", false)]
    #[case("127.0.0.1", false)]
    #[case("127.255.255.255", false)]
    #[case("168.63.129.16", false)]
    #[case("169.254.169.254", false)]
    #[case("172.16.0.1", false)]
    #[case("172.31.255.255", false)]
    #[case("192.0.0.192", false)]
    #[case("192.168.1.1", false)]
    #[case("198.19.0.1", false)]
    #[case("224.0.0.1", false)]
    #[case("239.255.255.255", false)]
    #[case("240.0.0.1", false)]
    #[case("255.255.255.255", false)]
    #[case("::", false)]
    #[case("::1", false)]
    #[case("::ffff:127.0.0.1", false)]
    #[case("::ffff:10.0.0.1", false)]
    #[case("::ffff:8.8.8.8", true)]
    #[case("::7f00:1", false)]
    #[case("64:ff9b::a9fe:a9fe", false)]
    #[case("100::1", false)]
    #[case("2001::1", false)]
    #[case("2001:db8::1", false)]
    #[case("2002:7f00:1::1", false)]
    #[case("3fff::1", false)]
    #[case("fc00::1", false)]
    #[case("fd00:ec2::254", false)]
    #[case("fe80::1", false)]
    #[case("fec0::1", false)]
    #[case("ff02::1", false)]
    fn public_addresses(#[case] ip: &str, #[case] public: bool) {
        assert_eq!(Reachable::new(&[]).allows(ip.parse().unwrap()), public, "{ip}");
    }

    #[test]
    fn what_is_allowed_is_reached_beside_what_is_public() {
        let reachable = Reachable::new(&["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for (ip, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("fd12::1", true),
            ("8.8.8.8", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(reachable.allows(ip.parse().unwrap()), allowed, "{ip}");
        }
    }

    #[rstest]
    #[case("http://127.0.0.1/")]
    #[case("http://2130706433/")]
    #[case("http://0x7f.1/")]
    #[case("http://0177.0.0.1/")]
    #[case("http://127.1:8080/")]
    #[case("http://[::1]/")]
    #[case("http://[::ffff:127.0.0.1]/")]
    #[case("http://[0:0:0:0:0:ffff:7f00:1]/")]
    #[case("http://user@169.254.169.254/latest/meta-data")]
    #[case("http://１２７.0.0.1/")]
    fn addresses_are_refused_however_they_are_written(#[case] url: &str) {
        assert!(Reachable::new(&[]).refuses(&Url::parse(url).unwrap()), "{url}");
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_resolved() {
        let resolve = |reachable: Reachable| async move { reachable.resolve("localhost".parse().unwrap()).await };
        let error = resolve(Reachable::new(&[])).await.err().unwrap();
        assert!(error.is::<NotAllowed>(), "{error}");
        let this_machine = ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        assert!(resolve(Reachable::new(&this_machine)).await.unwrap().next().is_some());
    }
}
