use crate::{End, Lots, OrderNo, Side, Ticks};

/// One side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The order.
    pub order: OrderNo,
    /// Its place in the slab, good until the next call that changes the book; 0 for an order that is just coming.
    pub slot: u32,
    /// Dense number of its owner.
    pub owner: u32,
    /// What it has left after the trade.
    pub left: Lots,
    /// Whether the trade sent it to the end of its queue.
    pub requeued: bool,
}

/// What happened, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Two orders traded. The maker rested before; in an auction both did, the maker is the buyer, and what becomes of one
    /// whose limit is above the price follows as [`Event::Set`] or [`Event::Ended`].
    Trade {
        /// The order that rested.
        maker: Party,
        /// The order that came.
        taker: Party,
        /// Side of the order that came.
        taker_side: Side,
        /// At which price.
        price: Ticks,
        /// How much.
        lots: Lots,
        /// Whether it happened in an auction.
        auction: bool,
    },
    /// An order was accepted; its trades, if any, stand before this.
    Placed {
        /// The order.
        order: OrderNo,
        /// Its place in the slab; 0 when it is not open.
        slot: u32,
        /// Lots traded at once.
        filled: Lots,
        /// Lots left open.
        left: Lots,
        /// Why it is not open; `None` for one that is.
        end: Option<End>,
    },
    /// An order left the book to be matched anew; its trades follow, then [`Event::Set`] or [`Event::Ended`].
    Lifted {
        /// The order.
        order: OrderNo,
        /// Its place in the slab.
        slot: u32,
        /// What it may trade now.
        left: Lots,
        /// Whether it was a stop that the last price triggered; else it was amended.
        triggered: bool,
    },
    /// An order rests with other values than before.
    Set {
        /// The order.
        order: OrderNo,
        /// Its place in the slab.
        slot: u32,
        /// Its limit.
        limit: Ticks,
        /// Its total, the traded part included.
        total: Lots,
        /// What it has left.
        left: Lots,
        /// Whether it went to the end of its queue.
        requeued: bool,
    },
    /// An order is no longer open. An order that rested and that trades at its own limit have filled
    /// ends without this.
    Ended {
        /// The order.
        order: OrderNo,
        /// Its place in the slab.
        slot: u32,
        /// Dense number of its owner.
        owner: u32,
        /// Why.
        why: End,
    },
}
