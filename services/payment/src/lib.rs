//! `payment`: assets and networks, deposits, withdrawals, transfers, statements. It books through the engine and signs
//! through the signer; it holds no key, and of people it knows an opaque id, a user name and a level.
//!
//! - **Tables** (schema `payment`, see `schema.sql`): `network`, `asset`, `customer`, `revoked_session`, `idempotency`, `wallet`,
//!   `deposit_address`, `chain_cursor`, `chain_block`, `chain_reorganisation`, `deposit`, `withdrawal`, `outgoing_transaction`,
//!   `hot_wallet_claim`, `foreign_transaction`, `transfer`, `movement`, `ledger_audit`, `audit_halt`, `deposit_closing`,
//!   `wallet_release`, `market`, `asked_order`, `taken_order_name`, `placed_order`, `trade`, `order_batch`, `daily_volume`, `fee_schedule`, `fee_tier`; the flows' `flow`, `flow_history`, `flow_effect`; the bus's
//!   `outbox`, `inbox`, `parked`.
//! - **Topics out**: `payment.deposit.v1`, `payment.transfer.v1`, `payment.withdrawal.v1`. **In**: `payment.requests.v1`, `core.user.v1`,
//!   `core.session.v1`, `engine.journal.v1`, `engine.market.v1`, `engine.audit.v1`, `cron.tick.v1` (jobs `hold_expiry`, `order_expiry`, `fee_tiers`). It asks `core` (who is meant, second factors)
//!   and `signer` (the wallet, signatures).
//! - **How it fails**: without PostgreSQL every call answers 503; without the engine money calls answer 503 or 202 and flows
//!   wait; without a network's nodes that network rests, readiness names it, others go on; without the bus events wait in the
//!   outbox. Nothing that may have happened is taken for a failure.
//! - **Events** go out in the step that follows the ledger's commit, never before.
//!
//! Inside, one folder an aggregate: `registry`, `address`, `customer`, `deposit`, `withdrawal`, `transfer`, `statement`, `concern` (what waits for
//! people), `market`, `order`, `fee` (of trades); beside them
//! `follower` (reads the chains), `idempotency`; then `http` (one file an endpoint), `consumers`, `jobs`.
//!
//! To add an endpoint: one file under `http/`, one line in its `router`. To add a state to a flow: a variant in its
//! `model.rs` with its label and transitions, a test beside it, and what it wants done in its `flow.rs`.

mod address;
mod app;
mod concern;
mod config;
mod consumers;
mod customer;
pub mod deposit;
mod derive;
mod fee;
mod follower;
mod http;
mod idempotency;
pub mod jobs;
mod market;
mod order;
mod registry;
mod schema;
mod service;
pub mod statement;
pub mod transfer;
mod turn;
pub mod withdrawal;

pub use app::{Context, Payment};
pub use config::Config;
pub use http::specification;
pub use order::follow::apply as apply_market_events;
pub use schema::SCHEMA;
pub use service::{Deps, Service, build};
