//! Actions by their numbers alone.

use ferrex_engine_core::{
    Action, AmendOrder, FeeRate, MarketState, OrderKind, OrderRef, PlaceOrder, Side, Tif,
};
use ferrex_money::Amount;

use crate::support::{Desk, MARKET, limit, user};

pub fn place(order: PlaceOrder) -> Action {
    Action::PlaceOrder(order)
}

pub fn market(owner: u128, side: Side, lots: u64, protection: u64) -> Action {
    let mut order = limit(user(owner), side, 1, 1, Tif::Ioc);
    order.kind = OrderKind::Market {
        quantity: Amount::new(10 * u128::from(lots)),
        protection: Amount::new(5 * u128::from(protection)),
    };
    place(order)
}

pub fn amend(owner: u128, number: u64, ticks: Option<u64>, lots: Option<u64>) -> Action {
    Action::AmendOrder(AmendOrder {
        market: MARKET,
        owner: user(owner),
        order: OrderRef::Number(number),
        price: ticks.map(|ticks| Amount::new(5 * u128::from(ticks))),
        quantity: lots.map(|lots| Amount::new(10 * u128::from(lots))),
    })
}

pub fn state(state: MarketState) -> Action {
    Action::SetMarketState {
        market: MARKET,
        state,
    }
}

pub fn fees(maker_ppm: u32, taker_ppm: u32) -> Action {
    Action::SetFees {
        market: MARKET,
        rates: vec![FeeRate { maker_ppm, taker_ppm }],
    }
}

/// Numbers of the open orders, the longest in place first.
pub fn queue(desk: &Desk) -> Vec<u64> {
    let orders = desk.engine.open_orders(MARKET);
    orders.iter().map(|order| order.open.order.0).collect()
}
