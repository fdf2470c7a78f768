//! Open loop: things are due at a fixed rate, whether or not earlier ones were answered, and their latency is counted from
//! when they were due. So neither a generator nor a server that falls behind hides it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::sync::{Semaphore, mpsc};

use crate::effort::Effort;
use crate::http::client::{Caller, Connection};
use crate::latency::Latencies;
use crate::pairs::{self, Limit, Pair};
use crate::probe;

/// How long the generator rests between looks; a timer of the runtime would be ten times as coarse.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// More than that waiting is no latency any more, the rate is too high.
const WAITING_MAX: usize = 50_000;

/// What was seen.
pub struct Seen<T> {
    /// Of what was due after the warm-up.
    pub latencies: Latencies,
    /// What each answered, warm-up included.
    pub answers: Vec<T>,
}

/// Does `thing` so many times a second, each as a task of its own, and waits for all answers.
pub async fn run<T, F>(
    per_second: f64,
    effort: Effort,
    thing: impl Fn(u64) -> F + Send + 'static,
) -> anyhow::Result<Seen<T>>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    ensure!(per_second >= 1.0, "{per_second} a second is no rate");
    let runtime = tokio::runtime::Handle::current();
    let (answers, mut answered) = mpsc::unbounded_channel();
    let gap = Duration::from_secs_f64(1.0 / per_second);
    let generator = std::thread::spawn(move || -> anyhow::Result<()> {
        let (begin, waiting) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
        let end = begin + effort.warm_up + effort.run;
        let (mut number, mut due) = (0, begin);
        while due < end {
            let now = Instant::now();
            while due <= now && due < end {
                let (thing, answers, waiting) = (thing(number), answers.clone(), Arc::clone(&waiting));
                ensure!(
                    waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX,
                    "{per_second:.0} a second are too many: {WAITING_MAX} wait for their answers"
                );
                let counts = due >= begin + effort.warm_up;
                runtime.spawn(async move {
                    let answer = thing.await;
                    waiting.fetch_sub(1, Ordering::Relaxed);
                    // The receiver is gone only when another one failed.
                    let _ = answers.send((counts, due.elapsed(), answer));
                });
                number += 1;
                due = begin + gap.mul_f64(f64::from(u32::try_from(number)?));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    });
    let (mut times, mut all) = (Vec::new(), Vec::new());
    while let Some((counts, took, answer)) = answered.recv().await {
        all.push(answer?);
        if counts {
            times.push(took);
        }
    }
    generator
        .join()
        .ok()
        .context("the generator of the open loop panicked")??;
    Ok(Seen {
        latencies: Latencies::from(times),
        answers: all,
    })
}

/// Connections for things that are due; one that finds none free waits for it.
#[derive(Clone)]
pub struct Pool {
    slots: Arc<Semaphore>,
    free: Arc<Mutex<Vec<Connection>>>,
}

impl Pool {
    /// Opens so many.
    pub async fn open(address: SocketAddr, count: usize) -> anyhow::Result<Self> {
        let mut free = Vec::new();
        for _ in 0..count {
            free.push(Connection::open(address).await?);
        }
        Ok(Self {
            slots: Arc::new(Semaphore::new(count)),
            free: Arc::new(Mutex::new(free)),
        })
    }

    /// One call of a caller.
    pub async fn call(&self, caller: &mut impl Caller) -> anyhow::Result<()> {
        let _slot = self.slots.acquire().await?;
        let connection = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = connection.context("there are as many connections as slots")?;
        let (status, body) = connection.call(&caller.next()).await?;
        caller.check(status, body)?;
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        Ok(())
    }
}

/// Runs pairs, as [`pairs::compare`], and compares the p99: less is better.
pub async fn compare(
    name: &str,
    effort: Effort,
    limit: Limit,
    ours: impl AsyncFnMut() -> anyhow::Result<Latencies>,
    peer: impl AsyncFnMut() -> anyhow::Result<Latencies>,
) -> anyhow::Result<()> {
    println!("{name} on {}", probe::machine());
    let by_p99 = |pair: &Pair<Latencies>| pair.ours.at(990).as_secs_f64() / pair.peer.at(990).as_secs_f64();
    let counting = pairs::run(effort.pairs, limit, ours, peer, |pair| {
        let (ours, peer) = (&pair.ours, &pair.peer);
        format!(
            "ours {ours}\n    peer {peer}\n    ratio of the p99 {:.2}",
            by_p99(pair)
        )
    })
    .await?;
    let mut ratios: Vec<f64> = counting.iter().map(by_p99).collect();
    ratios.sort_by(f64::total_cmp);
    match (ratios.get(ratios.len() / 2), ratios.last()) {
        (Some(median), Some(worst)) => println!(
            "{name}: median ratio of the p99 {median:.2}, worst {worst:.2}, of {} pairs\n",
            ratios.len()
        ),
        _ => println!("{name}: every pair was dropped, run it again on a quieter machine\n"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_that_is_due_is_done_and_lateness_counts() {
        let effort = Effort {
            pairs: 1,
            warm_up: Duration::from_millis(100),
            run: Duration::from_millis(200),
        };
        let seen = run(1_000.0, effort, |number| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(number)
        })
        .await
        .unwrap();
        assert_eq!((seen.answers.len(), seen.latencies.count()), (300, 200));
        assert!(seen.latencies.at(0) >= Duration::from_millis(5));
    }

    #[tokio::test]
    async fn one_that_fails_fails_the_run() {
        let seen = run::<(), _>(1_000.0, Effort::QUICK, |_| async { anyhow::bail!("no answer") }).await;
        assert!(seen.is_err_and(|error| error.to_string() == "no answer"));
    }
}
