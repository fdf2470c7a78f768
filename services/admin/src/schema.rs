//! The schema of this role.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

const OWN: MigrationSet = MigrationSet {
    name: "admin",
    migrations: &[Migration {
        version: 1,
        name: "staff",
        sql: include_str!("../migrations/0001_staff.sql"),
    }],
};

/// The schema of this role, for `ferrex migrate`.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "admin",
    role: "ferrex_admin",
    sets: &[&ferrex_bus::MIGRATIONS, &OWN],
    after_grants: "REVOKE UPDATE, DELETE ON audit_entry FROM ferrex_admin;
                   REVOKE INSERT, DELETE ON audit_head FROM ferrex_admin;
                   REVOKE DELETE ON staff, setup_link, approval FROM ferrex_admin;",
};
