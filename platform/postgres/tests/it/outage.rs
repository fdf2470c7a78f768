use std::time::Duration;

use ferrex_fault::{Classify, Kind};
use ferrex_postgres::{Db, DbConfig, Dedicated, SqlResult, provision};
use ferrex_testkit::Postgres;

use crate::{SHOP, connect, password, shop};

#[tokio::test]
async fn after_a_crash_of_the_server_nobody_is_lent_a_dead_connection() {
    let server = Postgres::start().await;
    let test = server.fresh_database().await;
    provision(&test.admin_url, &SHOP, &password()).await.unwrap();
    let db = connect(&test.url).await;
    for _ in 0..3 {
        let held = [
            db.begin().await.unwrap(),
            db.begin().await.unwrap(),
            db.begin().await.unwrap(),
        ];
        for tx in held {
            tx.rollback().await.unwrap();
        }
        server.kill9().await;
        let away = db.ping().await.unwrap_err();
        assert_eq!(away.kind(), Kind::Unavailable, "{away}");
        server.start_again().await;
        // Three stale connections are in the pool; the first caller already gets a live one.
        db.ping().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        sqlx::query("INSERT INTO note (body) VALUES (clock_timestamp()::text)")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_dedicated_connection_is_kept_after_an_error_and_until_it_is_lost() {
    let server = Postgres::start().await;
    let test = server.fresh_database().await;
    provision(&test.admin_url, &SHOP, &password()).await.unwrap();
    let db = connect(&test.url).await;
    let mut dedicated = Dedicated::new(&db);
    let mut ask = async |divisor: i32| {
        let statement = sqlx::query_as("SELECT pg_backend_pid(), current_setting('plan_cache_mode'), 1 / $1")
            .bind(divisor);
        dedicated
            .run(async |connection| statement.fetch_one(connection).await.doing("asking"))
            .await
    };
    let plans = "force_generic_plan".to_owned();
    let session: (i32, String, i32) = ask(1).await.unwrap();
    assert_eq!(session.1, plans);
    assert_eq!(ask(1).await.unwrap(), session);
    ask(0).await.unwrap_err();
    assert_eq!(ask(1).await.unwrap(), session, "the error was the statement's");
    server.kill9().await;
    let away = ask(1).await.unwrap_err();
    assert_eq!(away.kind(), Kind::Unavailable, "{away}");
    server.start_again().await;
    let next = ask(1).await.unwrap();
    assert_eq!(next.1, plans);
    assert_ne!(next.0, session.0);
}

#[tokio::test]
async fn a_wait_for_a_lock_ends_and_is_transient() {
    let (test, db) = shop().await;
    let hasty = DbConfig {
        lock_timeout: Duration::from_millis(50),
        ..DbConfig::new(&test.url, SHOP.role, password(), SHOP.schema)
    };
    let hasty = Db::connect(&hasty).await.unwrap();
    let mut holder = db.begin().await.unwrap();
    sqlx::query("LOCK TABLE note")
        .execute(&mut *holder)
        .await
        .unwrap();
    let error = sqlx::query("DELETE FROM note")
        .execute(hasty.pool())
        .await
        .doing("deleting")
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Unavailable, "postgres.unavailable")
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_a_bad_address_an_error() {
    let nowhere = DbConfig {
        acquire_timeout: Duration::from_millis(200),
        ..DbConfig::new("postgres://127.0.0.1:1/nowhere", "nobody", password(), "nowhere")
    };
    let db = Db::connect(&nowhere).await.unwrap();
    assert_eq!(db.ping().await.unwrap_err().kind(), Kind::Unavailable);
    assert!(
        Db::connect(&DbConfig::new("not an address", "nobody", password(), "nowhere"))
            .await
            .is_err()
    );
}
