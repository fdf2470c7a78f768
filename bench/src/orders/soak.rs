//! Whether it stays as it is: orders at a rate below what it can do, minute after minute, and what each minute of them costs.
//! Jobs come round, tables grow, indexes and memory fill. What is compared is the end with the beginning.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::at;
use super::ours::{ALL, Ours};
use crate::cpu::Meter;
use crate::effort::Effort;
use crate::footprint::Memory;
use crate::probe;

/// A fifth of what two cores take when as many come as can; fewer come together, so that most of the processors is used all the same.
const PER_SECOND: f64 = 300.0;
/// Rounds and how long each is, and the same of a look.
const FULL: (usize, Duration) = (20, Duration::from_mins(1));
const QUICK: (usize, Duration) = (3, Duration::from_secs(10));
/// Rounds that are taken together at both ends, so that a job that comes each minute is in each.
const TOGETHER: usize = 3;
/// How much more the end may cost, as latency in the median and as memory, before it is said as a failure.
const GROWTH_MAX: f64 = 2.0;

/// One round.
struct Round {
    p50: f64,
    memory: f64,
}

/// Runs it.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let (rounds, length) = if effort.is_quick() { QUICK } else { FULL };
    let effort = Effort {
        pairs: rounds,
        warm_up: Duration::ZERO,
        run: length,
    };
    let mut ours = Ours::start().await?;
    let people = ours.people().await?;
    probe::settle_disk()?;
    println!(
        "{PER_SECOND:.0} orders a second over HTTP, for {rounds} times {} s, on {}",
        length.as_secs(),
        probe::machine()
    );
    let mut seen = Vec::new();
    for number in 1..=rounds {
        let (before, noise) = (ours.count().await?, ours.complaints()?);
        let meter = Meter::start()?;
        let people = people.with_tokens(ours.tokens());
        let (latencies, answered) = at(PER_SECOND, ours.port(), people, effort).await?;
        let cpu = meter.stop()?;
        ours.check(before, answered).await?;
        let memory = Memory::of(ours.system.pid_of(ALL)?)?.resident;
        let noise = ours.complaints()?.split_off(noise.len());
        println!(
            "  {number}: {latencies}; CPU seconds: {cpu}; {memory:.0} MiB resident, database {:.0} MiB",
            ours.size().await?
        );
        for line in &noise {
            println!("    {line}");
        }
        seen.push(Round {
            p50: latencies.at(500).as_secs_f64(),
            memory,
        });
    }
    let times = |of: fn(&Round) -> f64| -> anyhow::Result<f64> {
        let together = TOGETHER.min(seen.len());
        let (first, last) = (&seen[..together], &seen[seen.len() - together..]);
        let worst = |rounds: &[Round]| rounds.iter().map(of).reduce(f64::max).context("there are rounds");
        Ok(worst(last)? / worst(first)?)
    };
    let (latency, memory) = (times(|round| round.p50)?, times(|round| round.memory)?);
    println!("the end beside the beginning: p50 {latency:.2} times, memory {memory:.2} times");
    ours.audit_and_stop().await?;
    ensure!(
        latency <= GROWTH_MAX && memory <= GROWTH_MAX,
        "it does not stay as it is: more than {GROWTH_MAX} times"
    );
    Ok(())
}
