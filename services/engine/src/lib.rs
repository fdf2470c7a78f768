//! The engine role: owns the journal and everything that money rests on.
//!
//! One process is the owner and decides; others stand by, following the journal. Commands come from the same process
//! ([`Service::client`]) or over the internal HTTP/2 listener, are decided by the pure kernel (`ferrex-engine-core`), written
//! with one statement a batch, and answered after its commit.
//!
//! - **Tables** (schema `engine`): `journal_batch`, `journal_span`, `account` (append-only, written by `append()` alone; `journal` and
//!   `journal_order` show the first by the row), `head`, `lease`
//!   (changed by functions alone), `balance`, `hold`, `market`, `open_order`, `fee_tier`, `projection` (made from the journal),
//!   `relay` (how far the bus has been told), `told`, `told_upto` (where its broker stored that, and where the relay was),
//!   `snapshot`, `snapshot_part` (the whole state, for a restart).
//! - **Topics out**: `engine.journal.v1`, one `engine.journal.committed` a command that moved money;
//!   `engine.market.v1`, one `engine.market.changed` a command that changed a market or its orders;
//!   `engine.audit.v1`, one `engine.ledger.audited` an audit. **In**: `cron.tick.v1` (job
//!   `ledger_audit`).
//! - **Fencing**: every batch carries its epoch and its predecessor's last row; anything else than the present epoch and
//!   exactly the journal's end is refused by the database. The lease decides only who tries.
//! - **Restart**: the newest good snapshot and the journal's rows after it (`restart.rs`), never the tables.
//! - **How it fails**: on a commit that failed or whose outcome is unknown the waiting callers learn nothing (unknown),
//!   the state is thrown away and loaded again, under a new epoch. Without the database nothing is answered. Without the
//!   bus events wait in the journal. A journal that cannot be replayed stops it for good: halting beats guessing.
//!
//! Where to look: `owner.rs` is the loop, `pipeline.rs` what it has decided and not answered, `standby.rs` following and taking
//! over, `snapshots.rs` what makes snapshots, `store/` the SQL, `relay.rs` the events, `audit.rs` the reader for the
//! independent audit.
//!
//! To add a kind of command: 1. its variant of `Action` and its rows in `domain/engine`, 2. where its rows have columns of their
//! own, a type of entry beside `journal_entry`, as `journal_order_entry` (`store/orders.rs`), 3. its part in the projection.

pub mod audit;
mod beside;
mod config;
mod consumers;
mod error;
pub mod following;
mod gather;
mod http;
mod jobs;
mod lease;
mod owner;
pub mod pipeline;
mod projector;
mod relay;
mod restart;
mod schema;
mod service;
mod shared;
pub mod snapshots;
mod standby;
mod store;
pub mod telling;

pub use config::Config;
pub use error::Error;
pub use restart::Refused;
pub use schema::{MIGRATIONS, SCHEMA};
pub use service::{Dependencies, Service, build};
