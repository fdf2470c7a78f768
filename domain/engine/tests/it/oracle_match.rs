//! The oracle's matching: one order against a sorted list, one pair at a time.

use ferrex_engine_core::{SelfTrade, Side, Tif};
use uuid::Uuid;

use crate::oracle::{Market, Oracle, Order, Trade, queue, rest, triggered};
use crate::oracle_checks::reference;

impl Oracle {
    /// Matches an order that comes, and lets it rest or drops it. `fresh` tells a new order from one that was on the book.
    pub fn take(&mut self, id: u32, mut order: Order, fresh: bool) {
        let (mut filled, mut decremented, mut stopped) = (0, 0, false);
        loop {
            let market = self.markets.get_mut(&id).unwrap();
            if order.left == 0 {
                break;
            }
            let Some(place) = queue(market, order.side, order.limit).first().copied() else {
                break;
            };
            let other = &market.orders[place];
            let price = other.limit;
            let mut lots = order.left.min(other.shown);
            if let Some(value) = order.value {
                lots = u64::try_from((value / u128::from(price)).min(u128::from(lots))).unwrap();
                if lots == 0 {
                    break;
                }
            }
            if other.owner == order.owner {
                match order.self_trade {
                    SelfTrade::CancelNewest => stopped = true,
                    SelfTrade::CancelOldest => drop(market.orders.remove(place)),
                    SelfTrade::CancelBoth => {
                        market.orders.remove(place);
                        stopped = true;
                    }
                    SelfTrade::Decrement => {
                        order.left -= lots;
                        spend(&mut order, price, lots);
                        decremented += lots;
                        let other = &mut market.orders[place];
                        (other.left, other.total) = (other.left - lots, other.total - lots);
                        other.shown = other.shown.min(other.left);
                        if other.left == 0 {
                            market.orders.remove(place);
                        }
                    }
                }
                if stopped {
                    break;
                }
                continue;
            }
            order.left -= lots;
            spend(&mut order, price, lots);
            filled += lots;
            let (other_number, other_owner) = (other.number, other.owner);
            fill(market, place, lots);
            market.last = price;
            self.pay(id, price, lots, &order, (other_number, other_owner), false);
        }
        let market = self.markets.get_mut(&id).unwrap();
        let rests = order.tif == Tif::Gtc || order.tif == Tif::PostOnly;
        if order.left > 0 && rests && !stopped {
            if fresh {
                order.total = filled + order.left;
            } else {
                order.total -= decremented;
            }
            rest(market, order);
        }
    }

    /// Triggers stops, 256 at most.
    pub fn cascade(&mut self, id: u32) {
        for _ in 0..256 {
            let market = self.markets.get_mut(&id).unwrap();
            let Some(place) = triggered(market) else { return };
            let mut order = market.orders.remove(place);
            order.waiting = false;
            self.take(id, order, false);
        }
    }

    /// Moves both sides of a trade between people, and the fees to the house.
    fn pay(&mut self, id: u32, price: u64, lots: u64, order: &Order, other: (u64, Uuid), auction: bool) {
        let market = &self.markets[&id];
        let (base, quote) = (market.spec.base.0, market.spec.quote.0);
        let lots_units = u128::from(lots) * market.lot;
        let value = u128::from(price) * u128::from(lots) * market.unit;
        let rate = |who: &Uuid, taker: bool| {
            let tier = usize::from(self.tiers.get(who).copied().unwrap_or(0));
            let rate = market.fees.get(tier).or(market.fees.last());
            let ppm = rate.map_or(0, |rate| if taker { rate.taker_ppm } else { rate.maker_ppm });
            u128::from(ppm)
        };
        let up = |amount: u128, ppm: u128| (amount * ppm).div_ceil(1_000_000);
        let taker = (order.number, order.owner);
        let (buyer, seller) = if order.side == Side::Buy {
            (taker, other)
        } else {
            (other, taker)
        };
        let takes = |side| !auction && order.side == side;
        let buyer_fee = up(lots_units, rate(&buyer.1, takes(Side::Buy)));
        let seller_fee = up(value, rate(&seller.1, takes(Side::Sell)));
        let trade = Trade {
            market: id,
            price,
            lots,
            buy_order: buyer.0,
            sell_order: seller.0,
            buyer_fee,
            seller_fee,
        };
        self.trades.push(trade);
        let moves = [
            (buyer.1, seller.1, quote, value, seller_fee),
            (seller.1, buyer.1, base, lots_units, buyer_fee),
        ];
        for (from, to, asset, amount, fee) in moves {
            // A trial on a copy has no money.
            let from = self.totals.entry((from, asset)).or_default();
            *from = from.saturating_sub(amount);
            *self.totals.entry((to, asset)).or_default() += amount - fee;
            *self.totals.entry((Uuid::nil(), asset)).or_default() += fee;
        }
    }

    /// Trades at one price all that reaches it.
    pub fn uncross(&mut self, id: u32) {
        let Some(price) = clearing_price(&self.markets[&id]) else {
            return;
        };
        loop {
            let market = self.markets.get_mut(&id).unwrap();
            let bid = queue(market, Side::Sell, price).first().copied();
            let ask = queue(market, Side::Buy, price).first().copied();
            let (Some(bid), Some(ask)) = (bid, ask) else {
                return;
            };
            let (buy, sell) = (market.orders[bid].clone(), market.orders[ask].clone());
            let lots = buy.shown.min(sell.shown);
            market.last = price;
            fill(market, bid, lots);
            let ask = market.orders.iter().position(|order| order.number == sell.number);
            fill(market, ask.unwrap(), lots);
            self.pay(id, price, lots, &sell, (buy.number, buy.owner), true);
        }
    }
}

fn spend(order: &mut Order, price: u64, lots: u64) {
    if let Some(value) = &mut order.value {
        *value -= u128::from(price) * u128::from(lots);
    }
}

/// Takes lots off what an order shows; an iceberg then shows its next part and goes to the end.
fn fill(market: &mut Market, place: usize, lots: u64) {
    let order = &mut market.orders[place];
    (order.left, order.shown) = (order.left - lots, order.shown - lots);
    if order.shown > 0 {
        return;
    }
    let order = market.orders.remove(place);
    if order.left > 0 {
        rest(market, order);
    }
}

/// Every limit price is tried.
fn clearing_price(market: &Market) -> Option<u64> {
    let resting = || market.orders.iter().filter(|order| !order.waiting);
    let sum = |side: Side, price: u64| -> i128 {
        let reach =
            resting().filter(|order| order.side == side && crate::oracle::meets(side, order.limit, price));
        reach.map(|order| i128::from(order.left)).sum()
    };
    let mut tried: Vec<(i128, i128, u64)> = resting()
        .map(|order| order.limit)
        .map(|price| (sum(Side::Buy, price), sum(Side::Sell, price), price))
        .collect();
    let most = tried.iter().map(|(bids, asks, _)| *bids.min(asks)).max()?;
    if most == 0 {
        return None;
    }
    tried.retain(|(bids, asks, _)| *bids.min(asks) == most);
    let least = tried.iter().map(|(bids, asks, _)| (bids - asks).abs()).min()?;
    tried.retain(|(bids, asks, _)| (bids - asks).abs() == least);
    let prices = tried.iter().map(|(_, _, price)| *price);
    if tried.iter().all(|(bids, asks, _)| bids > asks) {
        return prices.max();
    }
    if tried.iter().all(|(bids, asks, _)| bids < asks) {
        return prices.min();
    }
    let near = reference(market);
    prices.min_by_key(|price| (price.abs_diff(near), *price))
}
