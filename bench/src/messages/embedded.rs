//! Request and answer over the embedded bus at a fixed rate, counted from when each was due (open loop).
//!
//! Asker and answerer have connections of their own, as in the process that runs all roles; the log is on a PostgreSQL
//! that syncs.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ferrex_bus::{Bus, BusConfig, EMBEDDED, EmbeddedConfig, Router, TransportConfig, serve};
use ferrex_postgres::{DbConfig, provision};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Postgres, TestDb};
use ferrex_time::SystemClock;
use tokio::time::Instant;

use super::{Echo, SCHEMA, SERVICE, password, service_db};
use crate::cpu::Meter;
use crate::latency::Latencies;
use crate::probe;

/// Requests a second.
const RATES: [u32; 3] = [50, 250, 1_000];
const WARM_UP: Duration = Duration::from_secs(2);
const RUN: Duration = Duration::from_secs(8);
const WITHIN: Duration = Duration::from_secs(20);

/// Measures each rate.
pub async fn run() -> anyhow::Result<()> {
    let postgres = Postgres::for_load().await;
    let db = postgres.fresh_database().await;
    provision(&db.admin_url, &EMBEDDED, &password()).await?;
    provision(&db.admin_url, &SCHEMA, &password()).await?;
    let (asker, answerer) = (bus(&db).await?, bus(&db).await?);
    let (service, stop) = (service_db(&db).await?, CancellationToken::new());
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move {
            let router = Router::new(SERVICE).on_request::<Echo, _, _>(|_, echo| async move { Ok(echo) });
            serve(&answerer, &service, router, stop).await
        }
    });
    asker.request("first", &Echo::new(0), WITHIN).await?;
    println!("requests over the embedded bus on {}", probe::machine());
    for rate in RATES {
        open_loop(&asker, rate, WARM_UP).await?;
        let meter = Meter::start()?;
        let latencies = open_loop(&asker, rate, RUN).await?;
        println!(
            "  {rate}/s: {latencies}, of {} (CPU: {})",
            latencies.count(),
            meter.stop()?
        );
    }
    println!();
    stop.cancel();
    serving.await??;
    asker.close().await;
    Ok(())
}

async fn bus(db: &TestDb) -> anyhow::Result<Bus> {
    let database = DbConfig::new(&db.url, EMBEDDED.role, password(), EMBEDDED.schema);
    let config = BusConfig::new(SERVICE, TransportConfig::Embedded(EmbeddedConfig::new(database)));
    Ok(Bus::connect(&config, SystemClock::shared()).await?)
}

/// Asks at a fixed rate, whether or not answers keep up.
async fn open_loop(asker: &Bus, rate: u32, run: Duration) -> anyhow::Result<Latencies> {
    let begin = Instant::now();
    let mut asked = Vec::new();
    for n in 0.. {
        let due = begin + Duration::from_secs(1) * n / rate;
        if due >= begin + run {
            break;
        }
        tokio::time::sleep_until(due).await;
        let asker = asker.clone();
        asked.push(tokio::spawn(async move {
            let echo = Echo::new(n.into());
            let reply = asker.request(n, &echo, WITHIN).await?;
            ensure!(reply == echo, "asked {n}, was answered {}", reply.n);
            Ok(due.elapsed())
        }));
    }
    let mut times = Vec::new();
    for answer in asked {
        times.push(answer.await.context("a caller ended early")??);
    }
    Ok(Latencies::from(times))
}
