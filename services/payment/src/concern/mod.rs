//! What about money waits for people: books that differ, halted networks, deposits that the ledger cannot hold; and what
//! staff can do about it.
//!
//! To add a kind: its variant of `ConcernKind` in the contracts, its query in `store.rs`, a line in [`flow::list`].

mod error;
pub mod flow;
pub mod store;

pub use error::Error;
