//! When a user's method is closed to guesses (`security.md`, invariants 1 and 5; contract D5 to D9).

use std::time::Duration;

use super::{
    settings::SentinelPolicy,
    time::{Timestamp, doubled},
};

/// So many failures in a row disable the method until it is bound anew, or an operator resets it (`security.md`).
const MOST_IN_A_ROW: i64 = 100;
/// No lock is longer.
const LONGEST_LOCK: Duration = Duration::from_secs(24 * 3600);

/// The state of a user's method.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Guard {
    /// Nothing is evaluated before this moment.
    pub locked_until: Timestamp,
    /// Locks in a row.
    pub locks: i64,
    /// Failures since the last success.
    pub failures_in_a_row: i64,
}

/// Why nothing is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Locked until then.
    Until(Timestamp),
    /// No time will unlock it.
    ForGood,
}

impl Guard {
    /// Whether the method is closed, and how.
    #[must_use]
    pub fn closed(&self, now: Timestamp) -> Option<Closed> {
        if self.failures_in_a_row >= MOST_IN_A_ROW {
            return Some(Closed::ForGood);
        }
        (self.locked_until > now).then_some(Closed::Until(self.locked_until))
    }

    /// Whether one more failure closes it for good.
    #[must_use]
    pub fn is_at_its_last(&self) -> bool {
        self.failures_in_a_row + 1 >= MOST_IN_A_ROW
    }

    /// Whether a success has something to reset.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        self.failures_in_a_row > 0 || self.locks > 0
    }

    /// How long the next lock is: each in a row twice as long as the one before, up to a day.
    #[must_use]
    pub fn next_lock(&self, policy: SentinelPolicy) -> Duration {
        let first = Duration::from_secs(u64::from(policy.lockout_duration) * 60);
        doubled(first, self.locks, LONGEST_LOCK.max(first))
    }
}

/// Which guesses count.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Those after this moment.
    pub since: Timestamp,
    /// One that has been judged since before this moment has lost its judge, and counts as failed.
    pub stale: Timestamp,
}

impl Window {
    /// Failures count for this long.
    const LENGTH: Duration = Duration::from_secs(3600);
    /// A judge that has not reported by then is dead.
    const STALE: Duration = Duration::from_secs(30);

    /// The window that ends now.
    #[must_use]
    pub fn until(now: Timestamp) -> Self {
        Self { since: now.minus(Self::LENGTH), stale: now.minus(Self::STALE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(locks: i64, failures_in_a_row: i64) -> Guard {
        Guard { locked_until: Timestamp(1000), locks, failures_in_a_row }
    }

    #[test]
    fn locks_double_up_to_a_day() {
        let minutes = |locks| guard(locks, 0).next_lock(SentinelPolicy::default()).as_secs() / 60;
        assert_eq!(
            [minutes(0), minutes(1), minutes(2), minutes(6), minutes(7), minutes(60)],
            [15, 30, 60, 960, 1440, 1440]
        );
    }

    #[test]
    fn it_is_closed_for_a_while_and_after_a_hundred_failures_for_good() {
        assert_eq!(guard(1, 99).closed(Timestamp(999)), Some(Closed::Until(Timestamp(1000))));
        assert_eq!(guard(1, 99).closed(Timestamp(1000)), None);
        assert_eq!(guard(1, 100).closed(Timestamp(1000)), Some(Closed::ForGood));
        assert!(guard(1, 99).is_at_its_last() && !guard(1, 98).is_at_its_last());
    }
}
