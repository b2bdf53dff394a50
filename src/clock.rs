//! What time it is: handed in, so that tests can move it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::domain::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;

    /// Whether that can be believed. While it cannot, nothing is answered and nothing is swept: a clock that was set back would
    /// bring what has expired back to life, and one that was set forward would end every lock.
    fn is_sound(&self) -> bool {
        true
    }
}

/// How far the clocks of nodes may differ.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The machine's clock, held against time that only ever passes: somebody may set the one, nobody the other.
#[derive(Debug)]
pub struct WatchedClock {
    started_at: Timestamp,
    started: Instant,
    /// What had passed since the machine started, where it says so: that goes on while the machine sleeps.
    uptime: Option<Duration>,
}

/// Corrections of time servers are smaller.
const SET_BACK: Duration = Duration::from_secs(60);
/// Shorter than what anybody waits for that guesses: a lock lasts longer.
const SET_FORWARD: Duration = Duration::from_secs(600);
/// 2026-01-01T00:00:00Z: this program is younger.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000);

impl WatchedClock {
    /// Believes the machine's clock as it is now.
    #[must_use]
    pub fn start() -> Self {
        Self { started_at: SystemClock.now(), started: Instant::now(), uptime: uptime() }
    }
}

impl Clock for WatchedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn is_sound(&self) -> bool {
        let shown = SystemClock.now();
        let has_slept = || Some(self.started_at.plus(uptime()?.checked_sub(self.uptime?)?));
        is_believed(shown, self.started_at.plus(self.started.elapsed()), has_slept)
    }
}

/// Asks for the time by the machine's own count, sleep included, only when that by the process's count does not fit.
fn is_believed(shown: Timestamp, expected: Timestamp, had_it_slept: impl FnOnce() -> Option<Timestamp>) -> bool {
    is_plausible(shown, expected) || had_it_slept().is_some_and(|expected| is_plausible(shown, expected))
}

fn is_plausible(shown: Timestamp, expected: Timestamp) -> bool {
    shown >= EARLIEST && expected.since(shown) <= SET_BACK && shown.since(expected) <= SET_FORWARD
}

/// Since the machine started, where it says so (Linux).
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(text.split_ascii_whitespace().next()?.parse().ok()?).ok()
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves on by `length`.
    pub fn advance(&self, length: Duration) {
        self.set(self.now().plus(length));
    }

    /// Shows `moment` from now on, which may be earlier than before.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.now(), Timestamp(3_000));
        clock.set(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
    }

    #[test]
    fn a_clock_that_was_set_back_or_far_forward_is_not_believed() {
        let expected = EARLIEST.plus(Duration::from_secs(1_000_000));
        let at = |seconds: i64| Timestamp(expected.0 + seconds * 1000);
        for plausible in [-60, 0, 600] {
            assert!(is_plausible(at(plausible), expected), "{plausible}");
        }
        for absurd in [-61, 601, 50 * 365 * 86_400] {
            assert!(!is_plausible(at(absurd), expected), "{absurd}");
        }
        assert!(!is_plausible(Timestamp(0), Timestamp(0)), "1970");
        assert!(WatchedClock::start().is_sound());
    }

    #[test]
    fn sleep_of_the_machine_is_no_change_of_its_clock() {
        let expected = EARLIEST.plus(Duration::from_secs(1_000_000));
        let after = expected.plus(Duration::from_secs(8 * 3600));
        assert!(is_believed(after, expected, || Some(after)));
        assert!(!is_believed(after, expected, || Some(expected)));
        assert!(!is_believed(after, expected, || None));
    }

    #[test]
    fn the_machines_clock_is_past_2025() {
        assert!(SystemClock.now() > Timestamp(1_735_689_600_000));
    }
}
