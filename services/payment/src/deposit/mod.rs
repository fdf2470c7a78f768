//! Deposits: payments to our addresses, from the first sight in a block to the credit, and back again when a
//! reorganisation takes them away.

mod events;
pub mod flow;
pub mod model;
pub mod store;
