//! How many messages a run of a consumer needs, learned from the runs before, and what was seen of a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::cpu::Meter;
use crate::pairs::Run;

pub(super) const WARM_UP: Duration = Duration::from_secs(2);
pub(super) const RUN: Duration = Duration::from_secs(5);
/// A backlog that ended sooner gives no figure; the next is larger.
pub(super) const RUN_LEAST: Duration = Duration::from_secs(3);
/// How often effects are counted.
const COUNT_EVERY: Duration = Duration::from_millis(500);
/// How long nothing may happen before the run counts as wrong.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// How many messages a run needs.
pub(super) struct Backlog(AtomicU64);

/// What a run saw.
pub(super) struct Seen {
    /// `None`: the backlog did not last.
    pub run: Option<Run>,
    /// From the first effect to the last.
    pub all: Duration,
}

impl Backlog {
    pub const fn new(guess: u64) -> Self {
        Self(AtomicU64::new(guess))
    }

    pub async fn run(
        &self,
        mut attempt: impl AsyncFnMut(u64) -> anyhow::Result<Seen>,
    ) -> anyhow::Result<Run> {
        loop {
            let count = self.0.load(Ordering::Relaxed);
            let seen = attempt(count).await?;
            // Half as long again as warm-up and run, for the next may be faster.
            let wanted = (WARM_UP + RUN).mul_f64(1.5).as_millis();
            let took = seen.all.as_millis().max(1);
            let next = u64::try_from(u128::from(count) * wanted / took)?;
            self.0.store(next.clamp(count / 2, count * 8), Ordering::Relaxed);
            if let Some(run) = seen.run {
                return Ok(run);
            }
        }
    }
}

/// Watches a count until it has come to what is expected.
pub(super) async fn observe(
    mut count: impl AsyncFnMut() -> anyhow::Result<u64>,
    expected: u64,
) -> anyhow::Result<Seen> {
    let started = Instant::now();
    while count().await? == 0 {
        ensure!(started.elapsed() < STUCK_AFTER, "no event is handled");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let first = Instant::now();
    tokio::time::sleep(WARM_UP).await;
    let (begin, meter) = (Instant::now(), Meter::start()?);
    let at_begin = count().await?;
    let mut run = None;
    let (mut last, mut changed) = (at_begin, Instant::now());
    while last < expected {
        let running = begin.elapsed() < RUN;
        tokio::time::sleep(if running { COUNT_EVERY } else { COUNT_EVERY / 5 }).await;
        let (now, cpu) = (begin.elapsed(), meter.stop()?);
        let present = count().await?;
        // Where between two counts the backlog ended is not known, so the run ends with the count before.
        if running && present < expected {
            run = Some(Run {
                count: present - at_begin,
                took: now,
                cpu,
                note: String::new(),
            });
        }
        if present > last {
            (last, changed) = (present, Instant::now());
        }
        ensure!(
            changed.elapsed() < STUCK_AFTER,
            "{last} of {expected} events were handled"
        );
    }
    Ok(Seen {
        run: run.filter(|run| run.took >= RUN_LEAST),
        all: first.elapsed(),
    })
}
