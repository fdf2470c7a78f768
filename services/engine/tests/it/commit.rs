use std::collections::HashSet;

use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Command, Outcome, Refusal};
use ferrex_ids::HoldId;
use ferrex_testkit::{Proxy, eventually};
use futures::future::join_all;
use sqlx::{Connection as _, PgConnection};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_overtakes_the_one_before_it_waits_and_is_written_after_it() {
    let db = database().await;
    let engine = start(&db).await;
    let (alice, bob) = (new_id(), new_id());
    submit(&engine.client, &deposit(alice, 100)).await;
    let pool = look(&db).await;
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
    let first = tokio::spawn({
        let (client, command) = (engine.client.clone(), transfer(alice, bob, 60));
        async move { submit(&client, &command).await }
    });
    let waits: i32 = eventually(SOON, async || {
        let waiting = "SELECT pid FROM pg_stat_activity
                        WHERE query LIKE 'SELECT append(%' AND state = 'active' AND wait_event_type = 'Lock'";
        sqlx::query_scalar(waiting).fetch_optional(&pool).await.unwrap()
    })
    .await;
    // Whether Bob has it rests on the first. They are two, so that they are worth a batch.
    let second = tokio::spawn({
        let (client, commands) = (
            engine.client.clone(),
            [transfer(bob, alice, 30), transfer(bob, alice, 30)],
        );
        async move { join_all(commands.iter().map(|command| submit(&client, command))).await }
    });
    eventually(SOON, async || {
        let answered = "SELECT count(*) = 1 FROM pg_stat_activity AS other JOIN pg_stat_activity AS waits ON waits.pid = $1
                         WHERE other.query LIKE 'SELECT append(%' AND other.state = 'idle' AND other.query_start > waits.query_start";
        sqlx::query_scalar::<_, bool>(answered).bind(waits).fetch_one(&pool).await.unwrap()
    })
    .await;
    assert!(!first.is_finished() && !second.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert!(first.is_applied(), "{first:?}");
    for outcome in second {
        assert!(
            outcome.is_applied() && outcome.sequence() > first.sequence(),
            "{outcome:?}"
        );
    }
    assert_eq!(wallet(&engine.client, alice).await, (100, 0));
    finish(engine, &db).await;
}
