//! Orders and trades: the way from a person to the engine's books, and the read model that its events make.

mod error;
pub mod follow;
pub mod request;
pub mod resolve;
pub mod store;

pub use error::Error;
