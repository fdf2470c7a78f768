//! The schema `notifications`.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

/// This service's own migrations.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    name: "notifications",
    migrations: &[Migration {
        version: 1,
        name: "contact, delivery",
        sql: include_str!("../migrations/0001_contact_delivery.sql"),
    }],
};

/// Schema and role. The log is never thinned out by the service itself.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "notifications",
    role: "ferrex_notifications",
    sets: &[&ferrex_bus::MIGRATIONS, &ferrex_flows::MIGRATIONS, &MIGRATIONS],
    after_grants: "REVOKE DELETE ON delivery FROM ferrex_notifications;",
};
