//! The engine role: owns the journal and everything that money rests on.
//!
//! One process is the owner and decides; others stand by, following the journal. Commands come from the same process
//! ([`Service::client`]) or over the internal HTTP/2 listener, are decided by the pure kernel (`ferrex-engine-core`), written
//! with one statement a batch, and answered after its commit.
//!
//! - **Tables** (schema `engine`): `journal`, `account` (append-only, written by `append()` alone), `head`, `lease` (changed by
//!   functions alone), `balance`, `hold`, `projection` (made from the journal), `relay` (how far the bus has been told).
//! - **Topic out**: `engine.journal.v1`, one `engine.journal.committed` a command that was applied. **In**: `cron.tick.v1` (job
//!   `ledger_audit`).
//! - **Fencing**: every batch carries its epoch and its predecessor's last row; anything else than the present epoch and
//!   exactly the journal's end is refused by the database. The lease decides only who tries.
//! - **How it fails**: on a commit that failed or whose outcome is unknown the waiting callers learn nothing (unknown),
//!   the state is thrown away and loaded again, under a new epoch. Without the database nothing is answered. Without the
//!   bus events wait in the journal. A journal that cannot be replayed stops it for good: halting beats guessing.
//!
//! Where to look: `owner.rs` is the loop, `standby.rs` following and taking over, `store/` the SQL, `relay.rs` the events,
//! `audit.rs` the reader for the independent audit.
//!
//! To add a kind of order: 1. its variant of `Action` and its rows in `domain/engine`, 2. a table beside `journal` whose ids
//! come from the same sequence, 3. its arrays in `append()` (a new function version), 4. its part in `store/load.rs`.

pub mod audit;
mod config;
mod consumers;
mod error;
mod http;
mod jobs;
mod lease;
mod owner;
mod projector;
mod relay;
mod schema;
mod service;
mod shared;
mod standby;
mod store;

pub use config::Config;
pub use error::Error;
pub use schema::{MIGRATIONS, SCHEMA};
pub use service::{Dependencies, Service, build};
