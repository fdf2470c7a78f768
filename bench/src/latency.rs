//! Times of single things.

use std::fmt;
use std::time::Duration;

/// Latencies of a run.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    sorted: Vec<Duration>,
}

impl From<Vec<Duration>> for Latencies {
    fn from(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { sorted: times }
    }
}

impl Latencies {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The time that `per_mille` of a thousand stayed below; zero without any.
    pub fn at(&self, per_mille: usize) -> Duration {
        let place = (self.sorted.len() * per_mille / 1000).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |per_mille| self.at(per_mille).as_secs_f64() * 1e3;
        write!(f, "p50 {:.1} ms, p99 {:.1} ms", ms(500), ms(990))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_times() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        let latencies = Latencies::from(times);
        assert_eq!(latencies.at(500), Duration::from_millis(51));
        assert_eq!(latencies.at(990), Duration::from_millis(100));
        assert_eq!(Latencies::default().at(500), Duration::ZERO);
    }
}
