//! Markets: what staff configured, and what the engine tells of their state.

mod error;
mod known;
pub mod model;
pub mod requests;
pub mod store;

pub use error::Error;
pub use known::Known;
pub use model::Market;
