//! An outbox that is full. Here the relay of every service empties it; the peer does what people write: select the oldest row
//! that is not marked, send it, wait for the receipt, mark it, commit.

use std::time::{Duration, Instant};

use anyhow::ensure;
use ferrex_bus::{Bus, outbox};
use ferrex_postgres::{Db, provision};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Kafka, Postgres, TestDb};
use rdkafka::producer::{FutureProducer, FutureRecord};
use sqlx::{Connection as _, PgConnection};

use super::super::backlog::{RUN, WARM_UP};
use super::super::readback::{self, Topic};
use super::super::{SCHEMA, kafka_bus, password, service_db};
use crate::cpu::Meter;
use crate::pairs::{Limit, Run, compare};

const PAIRS: usize = 5;
const MESSAGES: i64 = 200_000;
/// More than one at a time can be taken while the run lasts.
const PEER_MESSAGES: i64 = 100_000;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the outbox may take before the run counts as wrong.
const WITHIN: Duration = Duration::from_mins(5);

/// Runs the comparison.
pub async fn run() -> anyhow::Result<()> {
    let (kafka, postgres) = (Kafka::start().await, Postgres::for_load().await);
    let bench = Bench::start(&kafka, &postgres).await?;
    compare(
        "relay from the outbox",
        PAIRS,
        Limit::Disk,
        async || bench.ours(&kafka).await,
        async || bench.peer(&kafka).await,
    )
    .await?;
    bench.bus.close().await;
    Ok(())
}

struct Bench {
    db: TestDb,
    service: Db,
    bus: Bus,
    producer: FutureProducer,
}

impl Bench {
    async fn start(kafka: &Kafka, postgres: &Postgres) -> anyhow::Result<Self> {
        let db = postgres.fresh_database().await;
        provision(&db.admin_url, &SCHEMA, &password()).await?;
        let mut superuser = PgConnection::connect(&db.superuser_url).await?;
        sqlx::raw_sql(
            "CREATE TABLE marked (LIKE bench.outbox INCLUDING ALL);
             ALTER TABLE marked ADD published_at timestamptz;
             CREATE INDEX ON marked (seq) WHERE published_at IS NULL",
        )
        .execute(&mut superuser)
        .await?;
        Ok(Self {
            service: service_db(&db).await?,
            db,
            bus: kafka_bus(kafka).await?,
            producer: readback::config(&kafka.brokers())
                .set("enable.idempotence", "true")
                .set("acks", "all")
                .set("linger.ms", "0")
                .create()?,
        })
    }

    /// Empties a table and writes its messages, numbered from 0.
    async fn fill(&self, table: &'static str, topic: &str, count: i64) -> anyhow::Result<PgConnection> {
        let mut superuser = PgConnection::connect(&self.db.superuser_url).await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("TRUNCATE {table} RESTART IDENTITY")))
            .execute(&mut superuser)
            .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO {table} (id, topic, message_type, key, at, source, body)
             SELECT gen_random_uuid(), $1, 'bench.echo', n::text, now(), 'bench',
                    convert_to(json_build_object('n', n, 'text', repeat('x', 250))::text, 'UTF8')
               FROM generate_series(0, $2 - 1) n"
        )))
        .bind(topic)
        .bind(count)
        .execute(&mut superuser)
        .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM ANALYZE {table}")))
            .execute(&mut superuser)
            .await?;
        sqlx::query("CHECKPOINT").execute(&mut superuser).await?;
        Ok(superuser)
    }

    async fn ours(&self, kafka: &Kafka) -> anyhow::Result<Run> {
        let topic = Topic::fresh(kafka, "relayed").await?;
        let mut superuser = self.fill("bench.outbox", &topic.name, MESSAGES).await?;
        // Numbers and topics begin anew, and what went to the last topic is not to be published again.
        sqlx::raw_sql("TRUNCATE bench.published, bench.published_end")
            .execute(&mut superuser)
            .await?;
        let stop = CancellationToken::new();
        let (meter, begin) = (Meter::start()?, Instant::now());
        let relaying = tokio::spawn({
            let (db, bus, stop) = (self.service.clone(), self.bus.clone(), stop.clone());
            async move { outbox::relay(&db, &bus, stop).await }
        });
        loop {
            let left: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM bench.outbox)")
                .fetch_one(&mut superuser)
                .await?;
            if !left {
                break;
            }
            ensure!(begin.elapsed() < WITHIN, "the outbox is not emptied");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let (took, cpu) = (begin.elapsed(), meter.stop()?);
        stop.cancel();
        relaying.await??;
        let count = u64::try_from(MESSAGES)?;
        topic.check(count, readback::number, true).await?;
        topic.remove().await?;
        Ok(Run {
            count,
            took,
            cpu,
            note: String::new(),
        })
    }

    async fn peer(&self, kafka: &Kafka) -> anyhow::Result<Run> {
        let topic = Topic::fresh(kafka, "relayed").await?;
        let mut connection = self.fill("marked", &topic.name, PEER_MESSAGES).await?;
        let begin = Instant::now() + WARM_UP;
        let (mut all, mut meter) = (0, None);
        let mut before = 0;
        let end = begin + RUN;
        while Instant::now() < end {
            if meter.is_none() && Instant::now() >= begin {
                (meter, before) = (Some((Meter::start()?, Instant::now())), all);
            }
            self.next(&mut connection).await?;
            all += 1;
        }
        let (meter, began) = meter.ok_or_else(|| anyhow::anyhow!("a message took longer than the run"))?;
        let (took, cpu) = (began.elapsed(), meter.stop()?);
        topic.check(all, readback::number, true).await?;
        topic.remove().await?;
        Ok(Run {
            count: all - before,
            took,
            cpu,
            note: String::new(),
        })
    }

    /// What the peer does for one message.
    async fn next(&self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let mut tx = connection.begin().await?;
        let (seq, topic, key, body): (i64, String, String, Vec<u8>) = sqlx::query_as(
            "SELECT seq, topic, key, body FROM marked WHERE published_at IS NULL
              ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        .fetch_one(&mut *tx)
        .await?;
        let record = FutureRecord::to(&topic).key(&key).payload(&body);
        self.producer
            .send(record, WITHIN)
            .await
            .map_err(|(error, _)| anyhow::Error::from(error))?;
        sqlx::query("UPDATE marked SET published_at = now() WHERE seq = $1")
            .bind(seq)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
