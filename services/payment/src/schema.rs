//! The schema of this role.

use ferrex_postgres::{Migration, MigrationSet, SchemaSpec};

const OWN: MigrationSet = MigrationSet {
    name: "payment",
    migrations: &[
        Migration {
            version: 1,
            name: "networks and assets",
            sql: include_str!("../migrations/0001_registry.sql"),
        },
        Migration {
            version: 2,
            name: "people and keys",
            sql: include_str!("../migrations/0002_customer.sql"),
        },
        Migration {
            version: 3,
            name: "wallet and chains",
            sql: include_str!("../migrations/0003_chain.sql"),
        },
        Migration {
            version: 4,
            name: "money",
            sql: include_str!("../migrations/0004_money.sql"),
        },
        Migration {
            version: 5,
            name: "what waits for people",
            sql: include_str!("../migrations/0005_concern.sql"),
        },
        Migration {
            version: 6,
            name: "markets and orders",
            sql: include_str!("../migrations/0006_trading.sql"),
        },
        Migration {
            version: 7,
            name: "stops, batches and fee tiers",
            sql: include_str!("../migrations/0007_trading_day.sql"),
        },
        Migration {
            version: 8,
            name: "orders by the thousand",
            sql: include_str!("../migrations/0008_order_intake.sql"),
        },
        Migration {
            version: 9,
            name: "entries",
            sql: include_str!("../migrations/0009_entries.sql"),
        },
        Migration {
            version: 10,
            name: "orders written once",
            sql: include_str!("../migrations/0010_orders_written_once.sql"),
        },
        Migration {
            version: 11,
            name: "movements",
            sql: include_str!("../migrations/0011_movements.sql"),
        },
    ],
};

/// The schema of this role, for `ferrex migrate`.
pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "payment",
    role: "ferrex_payment",
    sets: &[&ferrex_bus::MIGRATIONS, &ferrex_flows::MIGRATIONS, &OWN],
    // What an asset or network is cannot be changed (F24, H049), and what happened to money cannot be unsaid (I10).
    after_grants: "
        REVOKE UPDATE, DELETE ON asset, network, idempotency, movement, chain_reorganisation, foreign_transaction,
            transfer, withdrawal, deposit_closing, wallet_release, market, placed_order, trade,
            order_batch, fee_schedule FROM ferrex_payment;
        GRANT UPDATE (deposit_minimum, withdrawal_minimum, withdrawal_fee, approval_threshold, deposits_enabled,
            withdrawals_enabled, changed_at) ON asset TO ferrex_payment;
        GRANT UPDATE (name, rpc_urls, confirmations, enabled, halted_because, changed_at) ON network TO ferrex_payment;
        GRANT UPDATE (status) ON transfer TO ferrex_payment;
        GRANT UPDATE (state, sequence, fees, last_price) ON market TO ferrex_payment;
        GRANT UPDATE (price, quantity, status, filled, filled_value, fee, waiting) ON placed_order TO ferrex_payment;
        REVOKE UPDATE ON asked_order, taken_order_name FROM ferrex_payment;
        REVOKE DELETE ON daily_volume, fee_tier FROM ferrex_payment;
        GRANT UPDATE (status, waiting_for, is_final) ON withdrawal TO ferrex_payment;
        REVOKE DELETE ON deposit, outgoing_transaction, deposit_address, wallet, chain_cursor FROM ferrex_payment;
        REVOKE UPDATE ON deposit, outgoing_transaction, deposit_address, wallet FROM ferrex_payment;
        GRANT UPDATE (status, amount, height, block_hash, confirmed) ON deposit TO ferrex_payment;
        GRANT UPDATE (height, block_hash, succeeded, fee_paid, confirmed) ON outgoing_transaction TO ferrex_payment;
        GRANT UPDATE (current) ON deposit_address TO ferrex_payment;
        GRANT UPDATE (next_index) ON wallet TO ferrex_payment;
    ",
};
