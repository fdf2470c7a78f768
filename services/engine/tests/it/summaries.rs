//! Who reads the journal by id looks at a few pages, not at all that autovacuum has not come to yet.

use ferrex_engine_core::{Outcome, Reason, Step};
use ferrex_ledger::{Account, Purpose};
use ferrex_money::Amount;
use ferrex_testkit::{TestDb, eventually};
use sqlx::types::Json;
use sqlx::{Connection as _, PgConnection};

use crate::support::*;

/// Steps of a command, and commands: some 350 pages of rows.
const STEPS: u32 = 64;
const COMMANDS: usize = 320;
/// The range that is asked for, one that begins in it, and the last, which is not whole.
const FEW_PAGES: i64 = 3 * 32;

/// Pages of the journal that are looked at for its first 1,000 rows, and pages that it has.
async fn pages(connection: &mut PgConnection) -> (i64, i64) {
    let all = sqlx::query_scalar(
        "SELECT pg_relation_size('engine.journal') / current_setting('block_size')::bigint",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let Json(plan): Json<serde_json::Value> = sqlx::query_scalar(
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM engine.journal WHERE id > 0 AND id <= 1000",
    )
    .fetch_one(connection)
    .await
    .unwrap();
    // Without the index it reads all.
    (plan[0]["Plan"]["Lossy Heap Blocks"].as_i64().unwrap_or(all), all)
}

/// A connection to a database where autovacuum does not come first.
async fn reader(db: &TestDb) -> PgConnection {
    let mut connection = PgConnection::connect(&db.superuser_url).await.unwrap();
    sqlx::raw_sql("ALTER TABLE engine.journal SET (autovacuum_enabled = off)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_journal_is_found_at_once_by_whoever_reads_it() {
    let db = database().await;
    let mut reader = reader(&db).await;
    let engine = start(&db).await;
    let step = |_| Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(new_id()),
        asset: COIN,
        amount: Amount::new(1),
    };
    let deposits: Vec<_> = (0..COMMANDS)
        .map(|_| command(Reason::Deposit, (0..STEPS).map(step).collect()))
        .collect();
    futures::future::join_all(deposits.iter().map(|deposit| submit(&engine.client, deposit))).await;
    let (_, all) = pages(&mut reader).await;
    assert!(all > 3 * FEW_PAGES, "{all} pages");

    // The owner keeps the indexes at the journal's end.
    let reader = tokio::sync::Mutex::new(reader);
    eventually(SOON, || async {
        pages(&mut *reader.lock().await).await.0 <= FEW_PAGES
    })
    .await;
    let mut reader = reader.into_inner();
    engine.stop().await;

    // Who starts does so before it reads.
    sqlx::raw_sql(
        "SELECT brin_desummarize_range('engine.journal_by_id', page)
           FROM generate_series(0, pg_relation_size('engine.journal') / current_setting('block_size')::bigint - 1, 32) AS page;
         UPDATE engine.summarized SET journal = 0",
    )
    .execute(&mut reader)
    .await
    .unwrap();
    assert_eq!(pages(&mut reader).await, (all, all), "none is in the index");
    let engine = start(&db).await;
    let deposited = submit(&engine.client, &deposits[0]).await;
    assert!(matches!(deposited, Outcome::Applied { .. }));
    let (read, _) = pages(&mut reader).await;
    assert!(read <= FEW_PAGES, "{read} of {all} pages");
    finish(engine, &db).await;
}
