//! The schema `cron`.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

/// The service's own migrations.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    name: "cron",
    migrations: &[Migration {
        version: 1,
        name: "schedule, run, leader",
        sql: include_str!("../migrations/0001_schedule.sql"),
    }],
};

/// Schema and role of cron.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "cron",
    role: "ferrex_cron",
    sets: &[&ferrex_bus::MIGRATIONS, &MIGRATIONS],
    after_grants: "REVOKE UPDATE ON run FROM ferrex_cron;",
};
