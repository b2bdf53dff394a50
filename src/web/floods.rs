//! How many requests a client address may make: a bucket for each that empties at a steady rate (GCRA), per node.
//!
//! Counts that protect accounts (guesses, messages) are in the database and shared by all nodes; this one protects the machine, so it
//! costs no statement and its memory is bounded.

mod table;

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use actix_web::{
    dev::ServiceRequest,
    http::{
        Method,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::{NoOpMiddleware, StateInformationMiddleware},
};
use ipnet::IpNet;

use self::table::Table;
use super::client::network;
use crate::{
    config::LimitsConfig,
    domain::{
        refusal::{Code, Refusal},
        time::Timestamp,
    },
};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What a request is for. Each kind is counted on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sends a code or verifies something: may cost a password hash or a message.
    Verification,
    /// The same, at an endpoint that speaks as OAuth does.
    SignIn,
    /// Asks for a token, or gives one up: shows what a client knows.
    Token,
    /// Everything else.
    Other,
}

impl Kind {
    /// Of a request whose path is settled; `None` for what is not counted: whether the process is alive must be known most of all
    /// while it is flooded.
    #[must_use]
    pub fn of(request: &ServiceRequest) -> Option<Self> {
        match request.path() {
            "/healthz" => None,
            path if request.method() == Method::POST
                && (path.starts_with("/api/verifications/") || path.starts_with("/sign-in/")) =>
            {
                Some(Self::Verification)
            }
            "/passwordless/start"
            | "/passwordless/verify"
            | "/passwordless/challenge"
            | "/otp/challenge"
            | "/co/authenticate" => Some(Self::SignIn),
            "/passwordless/verify_redirect" | "/passwordless/verify-redirect" if request.method() == Method::POST => {
                Some(Self::Verification)
            }
            "/oidc/token" | "/oauth/token" | "/oidc/token/revocation" | "/oauth/revoke" => Some(Self::Token),
            _ => Some(Self::Other),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Verification | Self::SignIn => "verification",
            Self::Token => "token",
            Self::Other => "other",
        }
    }
}

/// The counters of a node.
pub struct Floods<C: Clock = MonotonicClock> {
    verifications: Option<Bucket<C>>,
    tokens: Option<Bucket<C>>,
    others: Option<Bucket<C>>,
    unlimited: Vec<IpNet>,
}

struct Bucket<C: Clock> {
    limiter: RateLimiter<IpAddr, Table, C, StateInformationMiddleware>,
    limit: u32,
    /// How long one request stays in the bucket.
    interval: Duration,
}

/// Where a client stands after a request that was let through: what the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    limit: u32,
    remaining: u32,
    /// Until the whole limit is there again.
    reset: Duration,
}

impl Floods {
    /// As configured.
    #[must_use]
    pub fn new(limits: &LimitsConfig) -> Self {
        Self::with_clock(limits, &MonotonicClock)
    }
}

impl<C: Clock + Clone> Floods<C> {
    fn with_clock(limits: &LimitsConfig, clock: &C) -> Self {
        let bucket = |limit: u32| Bucket::new(limit, clock.clone());
        Self {
            verifications: bucket(limits.verifications_per_minute),
            tokens: bucket(limits.tokens_per_minute),
            others: bucket(limits.requests_per_minute),
            unlimited: limits.unlimited_clients.clone(),
        }
    }

    /// Counts a request; `None` where there is no limit. A request without an address is counted with all others that have none.
    ///
    /// # Errors
    /// `429 request.rate_limited` with the time to wait, and the standing.
    pub fn count(&self, kind: Kind, client: Option<IpAddr>) -> Result<Option<Standing>, (Refusal, Standing)> {
        let bucket = match kind {
            Kind::Verification | Kind::SignIn => &self.verifications,
            Kind::Token => &self.tokens,
            Kind::Other => &self.others,
        };
        let Some(bucket) = bucket else { return Ok(None) };
        if client.is_some_and(|ip| self.unlimited.iter().any(|net| net.contains(&ip))) {
            return Ok(None);
        }
        let key = client.map_or(IpAddr::from([0, 0, 0, 0]), network);
        bucket.count(&key).map(Some).inspect_err(|_| {
            metrics::counter!("countersign_requests_limited_total", "kind" => kind.name()).increment(1);
        })
    }

    /// Forgets clients whose count has run out. To be called each minute.
    pub fn tidy(&self) {
        for bucket in [&self.verifications, &self.tokens, &self.others].into_iter().flatten() {
            bucket.limiter.retain_recent();
        }
    }
}

impl<C: Clock> Bucket<C> {
    fn new(limit: u32, clock: C) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(limit)?);
        let plain = RateLimiter::<_, _, _, NoOpMiddleware<C::Instant>>::new(quota, Table::default(), clock);
        let limiter = plain.with_middleware();
        Some(Self { limiter, limit, interval: quota.replenish_interval() })
    }

    fn count(&self, key: &IpAddr) -> Result<Standing, (Refusal, Standing)> {
        match self.limiter.check_key(key) {
            Ok(state) => Ok(self.standing(state.remaining_burst_capacity())),
            Err(until) => {
                let wait = until.wait_time_from(self.limiter.clock().now());
                Err((Code::RateLimited.refuse().retry_after(wait), self.standing(0)))
            }
        }
    }

    fn standing(&self, remaining: u32) -> Standing {
        let used = self.limit.saturating_sub(remaining);
        Standing { limit: self.limit, remaining, reset: self.interval.saturating_mul(used) }
    }
}

impl Standing {
    /// Says it in the headers of an answer: a limit, what is left of it, and the seconds until all of it is there again; or, from
    /// `now`, the moment of that in seconds since 1970. A limit that is told already stays.
    pub fn tell(&self, headers: &mut HeaderMap, now: Option<Timestamp>) {
        if headers.contains_key(LIMIT) {
            return;
        }
        let reset = match now {
            Some(now) => seconds(now.plus(self.reset)),
            None => self.reset.as_millis().div_ceil(1000),
        };
        tell(headers, self.limit, self.remaining, reset);
    }
}

/// A moment in seconds since 1970, rounded up.
#[must_use]
pub fn seconds(moment: Timestamp) -> u128 {
    u128::try_from(moment.0).unwrap_or(0).div_ceil(1000)
}

/// The headers of a limit.
pub fn tell(headers: &mut HeaderMap, limit: u32, remaining: u32, reset: u128) {
    let values = [(LIMIT, limit.into()), (REMAINING, remaining.into()), (RESET, reset)];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&u128::to_string(&value)) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn floods(limit: u32) -> (Floods<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let unlimited_clients = vec!["198.51.100.0/24".parse().unwrap()];
        let limits = LimitsConfig { requests_per_minute: limit, unlimited_clients, ..LimitsConfig::default() };
        (Floods::with_clock(&limits, &clock), clock)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn the_minutes_requests_pass_and_the_next_waits_its_turn() {
        let (floods, clock) = floods(60);
        let client = ip("203.0.113.9");
        for left in (0..60).rev() {
            let standing = floods.count(Kind::Other, client).unwrap().unwrap();
            let reset = Duration::from_secs(u64::from(60 - left));
            assert_eq!(standing, Standing { limit: 60, remaining: left, reset });
        }
        let (refusal, standing) = floods.count(Kind::Other, client).unwrap_err();
        assert_eq!((refusal.code, standing.remaining), (Code::RateLimited, 0));
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
        clock.advance(Duration::from_millis(1001));
        assert!(floods.count(Kind::Other, client).is_ok());
        assert!(floods.count(Kind::Other, client).is_err());
    }

    #[test]
    fn kinds_and_clients_are_counted_apart_and_a_network_of_ipv6_is_one() {
        let (floods, _) = floods(1);
        assert!(floods.count(Kind::Other, ip("2001:db8::1")).is_ok());
        assert!(floods.count(Kind::Other, ip("2001:db8::ffff:1")).is_err());
        assert!(floods.count(Kind::Other, ip("2001:db8:0:1::1")).is_ok());
        assert!(floods.count(Kind::Token, ip("2001:db8::1")).is_ok());
        assert!(floods.count(Kind::Other, ip("203.0.113.9")).is_ok());
        assert!(floods.count(Kind::Other, ip("::ffff:203.0.113.9")).is_err());
        // Without an address: all together.
        assert!(floods.count(Kind::Other, None).is_ok());
        assert!(floods.count(Kind::Other, None).is_err());
    }

    #[test]
    fn nought_is_no_limit_and_own_back_ends_have_none() {
        let (none, _) = floods(0);
        let (one, _) = floods(1);
        for _ in 0..10 {
            assert_eq!(none.count(Kind::Other, ip("203.0.113.9")), Ok(None));
            assert_eq!(one.count(Kind::Other, ip("198.51.100.7")), Ok(None));
        }
    }

    #[test]
    fn the_table_has_an_end_and_the_known_keep_their_place_in_it() {
        let (floods, clock) = floods(2);
        let known = ip("203.0.113.9");
        assert!(floods.count(Kind::Other, known).is_ok());
        let crowd = (0..3 * table::MOST as u128).map(|number| IpAddr::V6(Ipv6Addr::from_bits(number << 64)));
        let refused = crowd.filter(|ip| floods.count(Kind::Other, Some(*ip)).is_err()).count();
        let length = || floods.others.as_ref().unwrap().limiter.len();
        assert!(length() <= table::MOST + 256, "{}", length());
        assert!(refused > table::MOST, "strangers past the end share a count: {refused}");
        assert!(floods.count(Kind::Other, known).is_ok());
        assert!(floods.count(Kind::Other, known).is_err());
        floods.tidy();
        assert!(length() >= table::MOST, "nobody's minute is over");
        clock.advance(Duration::from_secs(120));
        floods.tidy();
        assert_eq!(length(), 0);
        let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert!(floods.count(Kind::Other, Some(stranger)).is_ok());
    }
}
