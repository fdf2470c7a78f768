//! An intent: a payment that somebody decided on, and everything ever signed for it.

mod advance;
mod flow;
pub mod model;
mod store;

pub(crate) use store::claim_keystore;
