use ferrex_engine::{SCHEMA, audit};
use ferrex_postgres::assert_schema_matches;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::*;

async fn refused_with(connection: &mut PgConnection, sql: &str) -> String {
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .expect_err(sql);
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .map(String::from)
        .expect(sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_no_role_may_change_the_journal() {
    let db = database().await;
    let engine = start(&db).await;
    submit(&engine.client, &deposit(new_id(), 100)).await;
    engine.stop().await;
    let url = db
        .url
        .replace("postgres://", "postgres://ferrex_engine:engine-test@");
    let mut service = PgConnection::connect(&url).await.unwrap();
    let mut owner = PgConnection::connect(&db.admin_url).await.unwrap();
    let mut superuser = PgConnection::connect(&db.superuser_url).await.unwrap();
    for (table, column) in [
        ("journal_batch", "first_id"),
        ("journal_span", "first_id"),
        ("account", "asset"),
    ] {
        let changes = [
            format!("UPDATE engine.{table} SET {column} = 1"),
            format!("DELETE FROM engine.{table}"),
            format!("TRUNCATE engine.{table}"),
        ];
        for change in &changes {
            assert_eq!(refused_with(&mut service, change).await, "42501", "{change}");
            assert_eq!(refused_with(&mut owner, change).await, "FX003", "{change}");
            assert_eq!(refused_with(&mut superuser, change).await, "FX003", "{change}");
        }
    }
    for change in [
        "INSERT INTO engine.journal_batch SELECT * FROM engine.journal_batch",
        "INSERT INTO engine.journal_span SELECT * FROM engine.journal_span",
        "INSERT INTO engine.account SELECT * FROM engine.account",
        "UPDATE engine.head SET last_id = 0",
        "UPDATE engine.lease SET epoch = 99",
        "DELETE FROM engine.balance_block",
        "ALTER TABLE engine.journal_batch DISABLE TRIGGER ALL",
        "CREATE TABLE engine.mine ()",
    ] {
        assert_eq!(refused_with(&mut service, change).await, "42501", "{change}");
    }
    assert_audit_is_clean(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_sees_what_a_superuser_has_tampered_with() {
    let db = database().await;
    let engine = start(&db).await;
    let (alice, bob) = (new_id(), new_id());
    submit(&engine.client, &deposit(alice, 100)).await;
    submit(&engine.client, &transfer(alice, bob, 10)).await;
    engine.stop().await;
    assert_audit_is_clean(&db).await;
    let pool = look(&db).await;
    for (tamper, repair, invariant) in [
        (
            "UPDATE engine.balance_block SET available[2] = available[2] + 1",
            "UPDATE engine.balance_block SET available[2] = available[2] - 1",
            "I02",
        ),
        (
            "GRANT UPDATE (entries) ON engine.journal_batch TO ferrex_engine",
            "REVOKE UPDATE (entries) ON engine.journal_batch FROM ferrex_engine",
            "I10",
        ),
        (
            "ALTER TABLE engine.journal_span DISABLE TRIGGER journal_span_is_append_only",
            "ALTER TABLE engine.journal_span ENABLE TRIGGER journal_span_is_append_only",
            "I10",
        ),
        (
            "ALTER TABLE engine.journal_batch DISABLE TRIGGER USER;
             UPDATE engine.journal_batch SET entries[1].amount = 1000 WHERE first_id = 2;
             ALTER TABLE engine.journal_batch ENABLE TRIGGER USER",
            "ALTER TABLE engine.journal_batch DISABLE TRIGGER USER;
             UPDATE engine.journal_batch SET entries[1].amount = 10 WHERE first_id = 2;
             ALTER TABLE engine.journal_batch ENABLE TRIGGER USER",
            "I05",
        ),
        (
            "INSERT INTO engine.journal_batch SELECT first_id + 1000000, span, entries FROM engine.journal_batch WHERE first_id = 2",
            "ALTER TABLE engine.journal_batch DISABLE TRIGGER USER; DELETE FROM engine.journal_batch WHERE first_id > 2;
             ALTER TABLE engine.journal_batch ENABLE TRIGGER USER",
            "I10",
        ),
        (
            "ALTER TABLE engine.journal_batch DISABLE TRIGGER USER;
             UPDATE engine.journal_batch b SET entries = b.entries || next.entries
               FROM engine.journal_batch next WHERE b.first_id = 1 AND next.first_id = 2;
             ALTER TABLE engine.journal_batch ENABLE TRIGGER USER",
            "ALTER TABLE engine.journal_batch DISABLE TRIGGER USER;
             UPDATE engine.journal_batch SET entries = entries[:1] WHERE first_id = 1;
             ALTER TABLE engine.journal_batch ENABLE TRIGGER USER",
            "I10",
        ),
        (
            "UPDATE engine.head SET last_id = 3",
            "UPDATE engine.head SET last_id = 2",
            "I10",
        ),
    ] {
        sqlx::raw_sql(tamper).execute(&pool).await.unwrap();
        let report = audit::run(&db.admin_url).await.unwrap();
        let found = report.findings.iter().any(|finding| format!("{:?}", finding.invariant) == invariant);
        assert!(found, "{tamper}: {report}");
        sqlx::raw_sql(repair).execute(&pool).await.unwrap();
        assert_audit_is_clean(&db).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_as_checked_in() {
    let db = database().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    assert_schema_matches(&db.superuser_url, SCHEMA.schema, path).await;
}
