//! Orders that come: what is refused, what trades, what rests, and the stops that follow.

use crate::book::CASCADE_MAX;
use crate::orders::Fate;
use crate::{Book, End, Event, Lots, OrderNo, Party, Place, Refused, SelfTrade, Side, Ticks, Tif};

/// An order while it trades.
struct Taker {
    order: OrderNo,
    slot: u32,
    owner: u32,
    side: Side,
    limit: Ticks,
    lots: Lots,
    /// `None` for an order by quantity.
    value: Option<u128>,
    filled: Lots,
    decremented: bool,
    self_trade: SelfTrade,
}

/// Why a taker trades no more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// It has nothing left that it could trade.
    Done,
    /// Nothing rests within its limit.
    Dry,
    /// It met its own owner.
    SelfTrade,
}

impl Taker {
    /// How many lots its value buys at a price.
    fn affordable(&self, price: Ticks) -> Lots {
        match self.value {
            None => Lots::MAX,
            Some(value) => lots_for(value, price),
        }
    }

    fn take(&mut self, price: Ticks, lots: Lots) {
        self.lots -= lots;
        if let Some(value) = &mut self.value {
            // Not below zero: `lots` is at most what is affordable.
            *value = value.saturating_sub(u128::from(price) * u128::from(lots));
        }
    }

    fn fate(&self, halt: Halt, tif: Tif) -> Fate {
        match halt {
            Halt::Done if self.decremented => Fate::End(End::SelfTrade),
            Halt::Done => Fate::End(End::Filled),
            Halt::Dry if tif.rests() => Fate::Rest,
            Halt::Dry => Fate::End(End::Unfilled),
            Halt::SelfTrade => Fate::End(End::SelfTrade),
        }
    }
}

fn lots_for(value: u128, price: Ticks) -> Lots {
    match u64::try_from(value) {
        Ok(value) => value / price,
        Err(_) => Lots::try_from(value / u128::from(price)).unwrap_or(Lots::MAX),
    }
}

impl Book {
    /// Takes an order: matches it, lets the rest rest, and triggers stops. In an auction it only rests.
    pub fn place(
        &mut self,
        place: &Place,
        auction: bool,
        events: &mut Vec<Event>,
    ) -> Result<OrderNo, Refused> {
        self.orders.sweep();
        if place.stop != 0 {
            let order = OrderNo(self.index.give());
            let slot = self.admit(&Self::opening(order, place, place.lots));
            events.push(placed(order, slot, 0, place.lots, None));
            if !auction {
                self.cascade(events);
            }
            return Ok(order);
        }
        if auction {
            self.examine_in_auction(place.owner, place.side, place.limit)?;
            let order = OrderNo(self.index.give());
            let slot = self.admit(&Self::opening(order, place, place.lots));
            events.push(placed(order, slot, 0, place.lots, None));
            return Ok(order);
        }
        self.examine(place)?;
        let order = OrderNo(self.index.give());
        let mut taker = Taker {
            order,
            slot: 0,
            owner: place.owner,
            side: place.side,
            limit: place.limit,
            lots: place.lots,
            value: (place.value > 0).then_some(place.value),
            filled: 0,
            decremented: false,
            self_trade: place.self_trade,
        };
        let halt = self.take(&mut taker, events);
        match taker.fate(halt, place.tif) {
            Fate::Rest => {
                let mut open = Self::opening(order, place, taker.lots);
                open.total = taker.filled + taker.lots;
                let slot = self.admit(&open);
                events.push(placed(order, slot, taker.filled, taker.lots, None));
            }
            Fate::End(why) => events.push(placed(order, 0, taker.filled, 0, Some(why))),
        }
        self.cascade(events);
        Ok(order)
    }

    /// Changes limit and total of a resting order. Less at the same price keeps its place; anything else makes it an
    /// order that comes again under its number. A total that has traded already ends it.
    pub fn amend(
        &mut self,
        slot: u32,
        limit: Ticks,
        total: Lots,
        auction: bool,
        events: &mut Vec<Event>,
    ) -> Result<(), Refused> {
        self.orders.sweep();
        let (node, old) = (*self.orders.node(slot), self.orders.left(slot));
        let left = total.saturating_sub(self.orders.cold(slot).total - old);
        if left == 0 {
            self.end(slot, End::Cancelled, events);
            return Ok(());
        }
        if limit == node.limit && left <= old {
            self.shorten(slot, old - left);
            self.orders.cold_mut(slot).total = total;
            events.push(self.set_event(slot, false));
            return Ok(());
        }
        let side = node.side();
        let best = self.ladder(side.opposite()).best();
        let takes = !auction && best != 0 && side.reaches(limit, best);
        if auction {
            self.examine_in_auction(node.owner, side, limit)?;
        } else if takes {
            let open = self.view(slot);
            self.examine(&Place {
                owner: open.owner,
                side,
                limit,
                lots: left,
                value: 0,
                market: false,
                tif: open.tif,
                display: open.display,
                stop: 0,
                expires_at: open.expires_at,
                self_trade: open.self_trade,
            })?;
        }
        self.orders.cold_mut(slot).total = total;
        if takes {
            self.lift(slot);
            let node = self.orders.node_mut(slot);
            (node.limit, node.shown) = (limit, left);
            events.push(Event::Lifted {
                order: OrderNo(node.order),
                slot,
                left,
                triggered: false,
            });
            self.take_lifted(slot, events);
        } else {
            self.sides[side as usize].unlink(&mut self.orders.nodes, node.limit, slot);
            self.orders.node_mut(slot).limit = limit;
            self.rest_again(slot, left, events);
        }
        if !auction {
            self.cascade(events);
        }
        Ok(())
    }

    /// Triggers the stops that the last price demands, [`CASCADE_MAX`] at most.
    pub fn cascade(&mut self, events: &mut Vec<Event>) {
        for _ in 0..CASCADE_MAX {
            let Some(slot) = self.next_triggered() else {
                return;
            };
            self.lift(slot);
            events.push(Event::Lifted {
                order: OrderNo(self.orders.node(slot).order),
                slot,
                left: self.orders.node(slot).shown,
                triggered: true,
            });
            self.take_lifted(slot, events);
        }
    }

    /// Whether a waiting stop is demanded by the last price: more than [`CASCADE_MAX`] were.
    pub fn has_triggered(&self) -> bool {
        self.next_triggered().is_some()
    }

    fn next_triggered(&self) -> Option<u32> {
        let [buys, sells] = &self.stops;
        if self.last == 0 || (buys.is_empty() && sells.is_empty()) {
            return None;
        }
        let buy = buys.first_key_value().filter(|(stop, _)| **stop <= self.last);
        let sell = || sells.last_key_value().filter(|(stop, _)| **stop >= self.last);
        buy.or_else(sell).map(|(_, level)| level.head)
    }

    /// Matches an order that is lifted, and lets it rest again or ends it.
    fn take_lifted(&mut self, slot: u32, events: &mut Vec<Event>) {
        let (node, value) = (*self.orders.node(slot), self.orders.cold(slot).value);
        let mut taker = Taker {
            order: OrderNo(node.order),
            slot,
            owner: node.owner,
            side: node.side(),
            limit: node.limit,
            lots: node.shown,
            value: (value > 0).then_some(value),
            filled: 0,
            decremented: false,
            self_trade: node.self_trade(),
        };
        let before = taker.lots;
        let halt = self.take(&mut taker, events);
        let decremented = before - taker.filled - taker.lots;
        self.orders.cold_mut(slot).total -= decremented;
        self.orders.node_mut(slot).shown = taker.lots;
        match taker.fate(halt, node.tif()) {
            Fate::Rest => self.rest_again(slot, taker.lots, events),
            Fate::End(why) => self.end(slot, why, events),
        }
    }

    fn rest_again(&mut self, slot: u32, left: Lots, events: &mut Vec<Event>) {
        self.orders.show(slot, left);
        self.enqueue(slot);
        events.push(self.set_event(slot, true));
    }

    pub(crate) fn set_event(&self, slot: u32, requeued: bool) -> Event {
        let node = self.orders.node(slot);
        Event::Set {
            order: OrderNo(node.order),
            slot,
            limit: node.limit,
            total: self.orders.cold(slot).total,
            left: self.orders.left(slot),
            requeued,
        }
    }

    /// Takes lots off a resting order that keeps its place, the hidden part first.
    pub(crate) fn shorten(&mut self, slot: u32, lots: Lots) {
        let hidden = self.orders.cold(slot).hidden.min(lots);
        self.orders.cold_mut(slot).hidden -= hidden;
        self.orders.node_mut(slot).shown -= lots - hidden;
        self.touch(slot);
    }

    fn take(&mut self, taker: &mut Taker, events: &mut Vec<Event>) -> Halt {
        let other = taker.side.opposite();
        loop {
            let price = self.ladder(other).best();
            if taker.lots == 0 {
                return Halt::Done;
            }
            if price == 0 || !taker.side.reaches(taker.limit, price) {
                return Halt::Dry;
            }
            let affordable = taker.affordable(price);
            if affordable == 0 {
                return Halt::Done;
            }
            let slot = self.ladder(other).head(price);
            let node = *self.orders.node(slot);
            let lots = taker.lots.min(node.shown).min(affordable);
            if node.owner == taker.owner {
                match taker.self_trade {
                    SelfTrade::CancelNewest => return Halt::SelfTrade,
                    SelfTrade::CancelOldest => self.end(slot, End::SelfTrade, events),
                    SelfTrade::CancelBoth => {
                        self.end(slot, End::SelfTrade, events);
                        return Halt::SelfTrade;
                    }
                    SelfTrade::Decrement => {
                        taker.take(price, lots);
                        taker.decremented = true;
                        self.decrement(slot, lots, events);
                    }
                }
                continue;
            }
            taker.take(price, lots);
            taker.filled += lots;
            let (left, requeued) = self.fill(slot, lots);
            self.last = price;
            events.push(Event::Trade {
                maker: Party {
                    order: OrderNo(node.order),
                    slot,
                    owner: node.owner,
                    left,
                    requeued,
                },
                taker: Party {
                    order: taker.order,
                    slot: taker.slot,
                    owner: taker.owner,
                    left: taker.lots,
                    requeued: false,
                },
                taker_side: taker.side,
                price,
                lots,
                auction: false,
            });
        }
    }

    /// Makes a resting order smaller because it met its own owner.
    fn decrement(&mut self, slot: u32, lots: Lots, events: &mut Vec<Event>) {
        if self.orders.left(slot) == lots {
            self.end(slot, End::SelfTrade, events);
            return;
        }
        self.orders.cold_mut(slot).total -= lots;
        self.shorten(slot, lots);
        events.push(self.set_event(slot, false));
    }

    /// Refuses what must not even begin.
    fn examine(&self, place: &Place) -> Result<(), Refused> {
        let other = self.ladder(place.side.opposite());
        let best = other.best();
        if best == 0 || !place.side.reaches(place.limit, best) {
            return match place.tif {
                _ if place.market => Err(Refused::NoLiquidity),
                Tif::Fok => Err(Refused::NotFillable),
                Tif::Gtc | Tif::Ioc | Tif::PostOnly => Ok(()),
            };
        }
        if place.tif == Tif::PostOnly {
            return Err(Refused::WouldTake);
        }
        if place.value > 0 && lots_for(place.value, best) == 0 {
            return Err(Refused::BelowOneLot);
        }
        let first = self.orders.node(other.head(best));
        if first.owner == place.owner && place.self_trade == SelfTrade::CancelNewest {
            return Err(Refused::SelfTrade);
        }
        if place.tif == Tif::Fok && !self.is_fillable(place) {
            return Err(Refused::NotFillable);
        }
        Ok(())
    }

    /// Whether all of an order would trade at once.
    fn is_fillable(&self, place: &Place) -> bool {
        let other = self.ladder(place.side.opposite());
        let (mut price, mut wanted) = (other.best(), place.lots);
        while price != 0 && place.side.reaches(place.limit, price) {
            // Icebergs show themselves once before what they hide has its turn.
            let (mut slot, mut hidden) = (other.head(price), 0u128);
            while slot != 0 {
                let node = self.orders.node(slot);
                if node.owner == place.owner {
                    if place.self_trade != SelfTrade::CancelOldest {
                        return false;
                    }
                } else {
                    wanted = wanted.saturating_sub(node.shown);
                    hidden += u128::from(self.orders.cold(slot).hidden);
                }
                if wanted == 0 {
                    return true;
                }
                slot = node.next;
            }
            wanted = wanted.saturating_sub(Lots::try_from(hidden).unwrap_or(Lots::MAX));
            if wanted == 0 {
                return true;
            }
            price = other.after(price);
        }
        false
    }

    /// In an auction nobody may have orders that could trade with each other: its price is one for all.
    fn examine_in_auction(&self, owner: u32, side: Side, limit: Ticks) -> Result<(), Refused> {
        let meets =
            |other: &crate::Open| !other.waiting && other.side != side && side.reaches(limit, other.limit);
        if self.orders_of(owner).any(|(_, other)| meets(&other)) {
            return Err(Refused::SelfTrade);
        }
        Ok(())
    }
}

fn placed(order: OrderNo, slot: u32, filled: Lots, left: Lots, end: Option<End>) -> Event {
    Event::Placed {
        order,
        slot,
        filled,
        left,
        end,
    }
}

#[cfg(test)]
mod tests {
    use super::lots_for;

    #[test]
    fn a_value_of_more_than_64_bits_buys_as_many_lots_as_can_be_counted() {
        assert_eq!(lots_for(99, 10), 9);
        assert_eq!(lots_for((3 << 64) + 3, 4), 3 << 62);
        assert_eq!(lots_for(3 << 64, 3), u64::MAX);
    }
}
