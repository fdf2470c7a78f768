//! Orders and trades: the way from a person to the engine's books, and the read model that its events make.

pub mod batch;
pub mod change;
mod error;
pub mod follow;
pub mod read;
pub mod request;
pub mod resolve;
pub mod store;

pub use error::Error;

/// An order, and whether what is shown of it is all that happened.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order.
    pub order: store::OrderRow,
    /// Where.
    pub market: crate::market::Market,
    /// Whether the engine has taken it.
    pub accepted: bool,
}

impl Placed {
    /// An order that the engine has decided.
    const fn shown(order: store::OrderRow, market: crate::market::Market) -> Self {
        Self {
            order,
            market,
            accepted: true,
        }
    }
}
