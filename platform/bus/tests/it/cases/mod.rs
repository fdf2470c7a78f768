//! The cases of the contract, by subject.

pub mod delivery;
pub mod failures;
pub mod groups;
pub mod outbox;
pub mod requests;
