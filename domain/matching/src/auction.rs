//! Call auctions: one price for all that gathered.

use crate::{Book, End, Event, Lots, OrderNo, Party, Side, Ticks};

/// What would trade at a price.
#[derive(Clone, Copy)]
struct Candidate {
    price: Ticks,
    volume: u128,
    /// Bids less asks at this price.
    surplus: i128,
}

impl Book {
    /// The price at which [`Book::uncross`] would trade; `None` when no bid reaches an ask.
    ///
    /// Among the limits of the orders that reach each other:
    /// 1. the price at which most trades;
    /// 2. of these, the price that leaves the smallest surplus;
    /// 3. of these, the highest if there is a surplus of bids at each, the lowest if there is one of asks at each;
    /// 4. else the price nearest to `reference` (0 for none), and of two equally near the lower.
    pub fn clearing_price(&self, reference: Ticks) -> Option<Ticks> {
        let (low, high) = (self.best(Side::Sell), self.best(Side::Buy));
        if low == 0 || high < low {
            return None;
        }
        let (bids, asks) = (self.levels(Side::Buy, low), self.levels(Side::Sell, high));
        let mut prices: Vec<Ticks> = bids.iter().chain(&asks).map(|(price, _)| *price).collect();
        prices.sort_unstable();
        prices.dedup();
        // Ascending: asks come in, bids go out.
        let mut demand: u128 = bids.iter().map(|(_, lots)| *lots).sum();
        let (mut supply, mut bids, mut asks) = (0u128, bids.iter().rev().peekable(), asks.iter().peekable());
        let mut best: Vec<Candidate> = Vec::new();
        for price in prices {
            while let Some((_, lots)) = asks.next_if(|(at, _)| *at <= price) {
                supply += lots;
            }
            while let Some((_, lots)) = bids.next_if(|(at, _)| *at < price) {
                demand -= lots;
            }
            let candidate = Candidate {
                price,
                volume: demand.min(supply),
                surplus: demand.cast_signed() - supply.cast_signed(),
            };
            let rank = |one: &Candidate| (std::cmp::Reverse(one.volume), one.surplus.unsigned_abs());
            match best.first().map(|first| rank(&candidate).cmp(&rank(first))) {
                None | Some(std::cmp::Ordering::Equal) => best.push(candidate),
                Some(std::cmp::Ordering::Less) => {
                    best.clear();
                    best.push(candidate);
                }
                Some(std::cmp::Ordering::Greater) => {}
            }
        }
        if best.iter().all(|one| one.surplus > 0) {
            return best.last().map(|one| one.price);
        }
        if best.iter().all(|one| one.surplus < 0) {
            return best.first().map(|one| one.price);
        }
        best.iter()
            .map(|one| one.price)
            .min_by_key(|price| (price.abs_diff(reference), *price))
    }

    /// Trades at one price all that reaches it, by price and time, then triggers stops.
    pub fn uncross(&mut self, reference: Ticks, events: &mut Vec<Event>) {
        self.orders.sweep();
        if let Some(price) = self.clearing_price(reference) {
            while self.best(Side::Buy) >= price && (1..=price).contains(&self.best(Side::Sell)) {
                let head = |side| self.ladder(side).head(self.best(side));
                let (buy, sell) = (head(Side::Buy), head(Side::Sell));
                let (bid, ask) = (*self.orders.node(buy), *self.orders.node(sell));
                let lots = bid.shown.min(ask.shown);
                let (bid_left, bid_requeued) = self.fill(buy, lots);
                let (ask_left, ask_requeued) = self.fill(sell, lots);
                self.last = price;
                events.push(Event::Trade {
                    maker: Party {
                        order: OrderNo(bid.order),
                        slot: buy,
                        owner: bid.owner,
                        left: bid_left,
                        requeued: bid_requeued,
                    },
                    taker: Party {
                        order: OrderNo(ask.order),
                        slot: sell,
                        owner: ask.owner,
                        left: ask_left,
                        requeued: ask_requeued,
                    },
                    taker_side: Side::Sell,
                    price,
                    lots,
                    auction: true,
                });
                // What it had set aside for its limit is more than it paid.
                if bid.limit > price && bid_left == 0 {
                    events.push(Event::Ended {
                        order: OrderNo(bid.order),
                        slot: buy,
                        owner: bid.owner,
                        why: End::Filled,
                    });
                } else if bid.limit > price {
                    events.push(self.set_event(buy, false));
                }
            }
        }
        self.cascade(events);
    }

    /// Prices of a side from the best to `worst` with all they have, the hidden parts included.
    fn levels(&self, side: Side, worst: Ticks) -> Vec<(Ticks, u128)> {
        let ladder = self.ladder(side);
        let mut levels = Vec::new();
        let mut price = ladder.best();
        while price != 0 && side.reaches(price, worst) {
            let (mut slot, mut lots) = (ladder.head(price), 0u128);
            while slot != 0 {
                let left: Lots = self.orders.left(slot);
                lots += u128::from(left);
                slot = self.orders.node(slot).next;
            }
            levels.push((price, lots));
            price = ladder.after(price);
        }
        levels
    }
}
