//! Moments and lengths of time, in milliseconds.

use std::time::Duration;

use time::{
    OffsetDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
///
/// Stored as `bigint` on both engines, because text times made by the driver do not sort on SQLite.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent, no_pg_array)]
pub struct Timestamp(pub i64);

/// A time that doubles with each one before, as locks do, up to `longest`.
#[must_use]
pub fn doubled(first: Duration, before: i64, longest: Duration) -> Duration {
    let doublings = u32::try_from(before.clamp(0, 16)).unwrap_or(16);
    first.saturating_mul(2_u32.pow(doublings)).min(longest)
}

impl Timestamp {
    /// The moment `length` later; saturates at the end of time.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(millis(length)))
    }

    /// The moment `length` earlier; saturates at the start of time.
    #[must_use]
    pub fn minus(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(millis(length)))
    }

    /// How long from `earlier` until this moment; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads ISO 8601 with a zone, as RFC 3339 writes it; parts of a millisecond are cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }

    /// Whole seconds since 1970, as JWT claims want them.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// ISO 8601 in UTC with milliseconds, such as `2026-11-20T12:00:00.000Z` (contract 0.8).
    #[must_use]
    pub fn to_iso(self) -> String {
        const FORMAT: Iso8601<
            {
                time::format_description::well_known::iso8601::Config::DEFAULT
                    .set_time_precision(time::format_description::well_known::iso8601::TimePrecision::Second {
                        decimal_digits: std::num::NonZeroU8::new(3),
                    })
                    .encode()
            },
        > = Iso8601;
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|moment| moment.format(&FORMAT).ok())
            .unwrap_or_else(|| "1970-01-01T00:00:00.000Z".to_owned())
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_has_milliseconds_and_utc() {
        assert_eq!(Timestamp(1_763_640_000_007).to_iso(), "2025-11-20T12:00:00.007Z");
    }
}
