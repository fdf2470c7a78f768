//! The schema `signer` and who may do what in it.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

/// The signer's own migrations.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    name: "signer",
    migrations: &[
        Migration {
            version: 1,
            name: "intents",
            sql: include_str!("../migrations/0001_intent.sql"),
        },
        Migration {
            version: 2,
            name: "nonce advances",
            sql: include_str!("../migrations/0002_nonce_advance.sql"),
        },
    ],
};

/// Schema and role of the signer.
///
/// The role can change a wallet's next nonce and the dearest fee of an intent, and nothing else that is written: what was
/// signed stays as it was.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "signer",
    role: "ferrex_signer",
    sets: &[&ferrex_bus::MIGRATIONS, &MIGRATIONS],
    after_grants: "
        REVOKE UPDATE, DELETE, TRUNCATE ON keystore, wallet, intent, signature, cancelled, nonce_advance FROM ferrex_signer;
        GRANT UPDATE (next_nonce) ON wallet TO ferrex_signer;
        GRANT UPDATE (fee_max) ON intent TO ferrex_signer;",
};
