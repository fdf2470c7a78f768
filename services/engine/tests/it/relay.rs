use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use ferrex_bus::{Bus, BusConfig, EMBEDDED, EmbeddedConfig, KafkaConfig, Router, TransportConfig};
use ferrex_contracts::Message as _;
use ferrex_contracts::engine::JournalCommitted;
use ferrex_engine::Config;
use ferrex_ids::CommandId;
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Kafka, TestDb, eventually};
use ferrex_time::SystemClock;
use futures::future::join_all;
use secrecy::SecretString;

use crate::support::*;

pub async fn embedded_bus(db: &TestDb) -> Bus {
    let password = SecretString::from("bus-test");
    provision(&db.admin_url, &EMBEDDED, &password).await.unwrap();
    // Rights to the database itself are not part of the template; with the bus's they are no longer everybody's.
    prepare(db).await;
    let database = DbConfig::new(&db.url, EMBEDDED.role, password, EMBEDDED.schema);
    let config = BusConfig::new("engine", TransportConfig::Embedded(EmbeddedConfig::new(database)));
    Bus::connect(&config, SystemClock::shared()).await.unwrap()
}

/// What stands in the log of the bus, with the message ids.
async fn published(pool: &sqlx::PgPool) -> Vec<(String, JournalCommitted)> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        r#"SELECT headers, body FROM bus.record WHERE topic = 'engine.journal.v1' ORDER BY at, partition, "offset""#,
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(headers, body)| {
            let id = headers.split("msg_").nth(1).unwrap()[..26].to_owned();
            (id, serde_json::from_slice(&body).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_every_applied_command_is_told_once_or_more_and_under_one_id() {
    let db = database().await;
    let pool = look(&db).await;
    let bus = embedded_bus(&db).await;
    let (alice, bob) = (new_id(), new_id());
    let mut applied = Vec::new();

    // Without the bus first: what is committed meanwhile is told later.
    let silent = start(&db).await;
    for amount in 1..=5 {
        let command = deposit(alice, amount);
        assert!(submit(&silent.client, &command).await.is_applied());
        applied.push(command);
    }
    silent.stop().await;

    let telling = start_with(&db, Config::default(), Some(bus.clone())).await;
    assert!(
        !submit(&telling.client, &transfer(alice, bob, 1_000))
            .await
            .is_applied()
    );
    for amount in 1..=5 {
        let command = transfer(alice, bob, amount);
        assert!(submit(&telling.client, &command).await.is_applied());
        applied.push(command);
    }
    let all_told = || async {
        let cursor: i64 = sqlx::query_scalar("SELECT journal_id FROM engine.relay")
            .fetch_one(&pool)
            .await
            .unwrap();
        (cursor == 11).then_some(()).ok_or(cursor)
    };
    eventually(SOON, all_told).await;
    telling.stop().await;

    // Told again from the start, as after a crash between publishing and storing the cursor.
    let before = published(&pool).await;
    assert_eq!(before.len(), 10);
    sqlx::raw_sql("UPDATE engine.relay SET journal_id = 0")
        .execute(&pool)
        .await
        .unwrap();
    let again = start_with(&db, Config::default(), Some(bus)).await;
    eventually(SOON, all_told).await;
    finish(again, &db).await;

    let after = published(&pool).await;
    assert_eq!(after.len(), 20);
    let by_id: HashMap<_, _> = after.iter().cloned().collect();
    assert_eq!(by_id.len(), 10, "a repetition has the same id");
    for command in &applied {
        let event = after
            .iter()
            .map(|(_, event)| event)
            .find(|event| event.command == command.id)
            .unwrap();
        assert_eq!(
            (event.reference, event.reason),
            (command.reference, command.reason.code())
        );
        assert_eq!(event.entries.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_batches_that_wait_together_are_told_in_the_order_of_the_journal() {
    let db = database().await;
    let pool = look(&db).await;
    let bus = embedded_bus(&db).await;
    // Small batches, so that many more of them are committed than the relay's queue holds while it publishes.
    let config = Config {
        batch_max: 2,
        ..Config::default()
    };
    let engine = start_with(&db, config, Some(bus)).await;
    let alice = new_id();
    let commands: Vec<_> = (1..=3_000).map(|amount| deposit(alice, amount)).collect();
    let outcomes = join_all(
        commands
            .iter()
            .map(|command| engine.client.submit(command.clone())),
    );
    let mut sequences: Vec<u64> = outcomes
        .await
        .into_iter()
        .map(|outcome| outcome.unwrap().sequence())
        .collect();
    sequences.sort_unstable();
    eventually(SOON, || async {
        let cursor: i64 = sqlx::query_scalar("SELECT journal_id FROM engine.relay")
            .fetch_one(&pool)
            .await
            .unwrap();
        (cursor == 3_000).then_some(()).ok_or(cursor)
    })
    .await;
    finish(engine, &db).await;
    let told: Vec<(i32, i64)> = sqlx::query_as(
        r#"SELECT partition, (convert_from(body, 'UTF8')::jsonb ->> 'sequence')::bigint FROM bus.record
            WHERE topic = 'engine.journal.v1' ORDER BY partition, "offset""#,
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(told.is_sorted(), "a partition tells a later command first");
    let mut all: Vec<u64> = told
        .iter()
        .map(|(_, sequence)| sequence.cast_unsigned())
        .collect();
    all.sort_unstable();
    assert_eq!(all, sequences, "each command is told, and once");
}

/// A consumer that begins after the loss hears of every command.
#[tokio::test(flavor = "multi_thread")]
async fn f067_a_broker_that_lost_events_is_told_the_journal_again() {
    let db = database().await;
    let pool = look(&db).await;
    let kafka = Kafka::start().await;
    let config = BusConfig::new(
        "engine",
        TransportConfig::Kafka(KafkaConfig::new(kafka.brokers())),
    );
    let bus = Bus::connect(&config, SystemClock::shared()).await.unwrap();
    let engine = start_with(&db, Config::default(), Some(bus.clone())).await;
    let alice = new_id();
    let mut applied = BTreeSet::new();
    for amount in 1..=10 {
        let command = deposit(alice, amount);
        assert!(submit(&engine.client, &command).await.is_applied());
        applied.insert(command.id);
    }
    eventually(SOON, || async {
        let cursor: i64 = sqlx::query_scalar("SELECT journal_id FROM engine.relay")
            .fetch_one(&pool)
            .await
            .unwrap();
        (cursor == 10).then_some(()).ok_or(cursor)
    })
    .await;

    kafka.stop().await;
    kafka.lose(JournalCommitted::TOPIC).await;
    kafka.start_again().await;
    let command = deposit(alice, 11);
    assert!(submit(&engine.client, &command).await.is_applied());
    applied.insert(command.id);

    let heard: Arc<Mutex<BTreeSet<CommandId>>> = Arc::default();
    let hearing = Arc::clone(&heard);
    let router = Router::new("listener").on_event::<JournalCommitted, _>(move |_, event, _| {
        hearing.lock().unwrap().insert(event.command);
        Box::pin(async { Ok(()) })
    });
    let (own, shutdown) = (Db::connect(&login(&db)).await.unwrap(), CancellationToken::new());
    let stopped = shutdown.clone();
    let listening = tokio::spawn(async move { ferrex_bus::serve(&bus, &own, router, stopped).await });
    eventually(SOON, || async {
        let heard = heard.lock().unwrap();
        (*heard == applied).then_some(()).ok_or(heard.len())
    })
    .await;
    shutdown.cancel();
    listening.await.unwrap().unwrap();
    finish(engine, &db).await;
}
