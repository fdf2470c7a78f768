//! The schema `webhooks`.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

/// The service's own migrations.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    name: "webhooks",
    migrations: &[Migration {
        version: 1,
        name: "inbound_event, quarantine",
        sql: include_str!("../migrations/0001_inbound.sql"),
    }],
};

/// Schema and role of webhooks.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "webhooks",
    role: "ferrex_webhooks",
    sets: &[&ferrex_bus::MIGRATIONS, &ferrex_flows::MIGRATIONS, &MIGRATIONS],
    after_grants: "REVOKE DELETE ON inbound_event FROM ferrex_webhooks;",
};
