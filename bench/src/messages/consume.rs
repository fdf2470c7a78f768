//! Events that are handled by doing nothing: what it costs to receive one, beside NestJS's `@EventPattern`.
//!
//! Neither side remembers what it handled: ours is handled by the batch in a transaction, as by a read model that knows how far
//! it has come, and its position follows; the peer's handler counts, and its position follows. Both count by number, and every
//! number must come once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use ferrex_bus::{Bus, Outgoing, Router, serve};
use ferrex_ids::MessageId;
use ferrex_postgres::{Db, provision};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Kafka, Postgres, TestDb};
use ferrex_time::{Clock as _, SystemClock};
use sqlx::{Connection as _, PgConnection};

use super::backlog::{Backlog, RUN, Seen, WARM_UP, observe};
use super::nest::Nest;
use super::{Ignored, SCHEMA, SERVICE, kafka_bus, password, service_db};
use crate::pairs::{Limit, Run, compare};

const PAIRS: usize = 5;
/// Messages handed over at once when a backlog is written.
const CHUNK: u64 = 5_000;

/// Runs the comparison.
pub async fn run() -> anyhow::Result<()> {
    let (kafka, postgres) = (Kafka::start().await, Postgres::for_load().await);
    let nest = Nest::build(kafka.brokers())?;
    let ours = Ours::start(&kafka, &postgres).await?;
    let (our_backlog, peer_backlog) = (Backlog::new(400_000), Backlog::new(100_000));
    compare(
        "consume, an empty handler",
        PAIRS,
        Limit::Loopback,
        async || {
            our_backlog
                .run(async |count| ours.attempt(&kafka, count).await)
                .await
        },
        async || {
            peer_backlog
                .run(async |count| peer(&nest, &ours.publisher, count).await)
                .await
        },
    )
    .await?;
    ours.publisher.close().await;
    Ok(())
}

struct Ours {
    db: TestDb,
    service: Db,
    publisher: Bus,
}

/// What the handler saw, by number.
struct Handled {
    seen: Vec<AtomicBool>,
    count: AtomicU64,
}

impl Ours {
    async fn start(kafka: &Kafka, postgres: &Postgres) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        provision(&db.admin_url, &SCHEMA, &password()).await?;
        Ok(Self {
            service: service_db(&db).await?,
            db,
            publisher: kafka_bus(kafka).await?,
        })
    }

    async fn publish(&self, count: u64) -> anyhow::Result<()> {
        for first in (0..count).step_by(usize::try_from(CHUNK)?) {
            let chunk = (first..count.min(first + CHUNK)).map(|n| {
                let id = MessageId::new_at(SystemClock.unix_ms());
                Outgoing::event(SERVICE, id, n, SystemClock.now(), &Ignored { id: id.uuid(), n })
            });
            self.publisher.publish(chunk.collect()).await?;
        }
        Ok(())
    }

    async fn attempt(&self, kafka: &Kafka, count: u64) -> anyhow::Result<Seen> {
        self.publish(count).await?;
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut superuser).await?;
        let handled = Arc::new(Handled {
            seen: (0..count).map(|_| AtomicBool::new(false)).collect(),
            count: AtomicU64::new(0),
        });
        let (bus, stop) = (kafka_bus(kafka).await?, CancellationToken::new());
        let serving = tokio::spawn({
            let (bus, db, stop) = (bus.clone(), self.service.clone(), stop.clone());
            let router = router(Arc::clone(&handled));
            async move { serve(&bus, &db, router, stop).await }
        });
        let seen = observe(async || Ok(handled.count.load(Ordering::Relaxed)), count).await;
        stop.cancel();
        serving.await.context("the service ended early")??;
        bus.close().await;
        let seen = seen?;
        let (calls, missing) = (
            handled.count.load(Ordering::Relaxed),
            handled
                .seen
                .iter()
                .filter(|seen| !seen.load(Ordering::Relaxed))
                .count(),
        );
        let (remembered, parked): (i64, i64) =
            sqlx::query_as("SELECT (SELECT count(*) FROM bench.inbox), (SELECT count(*) FROM bench.parked)")
                .fetch_one(&mut superuser)
                .await?;
        ensure!(
            (calls, missing, remembered, parked) == (count, 0, 0, 0),
            "of {count} events {calls} were handled, {missing} never, {remembered} are remembered, {parked} parked"
        );
        Ok(seen)
    }
}

fn router(handled: Arc<Handled>) -> Router {
    let router = Router::new(SERVICE).on_event_batch::<Ignored, _>(move |_, events, _| {
        for event in &events {
            if let Some(seen) = usize::try_from(event.n).ok().and_then(|n| handled.seen.get(n)) {
                seen.store(true, Ordering::Relaxed);
            }
        }
        handled.count.fetch_add(events.len() as u64, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    });
    router.without_inbox::<Ignored>()
}

/// One run of the peer, which counts by itself.
async fn peer(nest: &Nest, topics: &Bus, count: u64) -> anyhow::Result<Seen> {
    /// What the handling side reports.
    #[derive(serde::Deserialize)]
    struct Consumed {
        /// Within the run.
        count: u64,
        run_ms: f64,
        /// In all, the backlog's last included.
        handled: u64,
        distinct: u64,
        all_ms: f64,
        /// Whether messages were left when the run ended.
        lasted: bool,
    }
    // A topic and a group of its own for each run: kafkajs commits late, and would handle the last run's again.
    let name = format!("bench.ignored.{}", rand::random::<u32>());
    topics.ensure_topics(&[&name]).await?;
    let environment = [
        ("COUNT", count.to_string()),
        ("EFFECT_TOPIC", name.clone()),
        ("GROUP", name.clone()),
    ];
    nest.emit(&environment)?;
    let (consumed, cpu) = nest
        .client::<Consumed>("consume", WARM_UP, RUN, &environment)
        .await?;
    ensure!(
        (consumed.handled, consumed.distinct) == (count, count),
        "of {count} events the peer handled {}, {} of them different",
        consumed.handled,
        consumed.distinct
    );
    let time = |ms: f64| std::time::Duration::from_secs_f64(ms / 1e3);
    Ok(Seen {
        run: consumed.lasted.then(|| Run {
            count: consumed.count,
            took: time(consumed.run_ms),
            cpu,
            note: String::new(),
        }),
        all: time(consumed.all_ms),
    })
}
