use std::time::Duration;

use ferrex_testkit::{Postgres, eventually};
use sqlx::{Connection, PgConnection, Row};

#[tokio::test]
async fn databases_are_separate_and_owned_by_a_role_that_is_no_superuser() {
    let postgres = Postgres::shared().await;
    let (one, two) = (postgres.fresh_database().await, postgres.fresh_database().await);
    let mut owner = PgConnection::connect(&one.admin_url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (n int); CREATE ROLE it_probe LOGIN; CREATE SCHEMA s")
        .execute(&mut owner)
        .await
        .unwrap();
    let row = sqlx::query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert!(!row.get::<bool, _>(0));
    let mut other = PgConnection::connect(&two.admin_url).await.unwrap();
    assert!(sqlx::query("SELECT * FROM t").execute(&mut other).await.is_err());
}

#[tokio::test]
async fn no_role_comes_in_over_tcp_without_its_password() {
    let db = Postgres::shared().await.fresh_database().await;
    let wrong = db.admin_url.replace("ferrex-test@", "guess@");
    assert!(PgConnection::connect(&wrong).await.is_err());
    assert!(PgConnection::connect(&db.superuser_url).await.is_ok());
}

#[tokio::test]
async fn a_template_is_prepared_once_and_copied() {
    let postgres = Postgres::shared().await;
    let prepare = async |db: ferrex_testkit::TestDb| {
        let mut owner = PgConnection::connect(&db.admin_url).await.unwrap();
        sqlx::raw_sql("CREATE TABLE seen (n int); INSERT INTO seen VALUES (1)")
            .execute(&mut owner)
            .await
            .unwrap();
    };
    let (one, two) = tokio::join!(
        postgres.database_from("seen", prepare),
        postgres.database_from("seen", prepare),
    );
    assert_ne!(one.name, two.name);
    for db in [one, two] {
        let mut owner = PgConnection::connect(&db.admin_url).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM seen")
            .fetch_one(&mut owner)
            .await
            .unwrap();
        assert_eq!(rows, 1);
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let postgres = Postgres::durable().await;
    let db = postgres.fresh_database().await;
    let mut owner = PgConnection::connect(&db.admin_url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)")
        .execute(&mut owner)
        .await
        .unwrap();
    for _ in 0..3 {
        postgres.kill9().await;
        assert!(PgConnection::connect(&db.admin_url).await.is_err());
        postgres.start_again().await;
    }
    let mut owner = eventually(Duration::from_secs(5), || PgConnection::connect(&db.admin_url)).await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(rows, 1000);
}
