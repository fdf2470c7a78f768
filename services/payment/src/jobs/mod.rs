//! Work that comes by the clock.

pub mod fee_tiers;
pub mod hold_expiry;
pub mod order_expiry;
pub mod revocations;
