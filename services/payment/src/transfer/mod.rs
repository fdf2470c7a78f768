//! Transfers: money from one person to another, at once.

mod error;
pub mod flow;
pub mod model;
pub mod request;
pub mod store;

pub use error::Error;
