//! What more replicas bring: events whose handler waits 2 ms and then writes a row, with four replicas of which one goes and
//! another comes every ten seconds, beside one replica that is left alone.
//!
//! The replicas are members of the group like any others, each with a bus, a pool and a Kafka client of its own, in this
//! process. Four are handled at once in each. Every run ends with all of it handled: once, and in the order of each key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ferrex_bus::{Bus, BusConfig, KafkaConfig, Outgoing, Router, TransportConfig, serve};
use ferrex_contracts::Message as _;
use ferrex_fault::{Fault, Kind};
use ferrex_ids::MessageId;
use ferrex_postgres::provision;
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Kafka, Postgres, TestDb};
use ferrex_time::{Clock as _, SystemClock};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinHandle;

use super::{SCHEMA, SERVICE, Slow, password, service_db};
use crate::cpu::Meter;
use crate::pairs::{Limit, Run, compare};

const PAIRS: usize = 3;
const WAIT: Duration = Duration::from_millis(2);
const AT_ONCE: usize = 4;
const PARTITIONS: i32 = 12;
const KEYS: u64 = 600;
/// Published ahead of what is handled; less than this is never left while a run lasts.
const AHEAD: u64 = 20_000;
const CHUNK: u64 = 2_000;
const EXCHANGE_EVERY: Duration = Duration::from_secs(10);
/// How long the run of one replica takes, and that of four.
const ALONE: Duration = Duration::from_secs(15);
const EXCHANGED: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long anything else may take before the run counts as wrong.
const WITHIN: Duration = Duration::from_mins(2);

/// Runs the comparison.
pub async fn run() -> anyhow::Result<()> {
    let service = Service::start().await?;
    compare(
        "scaling, four replicas that come and go beside one",
        PAIRS,
        Limit::Disk,
        async || service.run(4, EXCHANGED).await,
        async || service.run(1, ALONE).await,
    )
    .await?;
    service.publisher.close().await;
    Ok(())
}

struct Service {
    kafka: Kafka,
    db: TestDb,
    publisher: Bus,
    _postgres: Postgres,
}

/// One member of the group.
struct Replica {
    handled: Arc<AtomicU64>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Replica {
    async fn leave(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await.context("a replica ended early")?
    }

    /// Ends it in the middle of whatever it does.
    async fn die(self) -> anyhow::Result<()> {
        self.task.abort();
        match self.task.await {
            Err(error) if error.is_cancelled() => Ok(()),
            ended => anyhow::bail!("a replica ended early: {ended:?}"),
        }
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let since = Instant::now();
    while !done().await? {
        ensure!(since.elapsed() < WITHIN, "still not: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn bus(kafka: &Kafka) -> anyhow::Result<Bus> {
    let own = KafkaConfig::new(kafka.brokers());
    let config = BusConfig {
        partitions: PARTITIONS,
        ..BusConfig::new(SERVICE, TransportConfig::Kafka(own))
    };
    Ok(Bus::connect(&config, SystemClock::shared()).await?)
}

impl Service {
    async fn start() -> anyhow::Result<Self> {
        let (kafka, postgres) = (Kafka::start().await, Postgres::for_load().await);
        let db = postgres.fresh_database().await;
        provision(&db.admin_url, &SCHEMA, &password()).await?;
        let publisher = bus(&kafka).await?;
        publisher.ensure_topics(&[Slow::TOPIC]).await?;
        Ok(Self {
            kafka,
            db,
            publisher,
            _postgres: postgres,
        })
    }

    async fn replica(&self) -> anyhow::Result<Replica> {
        let (bus, db) = (bus(&self.kafka).await?, service_db(&self.db).await?);
        let (handled, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let router = router(Arc::clone(&handled));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            serve(&bus, &db, router, stopped).await?;
            bus.close().await;
            Ok(())
        });
        Ok(Replica { handled, stop, task })
    }

    async fn run(&self, count: usize, time: Duration) -> anyhow::Result<Run> {
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("TRUNCATE bench.step, bench.inbox; CHECKPOINT")
            .execute(&mut superuser)
            .await?;
        let mut replicas = Vec::new();
        for _ in 0..count {
            replicas.push(self.replica().await?);
        }
        let enough = Arc::new(AtomicBool::new(false));
        let feeding = tokio::spawn(feed(
            self.publisher.clone(),
            PgConnection::connect(&self.db.superuser_url).await?,
            Arc::clone(&enough),
        ));
        until("each replica has its part", async || {
            let idle = |replica: &Replica| replica.handled.load(Ordering::Relaxed) == 0;
            Ok(!replicas.iter().any(idle))
        })
        .await?;
        let (begin, meter, at_begin) = (Instant::now(), Meter::start()?, steps(&mut superuser).await?);
        for turn in 1u32.. {
            let next = EXCHANGE_EVERY * turn;
            if count == 1 || next >= time {
                break;
            }
            tokio::time::sleep_until((begin + next).into()).await;
            let oldest = replicas.remove(0);
            if turn % 2 == 0 {
                oldest.die().await?;
            } else {
                oldest.leave().await?;
            }
            replicas.push(self.replica().await?);
        }
        tokio::time::sleep_until((begin + time).into()).await;
        let (took, cpu, at_end) = (begin.elapsed(), meter.stop()?, steps(&mut superuser).await?);
        enough.store(true, Ordering::Relaxed);
        let published = feeding.await.context("the publisher ended early")??;
        until("all is handled", async || {
            Ok(steps(&mut superuser).await? >= published)
        })
        .await?;
        for replica in replicas {
            replica.leave().await?;
        }
        check(&mut superuser, published).await?;
        Ok(Run {
            count: at_end - at_begin,
            took,
            cpu,
            note: String::new(),
        })
    }
}

fn router(handled: Arc<AtomicU64>) -> Router {
    Router::new(SERVICE)
        .at_once(AT_ONCE, 1)
        .on_event::<Slow, _>(move |_, event, tx| {
            let handled = Arc::clone(&handled);
            Box::pin(async move {
                tokio::time::sleep(WAIT).await;
                sqlx::query("INSERT INTO step (key, n) VALUES ($1, $2)")
                    .bind(event.key)
                    .bind(event.n)
                    .execute(&mut **tx)
                    .await
                    .map_err(|error| Fault::new(Kind::Internal, "bench.step", error.to_string()))?;
                handled.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        })
}

/// Keeps what waits above [`AHEAD`]; answers how many it published.
async fn feed(bus: Bus, mut connection: PgConnection, enough: Arc<AtomicBool>) -> anyhow::Result<u64> {
    let mut published = 0;
    while !enough.load(Ordering::Relaxed) {
        if published >= steps(&mut connection).await? + AHEAD {
            tokio::time::sleep(10 * LOOK_EVERY).await;
            continue;
        }
        let chunk = (published..published + CHUNK).map(|n| {
            let (id, key) = (MessageId::new_at(SystemClock.unix_ms()), n % KEYS);
            let (key, n) = (key.cast_signed(), n.cast_signed());
            Outgoing::event(SERVICE, id, key, SystemClock.now(), &Slow { key, n })
        });
        bus.publish(chunk.collect()).await?;
        published += CHUNK;
    }
    Ok(published)
}

async fn steps(connection: &mut PgConnection) -> anyhow::Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM bench.step")
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count)?)
}

/// Every event has taken effect once, and after those of its key that were published before it.
async fn check(connection: &mut PgConnection, published: u64) -> anyhow::Result<()> {
    let (rows, numbers, astray, parked): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT n), count(*) FILTER (WHERE n <= before),
                (SELECT count(*) FROM bench.parked)
           FROM (SELECT n, lag(n) OVER (PARTITION BY key ORDER BY seq) AS before FROM bench.step) s",
    )
    .fetch_one(connection)
    .await?;
    let expected = i64::try_from(published)?;
    ensure!(
        (rows, numbers, astray, parked) == (expected, expected, 0, 0),
        "{expected} events had {rows} effects of {numbers} events, {astray} out of order, {parked} parked"
    );
    Ok(())
}
