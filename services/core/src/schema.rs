//! The schema of this role.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

const OWN: MigrationSet = MigrationSet {
    name: "core",
    migrations: &[Migration {
        version: 1,
        name: "people",
        sql: include_str!("../migrations/0001_people.sql"),
    }],
};

/// The schema of this role, for `ferrex migrate`.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "core",
    role: "ferrex_core",
    sets: &[&ferrex_bus::MIGRATIONS, &OWN],
    // A decision about an identity is history: it may be completed, not deleted.
    after_grants: "REVOKE DELETE ON users, verifications FROM ferrex_core",
};
