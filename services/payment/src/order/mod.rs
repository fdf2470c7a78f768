//! Orders and trades: the way from a person to the engine's books, and the read model that its events make.

pub mod batch;
pub mod change;
mod error;
pub mod follow;
pub mod intake;
pub mod model;
pub mod read;
pub mod request;
pub mod resolve;
pub mod shown;
pub mod store;
pub mod trades;

pub use error::Error;

use std::sync::Arc;

use crate::market::Market;

/// An order, and whether what is shown of it is all that happened.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order.
    pub order: model::OrderRow,
    /// Where.
    pub market: Arc<Market>,
    /// Whether the engine has taken it.
    pub accepted: bool,
}

impl Placed {
    /// An order that the engine has decided.
    const fn shown(order: model::OrderRow, market: Arc<Market>) -> Self {
        Self {
            order,
            market,
            accepted: true,
        }
    }
}
