//! F79: a unit of work that is dropped while it waits for the database.

use std::str::FromStr;
use std::time::Duration;

use ferrex_postgres::{Db, DbConfig, SqlResult};
use ferrex_testkit::{Postgres, Proxy, TestDb};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{SHOP, password, shop};

/// Each way takes this long, so a round trip twice that; BEGIN, INSERT (two) and COMMIT fit into the moments below.
const DELAY: Duration = Duration::from_millis(15);

/// A write as a handler does it: the whole of it in the future that is dropped.
async fn write(begin: impl Future<Output = sqlx::Transaction<'static, sqlx::Postgres>>, body: String) {
    let mut tx = begin.await;
    let _ = sqlx::query("INSERT INTO note (body) VALUES ($1)")
        .bind(body)
        .execute(&mut *tx)
        .await;
    let _ = tx.commit().await;
}

async fn is_there(test: &TestDb, body: &str) -> bool {
    let mut other = Postgres::shared().await.superuser(test).await;
    let sql = "SELECT EXISTS (SELECT FROM shop.note WHERE body = $1)";
    sqlx::query_scalar(sql)
        .bind(body)
        .fetch_one(&mut other)
        .await
        .unwrap()
}

/// Drops a write after each of many moments; then borrows the only connection, is told that a row was written, and looks from
/// outside whether it was. Answers the moments (in ms) after which it was not.
async fn lost_after<F, T>(test: &TestDb, pool: &PgPool, begin: F) -> Vec<u64>
where
    F: Fn() -> T,
    T: Future<Output = sqlx::Transaction<'static, sqlx::Postgres>>,
{
    let mut lost = Vec::new();
    for moment in (0..=120).step_by(5) {
        let given_up = write(begin(), format!("cancelled after {moment}"));
        let _ = tokio::time::timeout(Duration::from_millis(moment), given_up).await;
        let body = format!("acknowledged after {moment}");
        let done = sqlx::query("INSERT INTO note (body) VALUES ($1)")
            .bind(&body)
            .execute(pool)
            .await
            .unwrap();
        assert_eq!(done.rows_affected(), 1, "the borrower was told of a write");
        if !is_there(test, &body).await {
            lost.push(moment);
        }
    }
    lost
}

#[tokio::test]
async fn f079_cancelled_begin_leaves_the_next_borrower_clean() {
    let (test, _db) = shop().await;
    let proxy = Proxy::start(test.port).await;
    let far = test.via(proxy.port());
    let config = DbConfig {
        max_connections: 1,
        ..DbConfig::new(&far.url, SHOP.role, password(), SHOP.schema)
    };
    let db = Db::connect(&config).await.unwrap();
    db.ping().await.unwrap();
    proxy.delay(DELAY);
    let lost = lost_after(&test, db.pool(), || async { db.begin().await.unwrap() }).await;
    assert!(
        lost.is_empty(),
        "acknowledged writes were lost after a cancel at {lost:?} ms"
    );
}

/// Keeps the test above honest: without the cure the same procedure finds the loss.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "shows what happens without the cure")]
async fn f079_the_driver_alone_loses_an_acknowledged_write() {
    let (test, _db) = shop().await;
    let proxy = Proxy::start(test.port).await;
    let far = test.via(proxy.port());
    let options = PgConnectOptions::from_str(&far.url)
        .unwrap()
        .username(SHOP.role)
        .password(password().expose_secret())
        .options([("search_path", SHOP.schema)]);
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap();
    proxy.delay(DELAY);
    let lost = lost_after(&test, &pool, || async { pool.begin().await.unwrap() }).await;
    assert!(
        !lost.is_empty(),
        "this version of sqlx cures itself: `Db::begin` needs no task"
    );
}

#[tokio::test]
async fn f074_a_commit_without_an_answer_is_an_error_and_not_a_guess() {
    let (test, _db) = shop().await;
    let proxy = Proxy::start(test.port).await;
    let far = test.via(proxy.port());
    let db = Db::connect(&DbConfig::new(&far.url, SHOP.role, password(), SHOP.schema))
        .await
        .unwrap();
    let mut tx = db.begin().await.unwrap();
    sqlx::query("INSERT INTO note (body) VALUES ('unknown')")
        .execute(&mut *tx)
        .await
        .unwrap();
    proxy.drop_reply_to("COMMIT", 1);
    let error = tx.commit().await.doing("committing").unwrap_err();
    assert!(ferrex_fault::Classify::kind(&error).is_transient(), "{error}");
    assert!(
        is_there(&test, "unknown").await,
        "it was committed, and nobody was told so"
    );
    db.ping().await.unwrap();
}
