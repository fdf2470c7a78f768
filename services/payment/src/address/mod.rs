//! Addresses: the public side of the signer's wallet, and the deposit addresses derived from it.

mod error;
pub mod flow;
pub mod store;

pub use error::Error;
