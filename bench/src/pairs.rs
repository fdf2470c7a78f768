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

/// One run of each.
#[derive(Clone, Debug)]
pub struct Pair<T> {
    /// Ours.
    pub ours: T,
    /// The peer's.
    pub peer: T,
    /// The probe before and after, if the limit has one.
    pub probes: Option<(f64, f64)>,
}

/// Runs pairs in the order A B B A until `pairs` of them count, or twice as many were run; `tell` prints each that it is
/// given, and a line says which were dropped. Answers those that count.
pub async fn run<T>(
    pairs: usize,
    limit: Limit,
    mut ours: impl AsyncFnMut() -> anyhow::Result<T>,
    mut peer: impl AsyncFnMut() -> anyhow::Result<T>,
    tell: impl Fn(&Pair<T>) -> String,
) -> anyhow::Result<Vec<Pair<T>>> {
    let mut counting = Vec::new();
    for number in 0..2 * pairs {
        if counting.len() == pairs {
            break;
        }
        let before = probe::of(limit)?;
        let (ours, peer) = if number % 2 == 0 {
            let ours = ours().await?;
            (ours, peer().await?)
        } else {
            let peer = peer().await?;
            (ours().await?, peer)
        };
        let after = probe::of(limit)?;
        let probes = before.zip(after);
        let pair = Pair { ours, peer, probes };
        let kept = probe::alike(before, after);
        let dropped = if kept {
            ""
        } else {
            ": dropped, the probes differ by more than a quarter"
        };
        println!("  {} {}{dropped}", number + 1, tell(&pair));
        if kept {
            counting.push(pair);
        }
    }
    Ok(counting)
}

/// Runs pairs and compares what was done a second: more is better. `ours` and `peer` must check their results themselves.
pub async fn compare(
    name: &str,
    pairs: usize,
    limit: Limit,
    ours: impl AsyncFnMut() -> anyhow::Result<Run>,
    peer: impl AsyncFnMut() -> anyhow::Result<Run>,
) -> anyhow::Result<Ratios> {
    println!("{name} on {}", probe::machine());
    let by_rate = |pair: &Pair<Run>| pair.ours.rate() / pair.peer.rate();
    let counting = run(pairs, limit, ours, peer, |pair| {
        let probes = pair.probes.map_or_else(String::new, |(before, after)| {
            format!(", {limit:?} {before:.0}/s before and {after:.0}/s after")
        });
        let (ours, peer) = (&pair.ours, &pair.peer);
        format!(
            "ours {ours}\n    peer {peer}\n    ratio {:.2}{probes}",
            by_rate(pair)
        )
    })
    .await?;
    let ratios = counting.iter().map(by_rate).collect();
    let by_cpu = counting
        .iter()
        .map(|pair| pair.ours.per_cpu_second() / pair.peer.per_cpu_second())
        .collect();
    let (count, ratios, by_cpu) = (counting.len(), Ratios::new(ratios), Ratios::new(by_cpu));
    match (ratios.median(), ratios.minimum(), by_cpu.median()) {
        (Some(median), Some(minimum), Some(by_cpu)) => println!(
            "{name}: median ratio {median:.2}, minimum {minimum:.2}, by CPU time {by_cpu:.2}, of {count} pairs\n"
        ),
        _ => println!("{name}: every pair was dropped, run it again on a quieter machine\n"),
    }
    Ok(ratios)
}
