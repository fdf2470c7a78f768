//! Events handled with one durable effect each: inbox row and effect row here, beside NestJS with one effect row.
//!
//! A backlog is written first, by each side's own producer. Then the consumer starts, and what it commits between the end
//! of its warm-up and the end of the run is counted, while the backlog lasts.

use anyhow::{Context as _, ensure};
use ferrex_bus::{Bus, Outgoing, Router, serve};
use ferrex_contracts::Message;
use ferrex_fault::{Fault, Kind};
use ferrex_ids::MessageId;
use ferrex_postgres::{Db, provision};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Kafka, Postgres, TestDb};
use ferrex_time::{Clock as _, SystemClock};
use sqlx::{Connection as _, PgConnection};

use super::backlog::{Backlog, Seen, observe};
use super::nest::Nest;
use super::{Batched, SCHEMA, SERVICE, Single, kafka_bus, password, service_db};
use crate::pairs::{Limit, compare};

const PAIRS: usize = 5;
/// Messages handed over at once when a backlog is written.
const CHUNK: u64 = 5_000;

/// How this side handles events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// [`Router::on_event`]: a transaction each, eight at once.
    Single,
    /// [`Router::on_event_batch`]: a transaction for what has gathered in a partition.
    Batched,
}

/// Runs the comparison with a transaction for each event.
pub async fn run_alone() -> anyhow::Result<()> {
    run(&[("events, each alone", Mode::Single, 1)]).await
}

/// Runs the comparisons with a transaction for many events: beside the peer as it comes, and beside one told to handle all
/// partitions at once.
pub async fn run_batched() -> anyhow::Result<()> {
    run(&[
        ("events, by the batch", Mode::Batched, 1),
        (
            "events, by the batch, the peer handling four partitions at once",
            Mode::Batched,
            4,
        ),
    ])
    .await
}

async fn run(comparisons: &[(&str, Mode, u32)]) -> anyhow::Result<()> {
    let (kafka, postgres) = (Kafka::start().await, Postgres::for_load().await);
    let nest = Nest::build(kafka.brokers())?;
    let ours = Ours::start(&kafka, &postgres).await?;
    for (name, mode, partitions_at_once) in comparisons {
        let peer = Peer::start(&nest, &postgres, *partitions_at_once).await?;
        let backlog = Backlog::new(if *mode == Mode::Single { 10_000 } else { 200_000 });
        compare(
            name,
            PAIRS,
            Limit::Disk,
            async || {
                backlog
                    .run(async |count| ours.attempt(&kafka, *mode, count).await)
                    .await
            },
            async || {
                peer.backlog
                    .run(async |count| peer.attempt(&ours.publisher, count).await)
                    .await
            },
        )
        .await?;
    }
    ours.publisher.close().await;
    Ok(())
}

struct Ours {
    db: TestDb,
    service: Db,
    publisher: Bus,
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

    async fn publish<M: Message>(
        &self,
        count: u64,
        message: impl Fn(MessageId, i64) -> M,
    ) -> anyhow::Result<()> {
        for first in (0..count).step_by(usize::try_from(CHUNK)?) {
            let mut chunk = Vec::new();
            for n in first..count.min(first + CHUNK) {
                let id = MessageId::new_at(SystemClock.unix_ms());
                let event = message(id, i64::try_from(n)?);
                chunk.push(Outgoing::event(SERVICE, id, n, SystemClock.now(), &event));
            }
            self.publisher.publish(chunk).await?;
        }
        Ok(())
    }

    async fn attempt(&self, kafka: &Kafka, mode: Mode, count: u64) -> anyhow::Result<Seen> {
        match mode {
            Mode::Single => self.publish(count, |id, n| Single { id: id.uuid(), n }).await?,
            Mode::Batched => self.publish(count, |id, n| Batched { id: id.uuid(), n }).await?,
        }
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("TRUNCATE bench.effect, bench.inbox; CHECKPOINT")
            .execute(&mut superuser)
            .await?;
        let (bus, stop) = (kafka_bus(kafka).await?, CancellationToken::new());
        let serving = tokio::spawn({
            let (bus, db, router, stop) = (bus.clone(), self.service.clone(), router(mode), stop.clone());
            async move { serve(&bus, &db, router, stop).await }
        });
        let seen = observe_effects(&mut superuser, "SELECT count(*) FROM bench.effect", count).await;
        stop.cancel();
        serving.await.context("the service ended early")??;
        bus.close().await;
        let seen = seen?;
        check(&mut superuser, "bench.effect", count).await?;
        let (remembered, parked): (i64, i64) =
            sqlx::query_as("SELECT (SELECT count(*) FROM bench.inbox), (SELECT count(*) FROM bench.parked)")
                .fetch_one(&mut superuser)
                .await?;
        ensure!(
            (u64::try_from(remembered)?, parked) == (count, 0),
            "{remembered} remembered, {parked} parked"
        );
        Ok(seen)
    }
}

fn router(mode: Mode) -> Router {
    let router = Router::new(SERVICE);
    match mode {
        Mode::Single => router.on_event::<Single, _>(|_, event, tx| {
            Box::pin(async move {
                let insert = sqlx::query("INSERT INTO effect (id, n) VALUES ($1, $2)")
                    .bind(event.id)
                    .bind(event.n);
                insert
                    .execute(&mut **tx)
                    .await
                    .map(drop)
                    .map_err(|error| fault(&error))
            })
        }),
        Mode::Batched => router.on_event_batch::<Batched, _>(|_, events, tx| {
            Box::pin(async move {
                let ids: Vec<_> = events.iter().map(|event| event.id).collect();
                let numbers: Vec<_> = events.iter().map(|event| event.n).collect();
                let insert =
                    sqlx::query("INSERT INTO effect (id, n) SELECT * FROM unnest($1::uuid[], $2::bigint[])");
                insert
                    .bind(ids)
                    .bind(numbers)
                    .execute(&mut **tx)
                    .await
                    .map(drop)
                    .map_err(|error| fault(&error))
            })
        }),
    }
}

fn fault(error: &sqlx::Error) -> Fault {
    Fault::new(Kind::Internal, "bench.effect", error.to_string())
}

struct Peer<'a> {
    nest: &'a Nest,
    db: TestDb,
    partitions_at_once: u32,
    backlog: Backlog,
}

impl<'a> Peer<'a> {
    async fn start(nest: &'a Nest, postgres: &Postgres, partitions_at_once: u32) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        let mut connection = PgConnection::connect(&db.superuser_url).await?;
        sqlx::raw_sql("CREATE TABLE effect (id uuid PRIMARY KEY, n bigint NOT NULL)")
            .execute(&mut connection)
            .await?;
        Ok(Self {
            nest,
            db,
            partitions_at_once,
            backlog: Backlog::new(5_000),
        })
    }

    async fn attempt(&self, topics: &Bus, count: u64) -> anyhow::Result<Seen> {
        // A topic and a group of its own for each run: kafkajs commits late, and would handle the last run's again.
        let name = format!("bench.effect.{}", rand::random::<u32>());
        topics.ensure_topics(&[&name]).await?;
        let environment = [
            ("COUNT", count.to_string()),
            ("EFFECT_TOPIC", name.clone()),
            ("GROUP", name.clone()),
            ("DATABASE_URL", self.db.superuser_url.clone()),
            ("PARTITIONS_AT_ONCE", self.partitions_at_once.to_string()),
        ];
        self.nest.emit(&environment)?;
        let mut connection = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::raw_sql("TRUNCATE effect; CHECKPOINT")
            .execute(&mut connection)
            .await?;
        let server = self.nest.server(&environment).await?;
        let seen = observe_effects(&mut connection, "SELECT count(*) FROM effect", count).await;
        server.stop().await?;
        check(&mut connection, "effect", count).await?;
        seen
    }
}

/// Counts effects until all are there.
async fn observe_effects(
    connection: &mut PgConnection,
    sql: &'static str,
    expected: u64,
) -> anyhow::Result<Seen> {
    let count = async || {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut *connection).await?;
        Ok(u64::try_from(count)?)
    };
    observe(count, expected).await
}

/// Every event has taken effect exactly once.
async fn check(connection: &mut PgConnection, table: &'static str, expected: u64) -> anyhow::Result<()> {
    let sql =
        format!("SELECT count(*), count(DISTINCT n), coalesce(min(n), 0), coalesce(max(n), -1) FROM {table}");
    let (rows, numbers, least, most): (i64, i64, i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?;
    let expected = i64::try_from(expected)?;
    ensure!(
        (rows, numbers, least, most) == (expected, expected, 0, expected - 1),
        "{expected} events had {rows} effects of {numbers} events from {least} to {most}"
    );
    Ok(())
}
