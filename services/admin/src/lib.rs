//! `admin`: staff. Their accounts, their decisions, and the log of everything they did. It touches no other service's
//! tables: what staff decide goes to `core` and `payment` as requests over the bus.
//!
//! - **Tables** (schema `admin`, see `schema.sql`): `staff`, `setup_link`, `staff_session`, `attempts`, `approval` (read table),
//!   `audit_entry` and `audit_head` (append-only, chained), and the bus's `outbox`, `inbox`, `parked`.
//! - **Topics out**: requests to `core.requests.v1` and `payment.requests.v1`; `admin.audit.v1` (checkpoints of the audit log). **In**:
//!   `payment.withdrawal.v1`, `cron.tick.v1` (job `ledger_audit`).
//! - **How it fails**: without PostgreSQL every call answers 503; without the bus, or when the other service does not answer
//!   in time, an action answers 503, its audit entries say `attempted` and `unknown`, and it may be tried again. Nothing is
//!   asked for that could not be written to the audit log first.
//! - **What is secret**: passwords (argon2id), tokens of sessions and set-up links (keyed hashes only), authenticator
//!   secrets (sealed).
//!
//! Inside, one folder an aggregate: `staff`, `sessions`, `approvals`, `audit`; beside them `secrets`, `throttle`; then `http` (one
//! file an endpoint) and `consumers`.
//!
//! To add an action of staff on another service: a request in `ferrex-contracts`, one file under `http/` that calls
//! [`audit::act`], one line in the router there.

mod app;
pub mod approvals;
pub mod audit;
mod config;
mod consumers;
mod http;
mod schema;
pub mod secrets;
mod service;
pub mod sessions;
pub mod staff;
mod throttle;

pub use app::Admin;
pub use config::{Config, Limit};
pub use http::specification;
pub use schema::SCHEMA;
pub use service::{Deps, Service, build};
