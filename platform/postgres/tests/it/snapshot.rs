use ferrex_postgres::{assert_schema_matches, dump_schema};

use crate::shop;

const EXPECTED: &str = r#"-- Schema "shop" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TABLE journal (
    id     bigint NOT NULL,
    amount numeric(39,0) NOT NULL,
    CONSTRAINT journal_pkey PRIMARY KEY (id),
    CONSTRAINT journal_amount_check CHECK ((amount > (0)::numeric))
);
CREATE INDEX journal_amount ON journal USING btree (amount);
GRANT INSERT, SELECT ON journal TO ferrex_shop;

CREATE TABLE note (
    id   bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    body text NOT NULL,
    CONSTRAINT note_pkey PRIMARY KEY (id),
    CONSTRAINT note_body_once UNIQUE (body)
);
COMMENT ON TABLE note IS 'What was said';
GRANT DELETE, INSERT, SELECT, UPDATE ON note TO ferrex_shop;

GRANT SELECT, USAGE ON note_id_seq TO ferrex_shop;

CREATE TABLE schema_migration ("#;

#[tokio::test]
async fn a_schema_reads_as_statements_in_a_stable_order() {
    let (test, _db) = shop().await;
    let text = dump_schema(&test.admin_url, "shop").await.unwrap();
    assert!(text.starts_with(EXPECTED), "{text}");
    assert!(
        text.contains("CREATE OR REPLACE FUNCTION twice(n integer)"),
        "{text}"
    );
    assert_eq!(text, dump_schema(&test.admin_url, "shop").await.unwrap());
}

#[tokio::test]
async fn a_schema_file_that_differs_fails_the_test_that_compares() {
    let (test, _db) = shop().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("schema.sql");
    std::fs::write(&file, dump_schema(&test.admin_url, "shop").await.unwrap()).unwrap();
    assert_schema_matches(&test.admin_url, "shop", &file).await;
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return;
    }
    std::fs::write(&file, "CREATE TABLE other ();").unwrap();
    let differs = tokio::spawn(async move { assert_schema_matches(&test.admin_url, "shop", file).await });
    assert!(differs.await.unwrap_err().is_panic());
}
