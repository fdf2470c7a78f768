//! H059: a restart takes the newest good snapshot and the rows after it, whatever lies beside.

use ferrex_engine::{Config, Refused, snapshots};
use ferrex_engine_core::{Batch, Engine, LastRow, Side, Snapshot, SnapshotError};
use ferrex_postgres::Db;
use ferrex_testkit::{TestDb, eventually};
use ferrex_time::{Clock as _, Duration, SystemClock};
use sqlx::PgPool;
use uuid::Uuid;

use crate::orders;
use crate::support::*;

fn often() -> Config {
    Config {
        projection_ms: 20,
        snapshot_rows: 1,
        snapshot_check_ms: 20,
        ..Config::default()
    }
}

fn never() -> Config {
    Config {
        snapshot_rows: u64::MAX,
        ..Config::default()
    }
}

async fn found(db: &TestDb) -> Vec<snapshots::Found> {
    let db = Db::connect(&login(db)).await.unwrap();
    snapshots::inspect(&db, 0).await.unwrap()
}

/// Waits until there is a snapshot of row `row` or beyond.
async fn snapshot_reaches(pool: &PgPool, row: i64) {
    eventually(SOON, || async {
        sqlx::query_scalar::<_, bool>("SELECT coalesce(max(journal_id), 0) >= $1 FROM engine.snapshot")
            .bind(row)
            .fetch_one(pool)
            .await
            .unwrap()
    })
    .await;
}

/// A ledger with good snapshots of rows 2 and 4 and one row after them: Alice has 1,000, 100 of it held, and Bob 37.
async fn with_two_snapshots(db: &TestDb, pool: &PgPool) -> (Uuid, Uuid) {
    let (alice, bob) = (new_id(), new_id());
    let engine = start_with(db, often(), None).await;
    submit(&engine.client, &deposit(alice, 1_000)).await;
    submit(&engine.client, &deposit(alice, 37)).await;
    snapshot_reaches(pool, 2).await;
    submit(&engine.client, &transfer(alice, bob, 30)).await;
    let hold = ferrex_ids::HoldId::from_uuid(new_id());
    submit(&engine.client, &reserve(hold, alice, 100)).await;
    snapshot_reaches(pool, 4).await;
    engine.stop().await;
    let engine = start_with(db, never(), None).await;
    submit(&engine.client, &transfer(alice, bob, 7)).await;
    projection_is_current(pool).await;
    engine.crash().await;
    let rows: Vec<u64> = found(db).await.iter().map(|found| found.journal_id).collect();
    assert_eq!(rows, [4, 2]);
    (alice, bob)
}

/// What a process that starts on this database says, which is then killed.
async fn bobs_total_after_a_restart(db: &TestDb, bob: Uuid) -> u128 {
    let engine = start_with(db, never(), None).await;
    let (total, _) = wallet(&engine.client, bob).await;
    engine.crash().await;
    total
}

async fn the_books_are_right(db: &TestDb, alice: Uuid, bob: Uuid) {
    let engine = start_with(db, never(), None).await;
    assert_eq!(wallet(&engine.client, alice).await, (1_000, 100));
    assert_eq!(wallet(&engine.client, bob).await, (37, 0));
    finish(engine, db).await;
}

async fn bytes_of(pool: &PgPool, row: i64) -> Vec<u8> {
    sqlx::query_scalar(
        "SELECT string_agg(p.bytes, '' ORDER BY p.place) FROM engine.snapshot s JOIN engine.snapshot_part p ON p.snapshot = s.id
          WHERE s.journal_id = $1",
    )
    .bind(row)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Stores bytes as they are in the place of the snapshot of a row; no parts at all for `None`.
async fn replace(pool: &PgPool, row: i64, bytes: Option<&[u8]>) {
    sqlx::query("DELETE FROM engine.snapshot WHERE journal_id = $1")
        .bind(row)
        .execute(pool)
        .await
        .unwrap();
    let size = bytes.map_or(1, |bytes| bytes.len().max(1));
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO engine.snapshot (shard, journal_id, bytes) VALUES (0, $1, $2) RETURNING id",
    )
    .bind(row)
    .bind(i64::try_from(size).unwrap())
    .fetch_one(pool)
    .await
    .unwrap();
    if let Some(bytes) = bytes {
        sqlx::query("INSERT INTO engine.snapshot_part (snapshot, place, bytes) VALUES ($1, 0, $2)")
            .bind(id)
            .bind(bytes)
            .execute(pool)
            .await
            .unwrap();
    }
}

/// A snapshot as good as `bytes`, in which Bob has more: what a process that takes it says gives it away.
fn marked(bytes: &[u8], bob: Uuid, more: u128) -> Vec<u8> {
    let Snapshot { mut engine, last } = Snapshot::read(bytes).unwrap();
    let outcome = engine.apply(&deposit(bob, more), &mut Batch::default());
    assert!(outcome.is_applied());
    // The answer to it would be of a row beyond the snapshot's.
    engine.drain_changes();
    engine.forget_before(SystemClock.now() + Duration::hours(1), 0);
    engine.to_snapshot(last)
}

#[tokio::test(flavor = "multi_thread")]
async fn h059_the_newest_good_snapshot_and_its_tail_are_taken() {
    let db = database().await;
    let pool = look(&db).await;
    let (_, bob) = with_two_snapshots(&db, &pool).await;
    let newest = bytes_of(&pool, 4).await;
    assert_eq!(bobs_total_after_a_restart(&db, bob).await, 37);
    let marked = marked(&newest, bob, 5);
    replace(&pool, 4, Some(&marked)).await;
    assert_eq!(
        bobs_total_after_a_restart(&db, bob).await,
        42,
        "the newest and its tail"
    );
    // The same as the older one of two.
    let mut flipped = newest.clone();
    flipped[200] ^= 4;
    replace(&pool, 5, Some(&flipped)).await;
    assert!(found(&db).await[0].verdict.is_err());
    assert_eq!(
        bobs_total_after_a_restart(&db, bob).await,
        42,
        "the newest is bad, so the one before"
    );
    let mut flipped = marked;
    flipped[201] ^= 128;
    replace(&pool, 4, Some(&flipped)).await;
    replace(&pool, 2, None).await;
    assert!(found(&db).await.iter().all(|found| found.verdict.is_err()));
    assert_eq!(
        bobs_total_after_a_restart(&db, bob).await,
        37,
        "none is good, so the journal from its first row"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn h059_bad_newer_snapshots_are_refused_and_the_books_are_right() {
    let db = database().await;
    let pool = look(&db).await;
    let (alice, bob) = with_two_snapshots(&db, &pool).await;
    let good = bytes_of(&pool, 4).await;
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    // Of another ledger: good in itself, of a row that is here a row of another command.
    let (mut engine, mut batch) = (Engine::new(0), Batch::default());
    for _ in 0..4 {
        assert!(engine.apply(&deposit(bob, 1_000_000), &mut batch).is_applied());
    }
    let last = batch.rows.last().unwrap();
    let foreign = engine.to_snapshot(LastRow {
        id: 4,
        command: last.command,
        fingerprint: last.fingerprint,
    });
    let bytes = |error| Refused::Bytes(error);
    let (is, says) = (good.len() as u64 / 2, good.len() as u64);
    let (end, shard) = (5, 0);
    let cases: [(&str, i64, Option<&[u8]>, Refused); 9] = [
        ("without parts", 4, None, bytes(SnapshotError::Empty)),
        ("empty", 4, Some(&[]), bytes(SnapshotError::Empty)),
        (
            "cut",
            4,
            Some(&good[..good.len() / 2]),
            bytes(SnapshotError::Length { is, says }),
        ),
        (
            "with one bit flipped",
            4,
            Some(&flipped),
            bytes(SnapshotError::Checksum),
        ),
        ("all zeros", 4, Some(&[0; 9_000]), bytes(SnapshotError::Foreign)),
        (
            "of a foreign format",
            4,
            Some(b"{\"balances\":{}}"),
            bytes(SnapshotError::Foreign),
        ),
        (
            "ahead of the journal",
            999,
            Some(&good),
            Refused::AheadOfTheJournal { end },
        ),
        (
            "in another's place",
            5,
            Some(&good),
            Refused::Misplaced { row: 4, shard },
        ),
        ("of another journal", 4, Some(&foreign), Refused::OtherJournal),
    ];
    for (what, row, stored, refusal) in cases {
        replace(&pool, row, stored).await;
        let verdict = found(&db).await.remove(0).verdict;
        assert_eq!(verdict.unwrap_err(), refusal, "{what}");
        the_books_are_right(&db, alice, bob).await;
        if row == 4 {
            replace(&pool, 4, Some(&good)).await;
        } else {
            sqlx::query("DELETE FROM engine.snapshot WHERE journal_id = $1")
                .bind(row)
                .execute(&pool)
                .await
                .unwrap();
        }
    }
    let wanted = found(&db).await;
    assert!(wanted.len() == 2 && wanted.iter().all(|found| found.verdict.is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn h059_a_bad_snapshot_goes_when_three_good_ones_have_come_after_it() {
    let db = database().await;
    let pool = look(&db).await;
    let (alice, bob) = with_two_snapshots(&db, &pool).await;
    replace(&pool, 4, Some(b"half a snapsh")).await;
    let engine = start_with(&db, often(), None).await;
    for row in [6, 8, 10] {
        submit(&engine.client, &transfer(alice, bob, 1)).await;
        submit(&engine.client, &transfer(bob, alice, 1)).await;
        snapshot_reaches(&pool, row).await;
    }
    engine.stop().await;
    let found = found(&db).await;
    assert!(
        found.len() == 3 && found.iter().all(|found| found.verdict.is_ok()),
        "{found:?}"
    );
    the_books_are_right(&db, alice, bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h059_emptied_tables_never_mean_zero_balances() {
    let db = database().await;
    let pool = look(&db).await;
    let (alice, bob) = with_two_snapshots(&db, &pool).await;
    sqlx::raw_sql("DELETE FROM engine.balance_block; DELETE FROM engine.hold")
        .execute(&pool)
        .await
        .unwrap();
    let engine = start_with(&db, never(), None).await;
    assert_eq!(wallet(&engine.client, alice).await, (1_000, 100));
    assert_eq!(wallet(&engine.client, bob).await, (37, 0));
    engine.stop().await;
    assert!(!ferrex_engine::audit::run(&db.admin_url).await.unwrap().is_clean());
    // Told that nothing is projected, the next owner writes all of it anew.
    sqlx::raw_sql("UPDATE engine.projection SET journal_id = 0")
        .execute(&pool)
        .await
        .unwrap();
    let engine = start_with(&db, never(), None).await;
    projection_is_current(&pool).await;
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f048_i15_a_snapshot_of_what_was_decided_is_that_of_the_journal_alone() {
    let db = database().await;
    let pool = look(&db).await;
    let people: Vec<Uuid> = (0..4).map(|_| new_id()).collect();
    let engine = start_with(&db, often(), None).await;
    for command in orders::market() {
        assert!(submit(&engine.client, &command).await.is_applied());
    }
    for person in &people {
        submit(&engine.client, &orders::funds(*person, COIN, 10_000)).await;
        submit(&engine.client, &orders::funds(*person, orders::MONEY, 1_000_000)).await;
    }
    let mut row = 0;
    for turn in 0..60u128 {
        let (side, price) = if turn % 2 == 0 {
            (Side::Buy, 95)
        } else {
            (Side::Sell, 92)
        };
        let owner = people[usize::try_from(turn % 4).unwrap()];
        let order = orders::limit(owner, side, price + turn % 7, 10 + 10 * (turn % 5), new_id());
        row = submit(&engine.client, &order).await.sequence();
    }
    snapshot_reaches(&pool, row.cast_signed() - 1).await;
    if found(&db).await[0].journal_id < row {
        let funds = orders::funds(people[0], COIN, 1);
        row = submit(&engine.client, &funds).await.sequence();
        snapshot_reaches(&pool, row.cast_signed()).await;
    }
    engine.stop().await;
    let decided = found(&db).await.remove(0);
    assert_eq!(decided.journal_id, row);
    sqlx::query("DELETE FROM engine.snapshot")
        .execute(&pool)
        .await
        .unwrap();
    // Its owner is the only process, and waits for twice as many rows.
    let half = Config {
        snapshot_rows: row / 2,
        ..often()
    };
    let engine = start_with(&db, half, None).await;
    snapshot_reaches(&pool, row.cast_signed()).await;
    finish(engine, &db).await;
    let replayed = found(&db).await.remove(0);
    assert_eq!(replayed.journal_id, row);
    assert_eq!(decided.verdict.unwrap(), replayed.verdict.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_makes_the_snapshot_before_the_owner_would() {
    let db = database().await;
    let pool = look(&db).await;
    // An owner makes one after twice as many rows.
    let config = Config {
        snapshot_rows: 4,
        follow_ms: 20,
        ..often()
    };
    let owner = start_with(&db, config.clone(), None).await;
    let (alice, bob) = (new_id(), new_id());
    submit(&owner.client, &deposit(alice, 1_000)).await;
    let standby = start_with(&db, config, None).await;
    eventually(SOON, || async { standby.readiness.is_ready() }).await;
    for _ in 0..3 {
        submit(&owner.client, &transfer(alice, bob, 1)).await;
    }
    snapshot_reaches(&pool, 4).await;
    let found = found(&db).await.remove(0);
    assert_eq!(found.journal_id, 4);
    found.verdict.unwrap();
    standby.stop().await;
    finish(owner, &db).await;
}
