//! The clock as a parameter. Nothing else in the workspace reads the machine's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub use chrono::{Duration, SecondsFormat};

/// A moment in UTC, to the microsecond, as PostgreSQL keeps it.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, cut to whole microseconds.
    fn now(&self) -> Timestamp;

    /// The present moment as Unix milliseconds, for the time part of an id.
    fn unix_ms(&self) -> u64 {
        u64::try_from(self.now().timestamp_millis()).unwrap_or(0)
    }
}

/// A clock that many parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, ready to share.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's time"
    )]
    fn now(&self) -> Timestamp {
        from_micros(chrono::Utc::now().timestamp_micros())
    }
}

/// A clock that stands still until it is moved, for tests and simulation.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.timestamp_micros()))
    }

    /// Moves the clock forward (or back, with a negative duration).
    pub fn advance(&self, by: Duration) {
        let micros = by
            .num_microseconds()
            .expect("a test moves its clock by less than 292,000 years");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// The moment `micros` microseconds after 1970, or the last one that can be shown when that is out of range.
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_timestamp_micros(micros).unwrap_or(Timestamp::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_time_has_no_part_below_a_microsecond() {
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(from_micros(5));
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::microseconds(7));
        assert_eq!(clock.now(), from_micros(12));
    }
}
