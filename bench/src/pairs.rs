//! Pairs A B B A: what is compared runs in the same minutes, in both orders.

use std::fmt;
use std::time::Duration;

use crate::cpu::Cpu;
use crate::probe;

/// What one run gave: how much in how long.
#[derive(Clone, Debug)]
pub struct Run {
    /// Things done.
    pub count: u64,
    /// Time they took.
    pub took: Duration,
    /// CPU time they took, the generator's and the servers' included.
    pub cpu: Cpu,
    /// What else is worth telling, such as latencies; may be empty.
    pub note: String,
}

impl Run {
    fn things(&self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate for people; counts are far below 2^52"
        )]
        let count = self.count as f64;
        count
    }

    /// Things a second.
    pub fn rate(&self) -> f64 {
        self.things() / self.took.as_secs_f64()
    }

    /// Things a CPU second of everything that worked for them.
    pub fn per_cpu_second(&self) -> f64 {
        self.things() / self.cpu.total()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { took, cpu, note, .. } = self;
        write!(
            f,
            "{:.0}/s in {:.1} s, {:.0} a CPU second ({cpu})",
            self.rate(),
            took.as_secs_f64(),
            self.per_cpu_second()
        )?;
        if note.is_empty() {
            Ok(())
        } else {
            write!(f, ", {note}")
        }
    }
}

/// The ratios of a benchmark's pairs.
#[derive(Clone, Debug)]
pub struct Ratios {
    /// One a pair, ours over the peer's, sorted.
    sorted: Vec<f64>,
}

impl Ratios {
    fn new(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        Self { sorted: ratios }
    }

    /// The middle one.
    pub fn median(&self) -> Option<f64> {
        self.sorted.get(self.sorted.len() / 2).copied()
    }

    /// The worst one.
    pub fn minimum(&self) -> Option<f64> {
        self.sorted.first().copied()
    }
}

/// What a pair may rest on besides the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The disk: an fdatasync probe is taken around each run, and a pair with unlike probes is dropped.
    Disk,
    /// The network inside the machine: the same with round trips over TCP.
    Loopback,
    /// Nothing that needs a probe.
    None,
}

/// Runs pairs in the order A B B A until `pairs` of them count, or twice as many were run, and prints each; `ours` and
/// `peer` must check their results themselves.
pub async fn compare(
    name: &str,
    pairs: usize,
    limit: Limit,
    mut ours: impl AsyncFnMut() -> anyhow::Result<Run>,
    mut peer: impl AsyncFnMut() -> anyhow::Result<Run>,
) -> anyhow::Result<Ratios> {
    println!("{name} on {}", probe::machine());
    let (mut ratios, mut by_cpu) = (Vec::new(), Vec::new());
    for pair in 0..2 * pairs {
        if ratios.len() == pairs {
            break;
        }
        let before = probe::of(limit)?;
        let (our_run, peer_run) = if pair % 2 == 0 {
            let our_run = ours().await?;
            (our_run, peer().await?)
        } else {
            let peer_run = peer().await?;
            (ours().await?, peer_run)
        };
        let after = probe::of(limit)?;
        let ratio = our_run.rate() / peer_run.rate();
        let kept = probe::alike(before, after);
        println!("  {} ours {our_run}\n    peer {peer_run}", pair + 1);
        println!(
            "    ratio {ratio:.2}{}{}",
            before.zip(after).map_or_else(String::new, |(b, a)| format!(
                ", {limit:?} {b:.0}/s before and {a:.0}/s after"
            )),
            if kept {
                ""
            } else {
                ": dropped, the probes differ by more than a quarter"
            },
        );
        if kept {
            ratios.push(ratio);
            by_cpu.push(our_run.per_cpu_second() / peer_run.per_cpu_second());
        }
    }
    let (count, ratios, by_cpu) = (ratios.len(), Ratios::new(ratios), Ratios::new(by_cpu));
    match (ratios.median(), ratios.minimum(), by_cpu.median()) {
        (Some(median), Some(minimum), Some(by_cpu)) => println!(
            "{name}: median ratio {median:.2}, minimum {minimum:.2}, by CPU time {by_cpu:.2}, of {count} pairs\n"
        ),
        _ => println!("{name}: every pair was dropped, run it again on a quieter machine\n"),
    }
    Ok(ratios)
}
