//! The time that counts within a run.

use std::time::{Duration, Instant};

use crate::cpu::{Cpu, Meter};
use crate::effort::Effort;

/// What is answered between its begin and its end counts.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    begin: Instant,
    end: Instant,
}

impl Window {
    /// Begins after the warm-up.
    pub fn after_warm_up(effort: Effort) -> Self {
        let begin = Instant::now() + effort.warm_up;
        Self {
            begin,
            end: begin + effort.run,
        }
    }

    /// Whether nothing counts any more.
    pub fn is_over(self) -> bool {
        Instant::now() >= self.end
    }

    /// Whether what is answered at this moment counts.
    pub fn counts_now(self) -> bool {
        let now = Instant::now();
        self.begin <= now && now < self.end
    }

    /// Its length.
    pub fn length(self) -> Duration {
        self.end - self.begin
    }

    /// What the window takes of CPU time. Returns at its end.
    pub async fn cpu(self) -> anyhow::Result<Cpu> {
        tokio::time::sleep_until(self.begin.into()).await;
        let meter = Meter::start()?;
        tokio::time::sleep_until(self.end.into()).await;
        meter.stop()
    }
}
