//! The matching kernel: the order book of one market on integer ticks and lots.
//!
//! Pure: no clock, no input or output, no money. It knows prices in ticks, quantities in lots, owners as dense numbers, and
//! makes nothing but the dense numbers of orders. What happens is written as [`Event`]s into a buffer of the caller.
//!
//! - Price, then time. A trade happens at the price of the order that rested. Less quantity at the same price keeps the
//!   place in the queue; anything else loses it, and so does an iceberg whose shown part was used up.
//! - Two orders of one owner never trade with each other ([`SelfTrade`]).
//! - A refused order ([`Refused`]) has changed nothing.
//! - Stops wait beside the book and are triggered by the last trade, one at a time: of the waiting buys the lowest stop price
//!   at or below the last price, else of the sells the highest at or above it, the older first. Each is matched to its end
//!   before the next is looked for. One call triggers at most [`CASCADE_MAX`]; those left over wait for the next call
//!   that changes the market and are triggered by it if the last price still demands it.
//! - In an auction orders gather without trading; [`Book::uncross`] has the rules of its price.
//!
//! How it is built: prices near the market lie in a flat array with a two-level bitmap, far ones in a tree; orders are
//! 40-byte nodes in a slab, linked by 32-bit numbers into a queue per price; an order is found by its number in a flat
//! ring. A command allocates nothing once the arrays have grown.
//!
//! Two doors lead in, as in the ledger: the deciding methods, and [`Book::replay_open`] and its sisters, which apply what was
//! decided before.

mod auction;
mod book;
mod event;
mod index;
mod ladder;
mod order;
mod orders;
mod replay;
mod taking;
#[cfg(test)]
mod tests;

pub use book::{Book, CASCADE_MAX, Sizes};
pub use event::{Event, Party};
pub use order::{End, Lots, NEVER, Open, OrderNo, Place, Refused, SelfTrade, Side, Ticks, Tif};
pub use replay::Impossible;
