use std::collections::HashSet;

use ferrex_engine::Config;
use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Command, Outcome, Refusal};
use ferrex_ids::HoldId;
use ferrex_testkit::{Postgres, Proxy, TestDb, eventually};
use futures::future::join_all;
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::support::*;

async fn refusal(client: &EngineClient, command: &Command) -> Refusal {
    match submit(client, command).await {
        Outcome::Refused { refusal, .. } => refusal,
        Outcome::Applied { .. } => panic!("it was applied"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_a_commit_and_each_has_its_own_outcome() {
    let db = database().await;
    let engine = start(&db).await;
    let users: Vec<_> = (0..16).map(|_| new_id()).collect();
    for user in &users {
        submit(&engine.client, &deposit(*user, 1_000)).await;
    }
    let commands: Vec<_> = (0..2_000)
        .flat_map(|n| {
            // Every tenth takes more than there is, every twentieth comes twice.
            let amount = if n % 10 == 0 { 1_000_000 } else { 1 };
            let command = transfer(users[n % 16], users[(n + 1) % 16], amount);
            let times = if n % 20 == 0 { 2 } else { 1 };
            std::iter::repeat_n(command, times)
        })
        .collect();
    let outcomes = join_all(
        commands
            .iter()
            .map(|command| engine.client.submit(command.clone())),
    )
    .await;
    let mut sequences = HashSet::new();
    let mut seen = std::collections::HashMap::new();
    for (place, (command, outcome)) in commands.iter().zip(&outcomes).enumerate() {
        let outcome = outcome
            .as_ref()
            .unwrap_or_else(|unknown| panic!("{place}: {unknown}"));
        let again = seen.insert(command.id, *outcome).is_some_and(|first| {
            assert_eq!(first, *outcome);
            true
        });
        assert!(
            again || sequences.insert(outcome.sequence()),
            "{outcome:?} was given twice"
        );
    }
    let refused = outcomes
        .iter()
        .flatten()
        .filter(|outcome| !outcome.is_applied())
        .count();
    assert_eq!(refused, 300);
    let pool = look(&db).await;
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM engine.journal")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(stored, 16 + 2_000);
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_stored_and_a_refusal_is_remembered() {
    let db = database().await;
    let engine = start(&db).await;
    let (alice, bob) = (new_id(), new_id());
    let early = transfer(alice, bob, 5);
    assert_eq!(
        refusal(&engine.client, &early).await,
        Refusal::InsufficientAvailable
    );
    assert!(
        submit(&engine.client, &deposit(alice, u128::MAX))
            .await
            .is_applied()
    );
    assert_eq!(
        refusal(&engine.client, &early).await,
        Refusal::InsufficientAvailable
    );
    assert_eq!(
        refusal(&engine.client, &deposit(alice, 1)).await,
        Refusal::BalanceOverflow
    );
    let mut other_body = early.clone();
    other_body.reference = new_id();
    assert_eq!(refusal(&engine.client, &other_body).await, Refusal::IdReused);
    let hold = HoldId::from_uuid(new_id());
    assert!(
        submit(&engine.client, &reserve(hold, alice, 40))
            .await
            .is_applied()
    );
    assert_eq!(wallet(&engine.client, alice).await, (u128::MAX, 40));
    assert!(submit(&engine.client, &post(hold, 30)).await.is_applied());
    assert_eq!(wallet(&engine.client, alice).await, (u128::MAX - 30, 0));
    assert_eq!(refusal(&engine.client, &void(hold)).await, Refusal::HoldClosed);
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i29_a_balance_carries_the_row_it_rests_on_and_that_row_is_stored() {
    let db = database().await;
    let engine = start(&db).await;
    let pool = look(&db).await;
    let user = new_id();
    let owner = ferrex_ledger::Owner::User(user);
    for round in 1..=20u64 {
        let command = deposit(user, 1);
        let client = engine.client.clone();
        let deposited = tokio::spawn(async move { submit(&client, &command).await });
        let balances = eventually(SOON, || engine.client.balances(owner)).await;
        let end: i64 = sqlx::query_scalar("SELECT last_id FROM engine.head")
            .fetch_one(&pool)
            .await
            .unwrap();
        for balance in balances {
            assert!(balance.sequence <= u64::try_from(end).unwrap());
            assert_eq!(
                balance.total.units(),
                u128::from(balance.sequence),
                "round {round}"
            );
        }
        deposited.await.unwrap();
    }
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f074_a_reply_lost_after_commit_is_unknown_and_the_same_id_has_the_first_outcome() {
    let db = database().await;
    let proxy = Proxy::start(db.port).await;
    let engine = start(&db.via(proxy.port())).await;
    let (alice, bob) = (new_id(), new_id());
    submit(&engine.client, &deposit(alice, 100)).await;
    let command = transfer(alice, bob, 60);
    // The id stands in the statement's arrays as its 16 bytes.
    proxy.drop_reply_to(command.id.uuid().as_bytes(), 1);
    let unknown = engine.client.submit(command.clone()).await.unwrap_err();
    assert_eq!(proxy.dropped(), 1, "{unknown}");
    let pool = look(&db).await;
    let row: i64 = sqlx::query_scalar("SELECT id FROM engine.journal WHERE command = $1")
        .bind(command.id.uuid())
        .fetch_one(&pool)
        .await
        .unwrap();
    let outcome = submit(&engine.client, &command).await;
    assert_eq!(
        outcome,
        Outcome::Applied {
            sequence: u64::try_from(row).unwrap()
        }
    );
    assert_eq!(wallet(&engine.client, bob).await, (60, 0));
    finish(engine, &db).await;
}

/// So that an owner takes what comes while its commits wait: no projection wants all to be stored before, and its lease, whose
/// renewals are commits as well, does not run out.
fn unsettled() -> Config {
    Config {
        projection_ms: 120_000,
        lease_ms: 120_000,
        ..Config::default()
    }
}

/// The session whose batch waits for something of this type.
async fn waiting_batch(pool: &PgPool, wait_event_type: &str) -> i32 {
    let waiting = "SELECT pid FROM pg_stat_activity
                    WHERE query LIKE 'SELECT append(%' AND state = 'active' AND wait_event_type = $1";
    eventually(SOON, async || {
        let found = sqlx::query_scalar(waiting).bind(wait_event_type);
        found.fetch_optional(pool).await.unwrap()
    })
    .await
}

/// Waits until the batch behind that of session `first` has been answered.
async fn answered_before(pool: &PgPool, first: i32) {
    let answered = "SELECT count(*) = 1 FROM pg_stat_activity AS next JOIN pg_stat_activity AS first ON first.pid = $1
                     WHERE next.query LIKE 'SELECT append(%' AND next.state = 'idle' AND next.query_start > first.query_start";
    eventually(SOON, async || {
        let answered = sqlx::query_scalar::<_, bool>(answered).bind(first);
        answered.fetch_one(pool).await.unwrap()
    })
    .await;
}

/// Alice gets 100 and gives Bob 60, and once that waits, Bob gives it back in four parts, so many that they are worth a batch of
/// their own; whether he has it rests on the first. When the second batch was answered, `go_on` lets the first go on. All is applied, in order, by the
/// owner that began it.
async fn batches_in_line(db: &TestDb, engine: &Running, wait_event_type: &str, go_on: impl AsyncFnOnce()) {
    let pool = look(db).await;
    let epoch = "SELECT epoch FROM engine.head";
    let began: i64 = sqlx::query_scalar(epoch).fetch_one(&pool).await.unwrap();
    let (alice, bob) = (new_id(), new_id());
    let there = transfer(alice, bob, 60);
    let back: Vec<_> = (0..4).map(|_| transfer(bob, alice, 15)).collect();
    let (client, other) = (engine.client.clone(), engine.client.clone());
    let first = tokio::spawn(async move {
        let both = [deposit(alice, 100), there];
        join_all(both.iter().map(|command| submit(&client, command))).await
    });
    let waits = waiting_batch(&pool, wait_event_type).await;
    let second =
        tokio::spawn(async move { join_all(back.iter().map(|command| submit(&other, command))).await });
    answered_before(&pool, waits).await;
    assert!(!first.is_finished() && !second.is_finished());
    go_on().await;
    let mut before = 0;
    for outcome in first.await.unwrap().into_iter().chain(second.await.unwrap()) {
        assert!(outcome.is_applied() && outcome.sequence() > before, "{outcome:?}");
        before = outcome.sequence();
    }
    assert_eq!(wallet(&engine.client, alice).await, (100, 0));
    let ended: i64 = sqlx::query_scalar(epoch).fetch_one(&pool).await.unwrap();
    assert_eq!(ended, began, "the owner began again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_overtakes_the_one_before_it_is_written_after_it() {
    let db = database().await;
    let engine = start_with(&db, unsettled(), None).await;
    submit(&engine.client, &deposit(new_id(), 100)).await;
    // Somebody writes the account that the next newcomer would get, and has not decided whether to keep it.
    let mut other = PgConnection::connect(&db.superuser_url).await.unwrap();
    sqlx::raw_sql(
        "BEGIN;
         INSERT INTO engine.account (shard, id, owner, purpose, asset)
         SELECT shard, max(id) + 1, gen_random_uuid(), 0, 0 FROM engine.account GROUP BY shard",
    )
    .execute(&mut other)
    .await
    .unwrap();
    let keep_nothing = async || {
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    };
    batches_in_line(&db, &engine, "Lock", keep_nothing).await;
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_behind_a_commit_that_takes_longer_than_locks_are_waited_for_is_written_after_it() {
    let postgres = Postgres::start().await;
    let db = postgres.fresh_database().await;
    prepare(&db).await;
    let engine = start_with(&db, unsettled(), None).await;
    submit(&engine.client, &deposit(new_id(), 100)).await;
    let pool = look(&db).await;
    // Commits wait for a replica that is not there.
    let replica = async |name: &'static str| {
        for statement in [name, "SELECT pg_reload_conf()"] {
            sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        }
    };
    replica("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    // Whoever connects from when on the server knows of it comes after all others were told.
    eventually(SOON, async || {
        let mut fresh = PgConnection::connect(&db.superuser_url).await.unwrap();
        let name = sqlx::query_scalar::<_, String>("SHOW synchronous_standby_names");
        name.fetch_one(&mut fresh).await.unwrap() == "nobody"
    })
    .await;
    let let_them_go = async || replica("ALTER SYSTEM RESET synchronous_standby_names").await;
    batches_in_line(&db, &engine, "IPC", let_them_go).await;
    finish(engine, &db).await;
}
