use ferrex_fault::{Classify, Kind};
use ferrex_postgres::{
    Error, Migration, MigrationSet, SchemaSpec, SqlResult, constraint_name, is_unique_violation, provision,
};
use ferrex_testkit::Postgres;
use sqlx::Executor;

use crate::{SHOP, connect, password, shop};

#[tokio::test]
async fn provisioning_again_and_by_many_at_once_changes_nothing() {
    let test = Postgres::shared().await.fresh_database().await;
    let other = Postgres::shared().await.fresh_database().await;
    let all = (0..6).map(|n| {
        let url = if n % 2 == 0 {
            test.admin_url.clone()
        } else {
            other.admin_url.clone()
        };
        tokio::spawn(async move { provision(&url, &SHOP, &password()).await })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    provision(&test.admin_url, &SHOP, &password()).await.unwrap();
    let db = connect(&test.url).await;
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM schema_migration")
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(applied, 2);
}

#[tokio::test]
async fn an_edited_migration_is_refused_by_name() {
    static EDITED: MigrationSet = MigrationSet {
        name: "shop",
        migrations: &[Migration {
            version: 1,
            name: "note",
            sql: "SELECT 1",
        }],
    };
    static SPEC: SchemaSpec = SchemaSpec {
        sets: &[&EDITED],
        ..SHOP
    };
    let (test, _db) = shop().await;
    let error = provision(&test.admin_url, &SPEC, &password()).await.unwrap_err();
    assert!(matches!(error, Error::MigrationEdited { version: 1, .. }));
    let text = error.to_string();
    assert!(
        text.contains("migration shop 1 (note)") && text.contains("add a new migration"),
        "{text}"
    );
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_of_itself() {
    static HALF: MigrationSet = MigrationSet {
        name: "half",
        migrations: &[Migration {
            version: 1,
            name: "half",
            sql: "CREATE TABLE half (); SELECT 1 / 0;",
        }],
    };
    static WHOLE: MigrationSet = MigrationSet {
        name: "half",
        migrations: &[Migration {
            version: 1,
            name: "half",
            sql: "CREATE TABLE half ();",
        }],
    };
    static BROKEN: SchemaSpec = SchemaSpec {
        sets: &[&HALF],
        ..SHOP
    };
    static MENDED: SchemaSpec = SchemaSpec {
        sets: &[&WHOLE],
        ..SHOP
    };
    let (test, _db) = shop().await;
    let error = provision(&test.admin_url, &BROKEN, &password())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Migration {
                set: "half",
                version: 1,
                ..
            }
        ),
        "{error}"
    );
    // Never recorded, so its mended text is not an edit. The set of the shop is unknown to this program and left alone.
    provision(&test.admin_url, &MENDED, &password()).await.unwrap();
}

#[tokio::test]
async fn migrations_out_of_order_are_refused() {
    static TWISTED: MigrationSet = MigrationSet {
        name: "twisted",
        migrations: &[
            Migration {
                version: 2,
                name: "b",
                sql: "SELECT 1",
            },
            Migration {
                version: 1,
                name: "a",
                sql: "SELECT 1",
            },
        ],
    };
    static SPEC: SchemaSpec = SchemaSpec {
        sets: &[&TWISTED],
        ..SHOP
    };
    let test = Postgres::shared().await.fresh_database().await;
    let error = provision(&test.admin_url, &SPEC, &password()).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::MigrationOrder {
                version: 1,
                before: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_role_writes_rows_of_its_own_schema_and_nothing_else() {
    static NEIGHBOUR: SchemaSpec = SchemaSpec {
        schema: "neighbour",
        role: "ferrex_neighbour",
        sets: SHOP.sets,
        after_grants: "REVOKE UPDATE, DELETE ON journal FROM ferrex_neighbour;",
    };
    let (test, db) = shop().await;
    provision(&test.admin_url, &NEIGHBOUR, &password()).await.unwrap();
    let pool = db.pool();
    pool.execute(
        "INSERT INTO note (body) VALUES ('mine'); UPDATE note SET body = 'still mine'; DELETE FROM note",
    )
    .await
    .unwrap();
    pool.execute("INSERT INTO journal VALUES (1, 1)").await.unwrap();
    let two: i32 = sqlx::query_scalar("SELECT twice(1)")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(two, 2);
    for forbidden in [
        "SELECT * FROM neighbour.note",
        "INSERT INTO neighbour.journal VALUES (1, 1)",
        "SELECT neighbour.twice(1)",
        "UPDATE journal SET amount = 2",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "TRUNCATE note",
        "DELETE FROM schema_migration",
        "CREATE TABLE mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE SCHEMA mine",
        "ALTER TABLE note ADD COLUMN x text",
        "DROP TABLE note",
        "CREATE ROLE mine",
        "ALTER ROLE ferrex_neighbour PASSWORD 'mine'",
        "SET ROLE ferrex_owner",
    ] {
        let error = pool
            .execute(forbidden)
            .await
            .err()
            .unwrap_or_else(|| panic!("{forbidden} was allowed"));
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap_or_default()
            .to_string();
        assert!(code == "42501" || code == "42P01", "{forbidden}: {code} {error}");
    }
}

#[tokio::test]
async fn a_constraint_is_known_by_its_name_and_kind() {
    let (_test, db) = shop().await;
    let insert = || async {
        sqlx::query("INSERT INTO note (body) VALUES ('once')")
            .execute(db.pool())
            .await
    };
    insert().await.unwrap();
    let error = insert().await.unwrap_err();
    assert_eq!(constraint_name(&error), Some("note_body_once"));
    assert!(is_unique_violation(&error, "note_body_once") && !is_unique_violation(&error, "note_pkey"));
    let error = Err::<(), _>(error).doing("saying something").unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Internal, "saying something")
    );
}
