use std::collections::{BTreeMap, BTreeSet};

use crate::index::Index;
use crate::ladder::{Ladder, Level};
use crate::orders::{Node, Orders, Stage};
use crate::{End, Event, Lots, NEVER, Open, OrderNo, Place, Side, Ticks};

/// The most stops that one call triggers.
pub const CASCADE_MAX: usize = 256;

/// How much memory a book sets aside. No outcome depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Flat price levels a side, as a power of two; at least 6.
    pub window_bits: u32,
    /// Newest orders that are found without hashing, as a power of two.
    pub ring_bits: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            window_bits: 14,
            ring_bits: 18,
        }
    }
}

/// The orders of one owner, oldest first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owned {
    pub(crate) head: u32,
    tail: u32,
    pub(crate) count: u32,
}

/// The order book of one market.
#[derive(Clone, Debug)]
pub struct Book {
    pub(crate) orders: Orders,
    pub(crate) index: Index,
    pub(crate) sides: [Ladder; 2],
    /// Waiting stops by stop price.
    pub(crate) stops: [BTreeMap<Ticks, Level>; 2],
    pub(crate) owners: Vec<Owned>,
    pub(crate) expiries: BTreeSet<(i64, OrderNo)>,
    pub(crate) last: Ticks,
    pub(crate) priority: u64,
    changed: Vec<OrderNo>,
}

impl Book {
    /// An empty book.
    pub fn new(sizes: Sizes) -> Self {
        Self {
            orders: Orders::new(),
            index: Index::new(sizes.ring_bits),
            sides: [
                Ladder::new(Side::Buy, sizes.window_bits),
                Ladder::new(Side::Sell, sizes.window_bits),
            ],
            stops: [BTreeMap::new(), BTreeMap::new()],
            owners: Vec::new(),
            expiries: BTreeSet::new(),
            last: 0,
            priority: 0,
            changed: Vec::new(),
        }
    }

    /// Price of the last trade; 0 before the first.
    pub const fn last_price(&self) -> Ticks {
        self.last
    }

    /// The last number that an order was given; 0 before the first.
    pub const fn last_order(&self) -> OrderNo {
        OrderNo(self.index.next() - 1)
    }

    /// How many orders are open, waiting stops included.
    pub const fn open_count(&self) -> usize {
        self.orders.count()
    }

    /// How many orders an owner has open.
    pub fn open_count_of(&self, owner: u32) -> u32 {
        self.owners.get(owner as usize).map_or(0, |owned| owned.count)
    }

    /// The best price of a side; 0 for none.
    pub fn best(&self, side: Side) -> Ticks {
        self.ladder(side).best()
    }

    /// Where an open order lies.
    pub fn find(&self, order: OrderNo) -> Option<u32> {
        self.index.find(order.0)
    }

    /// The order in a slot, as it is, or as it was when the present call removed it.
    pub fn view(&self, slot: u32) -> Open {
        self.orders.view(slot)
    }

    /// The prices of a side with what they show, best first. The sums are made here and not kept with each change: they
    /// may exceed 64 bits, and nothing is matched by them.
    pub fn depth(&self, side: Side) -> impl Iterator<Item = (Ticks, u128)> + '_ {
        let ladder = self.ladder(side);
        let some = |price: Ticks| (price != 0).then_some(price);
        std::iter::successors(some(ladder.best()), move |at| some(ladder.after(*at))).map(|price| {
            (
                price,
                self.queue(ladder.head(price))
                    .map(|node| u128::from(node.shown))
                    .sum(),
            )
        })
    }

    /// The orders from a slot to the end of its queue.
    fn queue(&self, first: u32) -> impl Iterator<Item = &Node> {
        let node = |slot: u32| (slot != 0).then(|| self.orders.node(slot));
        std::iter::successors(node(first), move |at| node(at.next))
    }

    /// All open orders, the longest in place first.
    pub fn open_orders(&self) -> Vec<Open> {
        let mut open = Vec::with_capacity(self.open_count());
        for owned in &self.owners {
            let mut slot = owned.head;
            while slot != 0 {
                open.push(self.view(slot));
                slot = self.orders.cold(slot).owner_next;
            }
        }
        open.sort_unstable_by_key(|order| order.priority);
        open
    }

    /// The open orders of an owner, oldest number first.
    pub fn orders_of(&self, owner: u32) -> impl Iterator<Item = (u32, Open)> + '_ {
        let first = self.owners.get(owner as usize).map_or(0, |owned| owned.head);
        let slot = |slot: u32| (slot != 0).then_some(slot);
        std::iter::successors(slot(first), move |at| slot(self.orders.cold(*at).owner_next))
            .map(|slot| (slot, self.view(slot)))
    }

    /// The orders that have opened, changed or ended since the last call, ascending.
    pub fn drain_changes(&mut self) -> Vec<OrderNo> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        for order in &changed {
            if let Some(slot) = self.find(*order) {
                self.orders.node_mut(slot).clear_changed();
            }
        }
        changed
    }

    /// Counts an order as changed again.
    pub fn mark_changed(&mut self, order: OrderNo) {
        match self.find(order) {
            Some(slot) => self.touch(slot),
            None => self.changed.push(order),
        }
    }

    /// Cancels an open order.
    pub fn cancel(&mut self, slot: u32, why: End, events: &mut Vec<Event>) {
        self.orders.sweep();
        self.end(slot, why, events);
    }

    /// Cancels all orders of an owner, the oldest first.
    pub fn cancel_all(&mut self, owner: u32, events: &mut Vec<Event>) {
        self.orders.sweep();
        while let Some(owned) = self.owners.get(owner as usize).filter(|owned| owned.head != 0) {
            self.end(owned.head, End::Cancelled, events);
        }
    }

    /// Whether an order has run out.
    pub fn has_expired(&self, now: i64) -> bool {
        self.expiries.first().is_some_and(|(at, _)| *at <= now)
    }

    /// Ends the orders whose time is over, by time and then number, `max` at most.
    pub fn expire(&mut self, now: i64, max: usize, events: &mut Vec<Event>) {
        self.orders.sweep();
        for _ in 0..max {
            let Some((at, order)) = self.expiries.first().copied() else {
                return;
            };
            let Some(slot) = self.find(order).filter(|_| at <= now) else {
                return;
            };
            self.end(slot, End::Expired, events);
        }
    }

    pub(crate) fn ladder(&self, side: Side) -> &Ladder {
        &self.sides[side as usize]
    }

    pub(crate) fn touch(&mut self, slot: u32) {
        let node = self.orders.node_mut(slot);
        if node.mark_changed() {
            self.changed.push(OrderNo(node.order));
        }
    }

    pub(crate) fn end(&mut self, slot: u32, why: End, events: &mut Vec<Event>) {
        let node = self.orders.node(slot);
        events.push(Event::Ended {
            order: OrderNo(node.order),
            slot,
            owner: node.owner,
            why,
        });
        self.remove(slot);
    }

    /// A new order as it is before anything of it has traded.
    pub(crate) const fn opening(order: OrderNo, place: &Place, left: Lots) -> Open {
        let waiting = place.stop != 0;
        let all_shown = waiting || place.display == 0;
        Open {
            order,
            owner: place.owner,
            side: place.side,
            limit: place.limit,
            total: place.lots,
            left,
            shown: if all_shown || left < place.display {
                left
            } else {
                place.display
            },
            display: place.display,
            value: place.value,
            market: place.market,
            tif: place.tif,
            stop: place.stop,
            waiting,
            expires_at: place.expires_at,
            self_trade: place.self_trade,
            priority: 0,
        }
    }

    /// Puts an order into the slab and the lists of its owner and its expiry, and then to where it rests or waits.
    pub(crate) fn admit(&mut self, open: &Open) -> u32 {
        let slot = self.orders.add(open);
        self.index.set(open.order.0, slot);
        let owner = open.owner as usize;
        if self.owners.len() <= owner {
            self.owners.resize(owner + 1, Owned::default());
        }
        let owned = &mut self.owners[owner];
        owned.count += 1;
        self.orders.cold_mut(slot).owner_prev = owned.tail;
        if owned.tail == 0 {
            owned.head = slot;
        } else {
            self.orders.cold_mut(owned.tail).owner_next = slot;
        }
        owned.tail = slot;
        if open.expires_at != NEVER {
            self.expiries.insert((open.expires_at, open.order));
        }
        if open.waiting {
            self.wait(slot);
        } else {
            self.enqueue(slot);
        }
        slot
    }

    /// Puts an order at the end of the queue of its limit.
    pub(crate) fn enqueue(&mut self, slot: u32) {
        self.priority += 1;
        self.orders.cold_mut(slot).priority = self.priority;
        let node = self.orders.node_mut(slot);
        node.set_stage(Stage::Resting);
        let (side, limit) = (node.side(), node.limit);
        self.sides[side as usize].push(&mut self.orders.nodes, limit, slot);
        self.touch(slot);
    }

    pub(crate) fn wait(&mut self, slot: u32) {
        self.priority += 1;
        let cold = self.orders.cold_mut(slot);
        cold.priority = self.priority;
        let stop = cold.stop;
        let node = self.orders.node_mut(slot);
        node.set_stage(Stage::Waiting);
        let side = node.side();
        self.stops[side as usize]
            .entry(stop)
            .or_default()
            .push_back(&mut self.orders.nodes, slot);
        self.touch(slot);
    }

    /// Takes an order out of where it rests or waits; it keeps its slot, and shows all that it has left.
    pub(crate) fn lift(&mut self, slot: u32) {
        self.leave(slot);
        let left = self.orders.left(slot);
        self.orders.node_mut(slot).shown = left;
        self.orders.cold_mut(slot).hidden = 0;
        self.orders.node_mut(slot).set_stage(Stage::Lifted);
        self.touch(slot);
    }

    pub(crate) fn leave(&mut self, slot: u32) {
        let node = *self.orders.node(slot);
        let side = node.side() as usize;
        match node.stage() {
            Stage::Resting => self.sides[side].unlink(&mut self.orders.nodes, node.limit, slot),
            Stage::Waiting => {
                let stop = self.orders.cold(slot).stop;
                if let Some(level) = self.stops[side].get_mut(&stop) {
                    level.unlink(&mut self.orders.nodes, slot);
                    if level.head == 0 {
                        self.stops[side].remove(&stop);
                    }
                }
            }
            Stage::Lifted | Stage::Gone => {}
        }
    }

    /// Takes an order out of everything. Its slot stays readable until the next call.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.touch(slot);
        self.leave(slot);
        let (order, owner) = {
            let node = self.orders.node(slot);
            (node.order, node.owner as usize)
        };
        let cold = *self.orders.cold(slot);
        if cold.owner_prev == 0 {
            self.owners[owner].head = cold.owner_next;
        } else {
            self.orders.cold_mut(cold.owner_prev).owner_next = cold.owner_next;
        }
        if cold.owner_next == 0 {
            self.owners[owner].tail = cold.owner_prev;
        } else {
            self.orders.cold_mut(cold.owner_next).owner_prev = cold.owner_prev;
        }
        self.owners[owner].count -= 1;
        if cold.expires_at != NEVER {
            self.expiries.remove(&(cold.expires_at, OrderNo(order)));
        }
        self.index.remove(order);
        self.orders.remove(slot);
    }

    /// Takes lots off a resting order; answers what it has left and whether it went to the end of its queue. One that has
    /// nothing left is removed.
    pub(crate) fn fill(&mut self, slot: u32, lots: Lots) -> (Lots, bool) {
        let node = self.orders.node_mut(slot);
        node.shown -= lots;
        let (shown, iceberg) = (node.shown, node.iceberg());
        if shown > 0 {
            self.touch(slot);
            return (self.orders.left(slot), false);
        }
        let hidden = if iceberg { self.orders.cold(slot).hidden } else { 0 };
        if hidden == 0 {
            self.remove(slot);
            return (0, false);
        }
        self.leave(slot);
        self.orders.show(slot, hidden);
        self.enqueue(slot);
        (hidden, true)
    }
}
