use ferrex_notifications::SCHEMA;
use ferrex_postgres::{assert_schema_matches, provision};
use ferrex_testkit::Postgres;

use crate::world::password;

#[tokio::test]
async fn the_migrations_make_the_checked_in_schema() {
    let test = Postgres::shared().await.fresh_database().await;
    provision(&test.admin_url, &SCHEMA, &password()).await.unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    assert_schema_matches(&test.admin_url, SCHEMA.schema, file).await;
}
