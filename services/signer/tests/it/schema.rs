use ferrex_postgres::assert_schema_matches;
use ferrex_signer::SCHEMA;

use crate::world::{connect, database, intent, payment, signer};

#[tokio::test]
async fn the_schema_is_the_one_that_is_checked_in() {
    let db = database().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    assert_schema_matches(&db.admin_url, SCHEMA.schema, path).await;
}

#[tokio::test]
async fn i10_the_role_cannot_change_what_was_signed() {
    let (db, signer) = signer().await;
    signer.sign_withdrawal(&payment(intent())).await.unwrap();
    let pool = connect(&db.url).await;
    for sql in [
        "UPDATE signature SET raw = ''",
        "DELETE FROM signature",
        "UPDATE intent SET payee = contract",
        "UPDATE intent SET amount = 1",
        "DELETE FROM intent",
        "DELETE FROM wallet",
        "UPDATE keystore SET account_xpub = ''",
        "DELETE FROM cancelled",
        "TRUNCATE signature",
    ] {
        let error = sqlx::raw_sql(sql).execute(pool.pool()).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{sql}: {error}");
    }
}
