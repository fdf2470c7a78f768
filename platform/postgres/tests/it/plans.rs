use ferrex_postgres::{Dedicated, SqlResult as _};
use sqlx::{Connection as _, PgConnection};

use crate::shop;

/// How the server would look for two notes.
async fn plan(connection: &mut PgConnection) -> String {
    let lines: Vec<String> = sqlx::query_scalar(
        "EXPLAIN (COSTS OFF) SELECT n.body FROM unnest('{1,2}'::bigint[]) AS wanted (id) JOIN note n ON n.id = wanted.id",
    )
    .fetch_all(connection)
    .await
    .unwrap();
    lines.join("\n")
}

#[tokio::test]
async fn a_statement_that_is_planned_once_goes_by_an_index_though_the_table_is_small_then() {
    let (test, db) = shop().await;
    let mut superuser = PgConnection::connect(&test.superuser_url).await.unwrap();
    sqlx::raw_sql("INSERT INTO shop.note (body) VALUES ('a'), ('b'), ('c'); ANALYZE shop.note")
        .execute(&mut superuser)
        .await
        .unwrap();
    let pooled = plan(&mut db.pool().acquire().await.unwrap()).await;
    assert!(pooled.contains("Seq Scan on note"), "{pooled}");
    let dedicated = Dedicated::new(&db)
        .run(async |connection| Ok::<_, ferrex_postgres::Error>(plan(connection).await))
        .await
        .unwrap();
    assert!(!dedicated.contains("Seq Scan"), "{dedicated}");
    assert!(dedicated.contains("Index"), "{dedicated}");
}

#[tokio::test]
async fn no_statement_is_compiled() {
    let (_test, db) = shop().await;
    let jit: String = sqlx::query_scalar("SHOW jit")
        .fetch_one(db.pool())
        .await
        .doing("asking")
        .unwrap();
    assert_eq!(jit, "off");
}
