use ferrex_admin::SCHEMA;
use ferrex_postgres::assert_schema_matches;

use crate::world::World;

#[tokio::test]
async fn the_schema_is_what_the_file_says() {
    let world = World::start().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    assert_schema_matches(&world.database.admin_url, SCHEMA.schema, file).await;
}
