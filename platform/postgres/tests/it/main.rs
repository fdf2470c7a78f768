//! This crate on a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on shall fail where it stands"
)]

mod cancelled;
mod number;
mod outage;
mod plans;
mod provisioning;
mod snapshot;

use ferrex_postgres::{Db, DbConfig, Migration, MigrationSet, SchemaSpec, provision};
use ferrex_testkit::{Postgres, TestDb};
use secrecy::SecretString;

const OWN: MigrationSet = MigrationSet {
    name: "shop",
    migrations: &[
        Migration {
            version: 1,
            name: "note",
            sql: "CREATE TABLE note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);
                  COMMENT ON TABLE note IS 'What was said';
                  CREATE TABLE journal (id bigint PRIMARY KEY, amount numeric(39,0) NOT NULL CHECK (amount > 0));",
        },
        Migration {
            version: 2,
            name: "one body once",
            sql: "ALTER TABLE note ADD CONSTRAINT note_body_once UNIQUE (body);
                  CREATE INDEX journal_amount ON journal (amount);
                  CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';",
        },
    ],
};

const SHOP: SchemaSpec = SchemaSpec {
    schema: "shop",
    role: "ferrex_shop",
    sets: &[&OWN],
    after_grants: "REVOKE UPDATE, DELETE ON journal FROM ferrex_shop;",
};

fn password() -> SecretString {
    "it's a \"password\"".to_owned().into()
}

async fn shop() -> (TestDb, Db) {
    let test = Postgres::shared().await.fresh_database().await;
    provision(&test.admin_url, &SHOP, &password()).await.unwrap();
    let db = connect(&test.url).await;
    (test, db)
}

async fn connect(url: &str) -> Db {
    Db::connect(&DbConfig::new(url, SHOP.role, password(), SHOP.schema))
        .await
        .unwrap()
}
