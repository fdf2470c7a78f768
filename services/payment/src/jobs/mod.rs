//! Work that comes by the clock.

pub mod hold_expiry;
pub mod order_expiry;
pub mod revocations;
