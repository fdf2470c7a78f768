//! What staff did: an append-only log whose entries are chained by keyed hashes.
//!
//! An action that another service performs has two entries: `attempted` before it is asked, then its outcome (`done`,
//! `refused`, `unknown`). An attempt without an outcome was cut off in between and is as good as `unknown`. An action in
//! this schema has one, `done`, in the transaction of the change.
//!
//! To audit a new action: call [`act`] (another service does it) or [`append_in_tx`] (this schema does).

mod flow;
mod model;
mod store;

pub use flow::{Act, act};
pub use model::{Broken, Entry, NewEntry, Outcome, Verdict};
pub use store::{append, append_in_tx, head, list, verify};
