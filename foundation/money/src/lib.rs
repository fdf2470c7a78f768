//! Amounts of money: exact, unsigned integers of an asset's smallest unit.
//!
//! There are no arithmetic operators, only checked methods. There is one parser ([`parse`]) and one formatter ([`format`])
//! for the decimal text that people and other programs see, and both are inverse to each other for every amount and every
//! number of decimals.

mod amount;
mod text;

pub use amount::{Amount, AssetId, Decimals, DecimalsOutOfRange};
pub use text::{AmountError, format, parse};
