use ferrex_postgres::assert_schema_matches;

use crate::database;

#[tokio::test]
async fn the_schema_is_what_the_file_says() {
    let db = database().await;
    assert_schema_matches(
        &db.admin_url,
        "cron",
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql"),
    )
    .await;
}
