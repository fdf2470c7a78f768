//! Request and answer over a real Kafka with 64 in flight: two connections of the bus here, as two services have, beside
//! two NestJS processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ferrex_bus::{Bus, Router, serve};
use ferrex_postgres::{Db, DbConfig};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::Kafka;

use super::nest::Nest;
use super::{Echo, SCHEMA, SERVICE, kafka_bus, password};
use crate::cpu::Meter;
use crate::latency::Latencies;
use crate::pairs::{Limit, Run, compare};

const IN_FLIGHT: usize = 64;
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
    compare(
        "requests, 64 in flight",
        PAIRS,
        Limit::Loopback,
        async || ours(&asker, &numbers).await,
        async || nest.ask(WARM_UP, RUN, IN_FLIGHT).await,
    )
    .await?;
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

async fn ours(asker: &Bus, numbers: &Arc<AtomicU64>) -> anyhow::Result<Run> {
    closed_loop(asker, numbers, WARM_UP).await?;
    let meter = Meter::start()?;
    let latencies = closed_loop(asker, numbers, RUN).await?;
    let cpu = meter.stop()?;
    Ok(Run {
        count: latencies.count() as u64,
        took: RUN,
        cpu,
        note: latencies.to_string(),
    })
}

/// Asks for so long; what is asked before the end and answered after it counts for nothing.
async fn closed_loop(asker: &Bus, numbers: &Arc<AtomicU64>, run: Duration) -> anyhow::Result<Latencies> {
    let end = Instant::now() + run;
    let callers = (0..IN_FLIGHT).map(|_| {
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
