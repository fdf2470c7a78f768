//! The registry: which networks are followed, and which assets there are.

mod error;
pub mod model;
pub mod nodes;
pub mod requests;
pub mod store;

pub use error::Error;
pub use model::{Asset, Network};
pub use nodes::{Node, Nodes};
