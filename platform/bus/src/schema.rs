use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

/// What every service's schema needs to speak on the bus: `outbox`, `published`, `published_end`, `inbox`, `parked`.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    name: "bus",
    migrations: &[
        Migration {
            version: 1,
            name: "outbox, inbox, parked",
            sql: include_str!("migrations/service_1.sql"),
        },
        Migration {
            version: 2,
            name: "published",
            sql: include_str!("migrations/service_2.sql"),
        },
        Migration {
            version: 3,
            name: "published by the batch",
            sql: include_str!("migrations/service_3.sql"),
        },
    ],
};

const LOG: MigrationSet = MigrationSet {
    name: "bus_log",
    migrations: &[
        Migration {
            version: 1,
            name: "the embedded log",
            sql: include_str!("migrations/embedded_1.sql"),
        },
        Migration {
            version: 2,
            name: "the log by the batch",
            sql: include_str!("migrations/embedded_2.sql"),
        },
    ],
};

/// The schema of the embedded transport.
pub const EMBEDDED: SchemaSpec = SchemaSpec {
    schema: "bus",
    role: "ferrex_bus",
    sets: &[&LOG],
    after_grants: "",
};
