//! How much is measured: everything that docs/PERFORMANCE.md quotes, or a look that takes minutes.

use std::time::Duration;

/// Pairs of a comparison, and how long each of their runs takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Pairs that count.
    pub pairs: usize,
    /// What is answered within it does not count.
    pub warm_up: Duration,
    /// How long a run takes after its warm-up.
    pub run: Duration,
}

impl Effort {
    /// What is quoted.
    pub const FULL: Self = Self {
        pairs: 5,
        warm_up: Duration::from_secs(2),
        run: Duration::from_secs(5),
    };

    /// Shows that everything works and where things stand, roughly.
    pub const QUICK: Self = Self {
        pairs: 1,
        warm_up: Duration::from_millis(300),
        run: Duration::from_secs(1),
    };

    /// Whether it is only a look.
    pub fn is_quick(self) -> bool {
        self == Self::QUICK
    }
}
