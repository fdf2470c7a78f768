//! The journal is kept by the batch: rows are found by their batch, commands by the time of their ids.

use ferrex_engine::SCHEMA;
use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Command, Outcome, Reason, Side, Step};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::Amount;
use ferrex_postgres::{provision, schema_before};
use ferrex_testkit::Postgres;
use ferrex_time::{Clock as _, SystemClock};
use sqlx::types::Json;
use uuid::Uuid;

use crate::orders::{MONEY, cancel, funds, limit, market};
use crate::restart::no_window;
use crate::support::*;

/// A deposit of a unit in each of so many steps.
fn deposit_in_steps(user: Uuid, steps: usize) -> Command {
    let step = Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(user),
        asset: COIN,
        amount: Amount::new(1),
    };
    command(Reason::Deposit, vec![step; steps])
}

/// The command under an id of so many hours ago. The owner keeps two days of ids in memory.
fn of_hours_ago(command: Command, hours: u64) -> Command {
    let then = SystemClock.unix_ms() - hours * 3_600_000;
    let id = CommandId::new_at(then);
    Command { id, ..command }
}

/// All of them at once.
async fn submit_all(client: &EngineClient, commands: &[Command]) -> Vec<Outcome> {
    futures::future::join_all(commands.iter().map(|command| submit(client, command))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_found_by_their_batch() {
    let db = database().await;
    let engine = start(&db).await;
    for steps in [1, 3, 1, 5, 2] {
        submit(&engine.client, &deposit_in_steps(new_id(), steps)).await;
    }
    let pool = look(&db).await;
    let batches: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT batch FROM engine.journal ORDER BY 1")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(batches, [1, 2, 5, 6, 11]);
    for first in 1..=13_i64 {
        for last in 0..=13_i64 {
            let found: Vec<i64> = sqlx::query_scalar(
                "SELECT id FROM engine.journal
                  WHERE batch BETWEEN (SELECT engine.batch_of($1)) AND $2 AND id BETWEEN $1 AND $2 ORDER BY id",
            )
            .bind(first)
            .bind(last)
            .fetch_all(&pool)
            .await
            .unwrap();
            let expected: Vec<i64> = (first..=last.min(12)).collect();
            assert_eq!(found, expected, "{first} to {last}");
        }
    }
    finish(engine, &db).await;
}

/// Whether a plan, or a part of one, reads the whole table of batches.
fn reads_all(plan: &serde_json::Value) -> bool {
    let here = plan["Node Type"] == "Seq Scan" && plan["Relation Name"] == "journal_batch";
    let parts = plan.as_array().into_iter().flatten();
    let below = plan.as_object().into_iter().flat_map(|node| node.values());
    here || parts.chain(below).any(reads_all)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_all_batches_to_find_some() {
    let db = database().await;
    let engine = start(&db).await;
    submit(&engine.client, &deposit(new_id(), 1)).await;
    engine.stop().await;
    let pool = look(&db).await;
    sqlx::raw_sql(
        "INSERT INTO engine.journal_batch
         SELECT first_id + n, span + n, entries FROM engine.journal_batch, generate_series(1, 20000) AS n",
    )
    .execute(&pool)
    .await
    .unwrap();
    let queries = [
        (
            "SELECT * FROM engine.journal WHERE batch >= (SELECT engine.batch_of(8)) AND batch <= 20 ORDER BY batch, id",
            "journal_batch_by_id",
        ),
        (
            "SELECT * FROM engine.journal_order WHERE batch >= (SELECT engine.batch_of(8)) AND batch <= 20 ORDER BY batch, id",
            "journal_batch_by_id",
        ),
        (
            "SELECT j.* FROM (SELECT first_id FROM engine.journal_batch WHERE span = ANY('{8}')
                              UNION SELECT first_id FROM engine.journal_span WHERE span = ANY('{8}')) AS found
              CROSS JOIN LATERAL (SELECT * FROM engine.journal WHERE batch = found.first_id AND last OFFSET 0) AS j",
            "journal_batch_by_span",
        ),
    ];
    // With what is known of a table that nobody has analysed, and of one that was.
    for first in ["", "ANALYZE engine.journal_batch"] {
        sqlx::raw_sql(first).execute(&pool).await.unwrap();
        for (query, index) in queries {
            let Json(plan): Json<serde_json::Value> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) {query}")))
                    .fetch_one(&pool)
                    .await
                    .unwrap();
            assert!(plan.to_string().contains(index), "{query}: {plan}");
            assert!(!reads_all(&plan), "{query}: {plan}");
        }
    }
    // None of the arrays: nobody asks for them, and to make them is to take every entry apart.
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT attname::text FROM pg_stats WHERE schemaname = 'engine' AND tablename = 'journal_batch' ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(columns, ["first_id", "span"], "statistics of these");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_known_whatever_the_time_of_its_id() {
    let db = database().await;
    let engine = start(&db).await;
    let user = new_id();
    let commands: Vec<Command> = (0..200)
        .map(|number| of_hours_ago(deposit(user, 1), [0, 50, 50, 500, 10_000][number % 5]))
        .collect();
    let outcomes = submit_all(&engine.client, &commands).await;
    engine.stop().await;
    let others: i64 = sqlx::query_scalar("SELECT count(*) FROM engine.journal_span")
        .fetch_one(&look(&db).await)
        .await
        .unwrap();
    assert!(others > 0, "no batch had commands of several times");

    let engine = start_with(&db, no_window(), None).await;
    assert_eq!(submit_all(&engine.client, &commands).await, outcomes);
    assert_eq!(wallet(&engine.client, user).await, (200, 0));
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_before_it_was_kept_by_the_batch_stays_what_it_is() {
    const TABLES: [&str; 3] = ["account", "journal", "journal_order"];
    let now = database().await;
    let engine = start(&now).await;
    let (alice, bob, name) = (new_id(), new_id(), new_id());
    let mut commands = Vec::from(market());
    commands.push(of_hours_ago(funds(alice, COIN, 100), 100));
    commands.push(of_hours_ago(funds(bob, MONEY, 100), 10));
    commands.push(limit(alice, Side::Sell, 5, 20, name));
    commands.push(limit(bob, Side::Buy, 5, 10, new_id()));
    commands.push(cancel(alice, name));
    // More rows than a batch of them gets.
    commands.extend((0..1_100).map(|_| deposit(bob, 1)));
    let mut outcomes = Vec::new();
    for command in &commands[..8] {
        outcomes.push(submit(&engine.client, command).await);
    }
    outcomes.extend(submit_all(&engine.client, &commands[8..]).await);
    engine.stop().await;

    // The same rows as they were kept then.
    let rows = async |db, table: &str| -> Vec<Json<serde_json::Value>> {
        let sql = format!("SELECT to_jsonb(t) - 'batch' FROM engine.{table} t ORDER BY id");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&look(db).await)
            .await
            .unwrap()
    };
    let then = Postgres::shared().await.fresh_database().await;
    provision(
        &then.admin_url,
        &schema_before(11, &SCHEMA),
        &"engine-test".into(),
    )
    .await
    .unwrap();
    let pool = look(&then).await;
    for table in TABLES {
        let sql = format!(
            "INSERT INTO engine.{table} SELECT r.* FROM unnest($1::jsonb[]) AS j CROSS JOIN jsonb_populate_record(NULL::engine.{table}, j) AS r"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(rows(&now, table).await)
            .execute(&pool)
            .await
            .unwrap();
    }
    sqlx::raw_sql("UPDATE engine.head SET last_id = (SELECT max(id) FROM engine.journal)")
        .execute(&pool)
        .await
        .unwrap();

    prepare(&then).await;
    for table in TABLES {
        assert_eq!(rows(&then, table).await, rows(&now, table).await, "{table}");
    }
    assert_audit_is_clean(&then).await;
    let engine = start_with(&then, no_window(), None).await;
    assert_eq!(submit_all(&engine.client, &commands).await, outcomes);
    finish(engine, &then).await;
}
