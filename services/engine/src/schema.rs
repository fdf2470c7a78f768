//! The schema `engine` and who may do what in it.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

/// The engine's own migrations.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    name: "engine",
    migrations: &[
        Migration {
            version: 1,
            name: "journal",
            sql: include_str!("../migrations/0001_journal.sql"),
        },
        Migration {
            version: 2,
            name: "projection",
            sql: include_str!("../migrations/0002_projection.sql"),
        },
        Migration {
            version: 3,
            name: "orders",
            sql: include_str!("../migrations/0003_orders.sql"),
        },
        Migration {
            version: 4,
            name: "snapshots",
            sql: include_str!("../migrations/0004_snapshots.sql"),
        },
        Migration {
            version: 5,
            name: "told",
            sql: include_str!("../migrations/0005_told.sql"),
        },
        Migration {
            version: 6,
            name: "summaries",
            sql: include_str!("../migrations/0006_summaries.sql"),
        },
        Migration {
            version: 7,
            name: "audits",
            sql: include_str!("../migrations/0007_audits.sql"),
        },
        Migration {
            version: 8,
            name: "vacuum",
            sql: include_str!("../migrations/0008_vacuum.sql"),
        },
        Migration {
            version: 9,
            name: "entries",
            sql: include_str!("../migrations/0009_entries.sql"),
        },
        Migration {
            version: 10,
            name: "two_batches",
            sql: include_str!("../migrations/0010_two_batches.sql"),
        },
        Migration {
            version: 11,
            name: "batches",
            sql: include_str!("../migrations/0011_batches.sql"),
        },
        Migration {
            version: 12,
            name: "balance_blocks",
            sql: include_str!("../migrations/0012_balance_blocks.sql"),
        },
    ],
};

/// Schema and role of the engine.
///
/// I10: the role reads journal, accounts, head and lease, and changes them only through the functions, which check the
/// epoch. It never has UPDATE or DELETE on the journal.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "engine",
    role: "ferrex_engine",
    sets: &[&ferrex_bus::MIGRATIONS, &MIGRATIONS],
    after_grants: "
        REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON journal_batch, journal_span, journal, journal_order, account, head, lease FROM ferrex_engine;
        REVOKE INSERT, DELETE ON projection, relay, audit FROM ferrex_engine;
        REVOKE UPDATE, TRUNCATE ON snapshot, snapshot_part FROM ferrex_engine;
        REVOKE DELETE ON snapshot_part FROM ferrex_engine;
        REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON balance FROM ferrex_engine;
        REVOKE DELETE ON balance_block, hold, market, fee_tier FROM ferrex_engine;
        REVOKE EXECUTE ON FUNCTION refuse_change() FROM ferrex_engine;",
};
