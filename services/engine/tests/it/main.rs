//! The engine service on a real PostgreSQL. Every test ends with the independent audit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod audits;
mod balances;
mod batches;
mod commit;
mod crash;
mod crashes;
mod orders;
mod ownership;
mod relay;
mod remote;
mod restart;
mod rights;
mod snapshots;
mod support;
