//! The ledger kernel. (being written)
mod account;
pub use account::{Account, AccountId, AccountKey, Normal, Owner, Purpose};
