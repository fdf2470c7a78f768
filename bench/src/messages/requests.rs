//! Request and answer over a real Kafka: two connections of the bus here, as two services have, beside two NestJS processes,
//! with 64 and with 1 in flight; and with 1 in flight beside the least that Kafka needs for it ([`super::ping`]).

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ferrex_bus::{Bus, Router, serve};
use ferrex_postgres::{Db, DbConfig};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::Kafka;

use super::nest::Nest;
use super::ping::PingPong;
use super::{Echo, SCHEMA, SERVICE, kafka_bus, password};
use crate::cpu::Meter;
use crate::latency::Latencies;
use crate::pairs::{Limit, Run, compare};

const IN_FLIGHT: [usize; 2] = [64, 1];
const WARM_UP: Duration = Duration::from_secs(2);
const RUN: Duration = Duration::from_secs(5);
const PAIRS: usize = 5;
/// How long an answer may take before the run counts as wrong.
const WITHIN: Duration = Duration::from_secs(20);

/// Runs the comparison.
pub async fn run() -> anyhow::Result<()> {
    let kafka = Kafka::start().await;
    let nest = Nest::build(kafka.brokers())?;
    let (asker, answerer) = (kafka_bus(&kafka).await?, kafka_bus(&kafka).await?);
    asker.ensure_topics(&["bench.echo", "bench.echo.reply"]).await?;
    let server = nest.server(&[]).await?;

    let stop = CancellationToken::new();
    let serving = tokio::spawn(answer(answerer, stop.clone()));
    asker.request("first", &Echo::new(0), WITHIN).await?;
    let numbers = Arc::new(AtomicU64::new(1));
    for in_flight in IN_FLIGHT {
        let (our_times, peer_times) = (Times::default(), Times::default());
        let name = format!("requests, {in_flight} in flight");
        compare(
            &name,
            PAIRS,
            Limit::Loopback,
            async || {
                let (run, times) = ours(&asker, &numbers, in_flight).await?;
                our_times.add(times);
                Ok(run)
            },
            async || {
                let (run, times) = peer(&nest, in_flight).await?;
                peer_times.add(times);
                Ok(run)
            },
        )
        .await?;
        our_times.beside(&peer_times, &name);
    }
    let ping = PingPong::start(&kafka).await?;
    let (our_times, bare_times) = (Times::default(), Times::default());
    let name = "requests beside a bare ping-pong, 1 in flight";
    compare(
        name,
        PAIRS,
        Limit::Loopback,
        async || {
            let (run, times) = ours(&asker, &numbers, 1).await?;
            our_times.add(times);
            Ok(run)
        },
        async || {
            let (run, times) = ping.run(WARM_UP, RUN).await?;
            bare_times.add(times);
            Ok(run)
        },
    )
    .await?;
    our_times.beside(&bare_times, name);
    ping.stop().await?;
    stop.cancel();
    serving.await??;
    asker.close().await;
    server.stop().await
}

/// The answering service. It has a database that no request touches.
async fn answer(bus: Bus, stop: CancellationToken) -> anyhow::Result<()> {
    let nowhere = DbConfig::new(
        "postgres://127.0.0.1:1/none",
        SCHEMA.role,
        password(),
        SCHEMA.schema,
    );
    let db = Db::connect(&nowhere).await?;
    let router = Router::new(SERVICE).on_request::<Echo, _, _>(|_, echo| async move { Ok(echo) });
    serve(&bus, &db, router, stop).await?;
    bus.close().await;
    Ok(())
}

/// The median and the 99th percentile of each run.
#[derive(Default)]
struct Times(RefCell<Vec<(Duration, Duration)>>);

impl Times {
    fn add(&self, times: (Duration, Duration)) {
        self.0.borrow_mut().push(times);
    }

    /// Says how they compare, the runs of dropped pairs included.
    fn beside(&self, peer: &Self, name: &str) {
        let (ours, theirs) = (self.0.borrow(), peer.0.borrow());
        let middle = |of: fn((Duration, Duration)) -> Duration| {
            let mut ratios: Vec<f64> = ours
                .iter()
                .zip(theirs.iter())
                .map(|(ours, theirs)| of(*ours).as_secs_f64() / of(*theirs).as_secs_f64())
                .collect();
            ratios.sort_by(f64::total_cmp);
            ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
        };
        println!(
            "{name}: median ratio of p50 {:.2}, of p99 {:.2}, of {} pairs\n",
            middle(|times| times.0),
            middle(|times| times.1),
            ours.len()
        );
    }
}

async fn ours(
    asker: &Bus,
    numbers: &Arc<AtomicU64>,
    in_flight: usize,
) -> anyhow::Result<(Run, (Duration, Duration))> {
    closed_loop(asker, numbers, in_flight, WARM_UP).await?;
    let meter = Meter::start()?;
    let latencies = closed_loop(asker, numbers, in_flight, RUN).await?;
    let cpu = meter.stop()?;
    let run = Run {
        count: latencies.count() as u64,
        took: RUN,
        cpu,
        note: latencies.to_string(),
    };
    Ok((run, (latencies.at(500), latencies.at(990))))
}

async fn peer(nest: &Nest, in_flight: usize) -> anyhow::Result<(Run, (Duration, Duration))> {
    /// What the asking side reports.
    #[derive(serde::Deserialize)]
    struct Asked {
        count: u64,
        p50_ms: f64,
        p99_ms: f64,
    }
    let environment = [("IN_FLIGHT", in_flight.to_string())];
    let (asked, cpu) = nest.client::<Asked>("client", WARM_UP, RUN, &environment).await?;
    let run = Run {
        count: asked.count,
        took: RUN,
        cpu,
        note: format!("p50 {:.1} ms, p99 {:.1} ms", asked.p50_ms, asked.p99_ms),
    };
    let time = |ms: f64| Duration::from_secs_f64(ms / 1e3);
    Ok((run, (time(asked.p50_ms), time(asked.p99_ms))))
}

/// Asks for so long; what is asked before the end and answered after it counts for nothing.
async fn closed_loop(
    asker: &Bus,
    numbers: &Arc<AtomicU64>,
    in_flight: usize,
    run: Duration,
) -> anyhow::Result<Latencies> {
    let end = Instant::now() + run;
    let callers = (0..in_flight).map(|_| {
        let (asker, numbers) = (asker.clone(), Arc::clone(numbers));
        tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                let asked = Instant::now();
                if asked >= end {
                    return anyhow::Ok(times);
                }
                let echo = Echo::new(numbers.fetch_add(1, Ordering::Relaxed));
                let reply = asker.request(echo.n, &echo, WITHIN).await?;
                ensure!(reply == echo, "asked {}, was answered {}", echo.n, reply.n);
                if Instant::now() < end {
                    times.push(asked.elapsed());
                }
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await.context("a caller ended early")??);
    }
    Ok(Latencies::from(times))
}
