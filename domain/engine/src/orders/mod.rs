//! Markets and orders: a command reserves, matches and settles at once, so there is never a trade without its money, nor
//! money set aside without its order.
//!
//! - What an order sets aside is a number beside the order ([`OrderState::held`]) and part of its account's held amount:
//!   a sell the base asset of what it has left, a buy its limit times what it has left in the quote asset. A taker pays out
//!   of what is available, a maker out of what it has set aside. The hold goes with the order, to the last unit.
//! - The fee is taken from what is received: a buyer pays it in the base asset, a seller in the quote asset, so nothing is set
//!   aside for it. It is rounded up to a whole unit and booked to the house's fees account of that asset.
//! - A tick times a lot is a whole number of the quote asset's smallest units, so a trade's value is never rounded.
//! - A command that the book refuses, or that its owner cannot pay, leaves nothing but its refusal.

mod command;
mod decide;
mod fees;
mod fingerprint;
mod market;
mod projection;
mod replay;
mod report;
mod row;
mod settle;

pub use command::{
    AmendOrder, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, OrderRef, PlaceOrder, Terms,
};
pub use projection::{MarketView, OrderChanges, OrderState};
pub use report::OrderReport;
pub use row::{Details, OrderFlags, OrderPart};

pub(crate) use decide::{TIERS_MAX, check};
pub(crate) use fees::Trading;
pub(crate) use fingerprint::{encode, encode_spec};
pub(crate) use market::Bounds;
