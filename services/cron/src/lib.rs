//! The cron role: says when, never does the work.
//!
//! Schedules stand in the database. One process leads, by a lease whose epoch every tick checks. When a job's moment
//! has come the leader writes a run (unique by job and moment) and the event `cron.tick` in one transaction; whoever owns
//! the job does the work. A worker that was down finds the tick waiting on the bus. Moments that passed while nobody led
//! are caught up as the schedule declares.
//!
//! - **Tables** (schema `cron`): `schedule`, `run`, `leader`, and the outbox of the bus.
//! - **Topic out**: `cron.tick.v1`, key = the job, so that a job's ticks arrive in order.
//! - **How it fails**: without the database nobody leads and nothing is due; what was missed is caught up. Without the bus
//!   ticks wait in the outbox.
//!
//! Jobs: `hold_expiry`, `order_expiry` (payment), `ledger_audit` (engine), `session_cleanup` (core), `delivery_retry` (notifications).
//!
//! To add a job: 1. a line in `schedules/seeds.rs`, 2. a consumer of `CronTick` in the service that owns the work, which
//! ignores other jobs' ticks and does the work once for (job, moment).

mod config;
mod error;
mod leader;
mod schedules;
mod schema;
mod service;

pub use config::Config;
pub use error::Error;
pub use schedules::model::{CatchUp, Due, Expression, Schedule};
pub use schedules::seeds::{
    DELIVERY_RETRY, FEE_TIERS, HOLD_EXPIRY, LEDGER_AUDIT, ORDER_EXPIRY, SESSION_CLEANUP,
};
pub use schedules::store::ScheduleRow;
pub use schema::{MIGRATIONS, SCHEMA};
pub use service::{Dependencies, Service, build};
