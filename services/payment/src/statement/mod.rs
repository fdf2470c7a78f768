//! What people see of their money: balances from the engine, history from the journal's events.

pub mod balances;
pub mod movements;
pub mod store;
