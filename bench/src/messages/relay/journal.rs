//! The engine's journal, of which nothing has been told yet. Here an engine starts, takes the lease and tells the bus all of
//! it: rows read by the thousand, events made of them, receipts awaited, the cursor moved. The peer reads the same rows by
//! the same cursor, and does nothing with them.

use std::time::{Duration, Instant};

use anyhow::ensure;
use ferrex_bus::{Bus, BusConfig, KafkaConfig, TransportConfig};
use ferrex_contracts::Message as _;
use ferrex_contracts::engine::JournalCommitted;
use ferrex_engine::{Config, Dependencies, SCHEMA, Service};
use ferrex_engine_core::{Action, Command, Outcome, Reason, Step};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_testkit::{Kafka, Postgres, TestDb};
use ferrex_time::{Clock as _, SystemClock};
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::super::backlog::RUN;
use super::super::password;
use super::super::readback::Topic;
use crate::cpu::Meter;
use crate::pairs::{Limit, Run, compare};

const PAIRS: usize = 5;
/// Commands in the journal, a row each.
const COMMANDS: u64 = 400_000;
/// Commands that are asked at once while it is filled.
const AT_ONCE: u64 = 4_000;
/// People; the first commands give each something.
const PEOPLE: u64 = 1_000;
const ASSET: AssetId = AssetId(1);
/// Rows that the peer reads at once, as many as the relay does.
const PAGE: i64 = 5_000;
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long the relay may take before the run counts as wrong.
const WITHIN: Duration = Duration::from_mins(5);

/// Runs the comparison.
pub async fn run() -> anyhow::Result<()> {
    let (kafka, postgres) = (Kafka::start().await, Postgres::for_load().await);
    let db = postgres.fresh_database().await;
    provision(&db.admin_url, &SCHEMA, &password()).await?;
    fill(&db).await?;
    compare(
        "relay from the journal",
        PAIRS,
        Limit::None,
        async || ours(&kafka, &db).await,
        async || peer(&db).await,
    )
    .await?;
    Ok(())
}

async fn engine(db: &TestDb, bus: Option<Bus>) -> anyhow::Result<Service> {
    let config = DbConfig::new(&db.url, SCHEMA.role, password(), SCHEMA.schema);
    let dependencies = Dependencies {
        db: Db::connect(&config).await?,
        bus,
        clock: SystemClock::shared(),
        readiness: Readiness::new(),
    };
    Ok(ferrex_engine::build(Config::default(), dependencies).await?)
}

/// Writes the journal, by an engine without a bus.
async fn fill(db: &TestDb) -> anyhow::Result<()> {
    let service = engine(db, None).await?;
    let (client, stop) = (service.client(), CancellationToken::new());
    let serving = tokio::spawn(service.run(stop.clone()));
    for first in (0..COMMANDS).step_by(usize::try_from(AT_ONCE)?) {
        let commands = (first..COMMANDS.min(first + AT_ONCE)).map(|n| client.submit(command(n)));
        for outcome in futures::future::join_all(commands).await {
            let outcome = outcome?;
            ensure!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        }
    }
    stop.cancel();
    serving.await??;
    // What autovacuum does within minutes.
    let mut superuser = PgConnection::connect(&db.superuser_url).await?;
    sqlx::query("VACUUM ANALYZE engine.journal_batch")
        .execute(&mut superuser)
        .await?;
    Ok(())
}

fn user(n: u64) -> Account {
    Account::wallet(Uuid::from_u128(u128::from(n % PEOPLE) + 1))
}

/// One movement each: first a deposit for everybody, then transfers.
fn command(n: u64) -> Command {
    let id = CommandId::new_at(SystemClock.unix_ms());
    let (reason, debit, amount) = if n < PEOPLE {
        (
            Reason::Deposit,
            Account::house(Purpose::DepositAddresses),
            1_000_000_000,
        )
    } else {
        (Reason::Transfer, user(n), 1)
    };
    let credit = if n < PEOPLE { user(n) } else { user(n + 1) };
    let step = Step::Move {
        debit,
        credit,
        asset: ASSET,
        amount: Amount::new(amount),
    };
    Command {
        id,
        at: SystemClock.now(),
        reason,
        reference: id.uuid(),
        action: Action::Transfer(vec![step]),
    }
}

/// The rows of commands follow one another from 1.
fn number(body: &[u8]) -> anyhow::Result<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        sequence: u64,
    }
    Ok(serde_json::from_slice::<Numbered>(body)?.sequence - 1)
}

async fn ours(kafka: &Kafka, db: &TestDb) -> anyhow::Result<Run> {
    let own = KafkaConfig::new(kafka.brokers());
    let config = BusConfig::new(SCHEMA.schema, TransportConfig::Kafka(own));
    let bus = Bus::connect(&config, SystemClock::shared()).await?;
    bus.ensure_topics(&[JournalCommitted::TOPIC]).await?;
    let topic = Topic::from_here(kafka, JournalCommitted::TOPIC).await?;
    let mut superuser = PgConnection::connect(&db.superuser_url).await?;
    sqlx::raw_sql("UPDATE engine.relay SET journal_id = 0; CHECKPOINT")
        .execute(&mut superuser)
        .await?;
    let (service, stop) = (engine(db, Some(bus.clone())).await?, CancellationToken::new());
    let serving = tokio::spawn(service.run(stop.clone()));
    // The engine first reads its state; the run begins with the first page that was told.
    let first = reached(&mut superuser, 1).await?;
    let (meter, begin) = (Meter::start()?, Instant::now());
    let last = reached(&mut superuser, COMMANDS).await?;
    let (took, cpu) = (begin.elapsed(), meter.stop()?);
    stop.cancel();
    serving.await??;
    bus.close().await;
    ensure!(
        last == COMMANDS,
        "the journal has {last} rows instead of {COMMANDS}"
    );
    topic.check(COMMANDS, number, true).await?;
    Ok(Run {
        count: last - first,
        took,
        cpu,
        note: String::new(),
    })
}

/// Waits until the bus has been told so many rows; answers how many it has.
async fn reached(connection: &mut PgConnection, rows: u64) -> anyhow::Result<u64> {
    let since = Instant::now();
    loop {
        let told: i64 = sqlx::query_scalar("SELECT journal_id FROM engine.relay")
            .fetch_one(&mut *connection)
            .await?;
        let told = u64::try_from(told)?;
        if told >= rows {
            return Ok(told);
        }
        ensure!(since.elapsed() < WITHIN, "only {told} rows were told");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn peer(db: &TestDb) -> anyhow::Result<Run> {
    let mut connection = PgConnection::connect(&db.superuser_url).await?;
    sqlx::raw_sql("SET search_path = engine; CHECKPOINT")
        .execute(&mut connection)
        .await?;
    let (meter, begin) = (Meter::start()?, Instant::now());
    let mut count = 0;
    while begin.elapsed() < RUN {
        let mut cursor = 0;
        while cursor < i64::try_from(COMMANDS)? {
            let rows = page(&mut connection, cursor).await?;
            ensure!(rows.len() == usize::try_from(PAGE)?, "{} rows", rows.len());
            cursor += PAGE;
            count += rows.len() as u64;
        }
    }
    Ok(Run {
        count,
        took: begin.elapsed(),
        cpu: meter.stop()?,
        note: String::new(),
    })
}

/// Reads the rows as the relay does, and leaves them as they came. None of them is about an order, which would be read by a second query.
async fn page(connection: &mut PgConnection, after: i64) -> anyhow::Result<Vec<sqlx::postgres::PgRow>> {
    let rows = sqlx::query(
        "SELECT id, command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount, hold, expires_at
           FROM journal WHERE batch >= (SELECT batch_of($1 + 1)) AND batch <= $2 AND id > $1 AND id <= $2
          ORDER BY batch, id",
    )
    .bind(after)
    .bind(after + PAGE)
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
