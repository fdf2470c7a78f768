use std::time::Duration;

use ferrex_engine::Config;
use ferrex_engine_core::Outcome;
use ferrex_ledger::Owner;
use ferrex_testkit::{Proxy, eventually};
use sqlx::{Connection as _, PgConnection};

use crate::support::*;

fn long_lease() -> Config {
    Config {
        lease_ms: 600_000,
        follow_ms: 20,
        ..Config::default()
    }
}

async fn epoch(pool: &sqlx::PgPool) -> i64 {
    sqlx::query_scalar("SELECT epoch FROM engine.head")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_at_once_when_the_owner_stops() {
    let db = database().await;
    let first = start_with(&db, long_lease(), None).await;
    let (alice, bob) = (new_id(), new_id());
    submit(&first.client, &deposit(alice, 100)).await;
    let second = start_with(&db, long_lease(), None).await;
    eventually(SOON, || async { second.readiness.is_ready() }).await;
    assert!(
        second.client.submit(transfer(alice, bob, 1)).await.is_err(),
        "a standby decides nothing"
    );
    first.stop().await;
    assert!(
        submit(&second.client, &transfer(alice, bob, 40))
            .await
            .is_applied()
    );
    assert_eq!(wallet(&second.client, bob).await, (40, 0));
    finish(second, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_before_the_lease_ends_when_the_owner_dies() {
    let db = database().await;
    let first = start_with(&db, long_lease(), None).await;
    let alice = new_id();
    let command = deposit(alice, 100);
    let outcome = submit(&first.client, &command).await;
    let second = start_with(&db, long_lease(), None).await;
    eventually(SOON, || async { second.readiness.is_ready() }).await;
    first.crash().await;
    assert_eq!(submit(&second.client, &command).await, outcome);
    assert_eq!(wallet(&second.client, alice).await, (100, 0));
    finish(second, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f088_i13_a_frozen_owner_cannot_append_after_a_takeover() {
    let db = database().await;
    let pool = look(&db).await;
    let proxy = Proxy::start(db.port).await;
    let short = Config {
        lease_ms: 600,
        follow_ms: 20,
        ..Config::default()
    };
    let frozen = start_with(&db.via(proxy.port()), short.clone(), None).await;
    let (alice, bob) = (new_id(), new_id());
    submit(&frozen.client, &deposit(alice, 100)).await;
    let other = start_with(&db, short, None).await;
    eventually(SOON, || async { other.readiness.is_ready() }).await;
    let before = epoch(&pool).await;

    proxy.freeze();
    let stuck = transfer(alice, bob, 60);
    let pending = {
        let (client, stuck) = (frozen.client.clone(), stuck.clone());
        tokio::spawn(async move { client.submit(stuck).await })
    };
    eventually(SOON, || async { epoch(&pool).await > before }).await;
    // The new owner spends the money that the frozen one has promised to nobody yet.
    let outcome = submit(&other.client, &transfer(alice, bob, 70)).await;
    assert!(outcome.is_applied());
    proxy.thaw();
    assert!(
        pending.await.unwrap().is_err(),
        "the frozen owner has acknowledged what it could not write"
    );
    // Its batch reached the server and was refused; the command is decided by whoever owns the ledger now.
    let decided = eventually(SOON, || async {
        let (one, two) = tokio::join!(
            other.client.submit(stuck.clone()),
            frozen.client.submit(stuck.clone())
        );
        one.or(two)
    })
    .await;
    assert!(matches!(decided, Outcome::Refused { .. }), "{decided:?}");
    frozen.stop().await;
    finish(other, &db).await;
}

/// Seed 1511 of the simulator: a standby takes the ledger at once when the owner's connection is gone, and a former owner that
/// lives on must not show what it has in memory for as long as its lease would have run.
#[tokio::test(flavor = "multi_thread")]
async fn i29_a_former_owner_shows_nothing_although_its_lease_has_not_run_out() {
    let db = database().await;
    let pool = look(&db).await;
    let former = start_with(&db, long_lease(), None).await;
    let (alice, bob) = (new_id(), new_id());
    submit(&former.client, &deposit(alice, 100)).await;
    let other = start_with(&db, long_lease(), None).await;
    eventually(SOON, || async { other.readiness.is_ready() }).await;
    let before = epoch(&pool).await;
    let ended: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
          WHERE locktype = 'advisory' AND classid::bigint << 32 | objid::bigint = 7238249541278007297
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(ended, 1, "the owner's connection is the one with the lock");
    eventually(SOON, || async { epoch(&pool).await > before }).await;
    assert!(
        submit(&other.client, &transfer(alice, bob, 70))
            .await
            .is_applied()
    );
    if let Ok(shown) = former.client.balances(Owner::User(alice)).await {
        let totals: Vec<u128> = shown.iter().map(|balance| balance.total.units()).collect();
        assert_eq!(totals, [30], "the former owner shows what was true before");
    }
    former.stop().await;
    finish(other, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_append_refuses_an_old_epoch_and_a_wrong_predecessor() {
    let db = database().await;
    let engine = start(&db).await;
    submit(&engine.client, &deposit(new_id(), 100)).await;
    engine.stop().await;
    let pool = look(&db).await;
    let (epoch, last): (i64, i64) = sqlx::query_as("SELECT epoch, last_id FROM engine.head")
        .fetch_one(&pool)
        .await
        .unwrap();
    let options = db
        .url
        .replace("postgres://", "postgres://ferrex_engine:engine-test@");
    let mut connection = PgConnection::connect(&options).await.unwrap();
    sqlx::raw_sql("SET search_path TO engine")
        .execute(&mut connection)
        .await
        .unwrap();
    for (epoch, previous, refused_with) in [
        (epoch - 1, last, Some("FX001")),
        (epoch + 1, last, Some("FX001")),
        (epoch, last - 1, Some("FX001")),
        (epoch, last + 1, Some("FX004")),
        (epoch, last, None),
    ] {
        let appended = sqlx::query(
            "SELECT append($1, $2, 0::smallint, '{0}', '{}',
                           ARRAY[(gen_random_uuid(), 0, now(), gen_random_uuid(), 0, 0, 0, 3, 6, 1, true, 0, NULL, NULL)::journal_entry],
                           '{}')",
        )
        .bind(epoch)
        .bind(previous)
        .execute(&mut connection)
        .await;
        let refusal = appended.err().map(|error| {
            let code = error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code);
            code.map_or_else(|| error.to_string(), String::from)
        });
        assert_eq!(refusal.as_deref(), refused_with, "epoch {epoch} after {previous}");
    }
    assert_audit_is_clean(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_its_database_says_so_and_recovers_by_itself() {
    let db = database().await;
    let proxy = Proxy::start(db.port).await;
    let short = Config {
        lease_ms: 1_000,
        ..Config::default()
    };
    let engine = start_with(&db.via(proxy.port()), short, None).await;
    let alice = new_id();
    submit(&engine.client, &deposit(alice, 100)).await;
    proxy.refuse();
    let command = deposit(alice, 1);
    let client = engine.client.clone();
    let waiting = tokio::spawn(async move { submit(&client, &command).await });
    eventually(SOON, || async { !engine.readiness.is_ready() }).await;
    proxy.accept();
    assert!(
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .unwrap()
            .unwrap()
            .is_applied()
    );
    assert_eq!(wallet(&engine.client, alice).await, (101, 0));
    assert!(engine.readiness.is_ready());
    finish(engine, &db).await;
}
