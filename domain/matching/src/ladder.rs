//! One side of the book: queues by price, flat near the market, in a tree far from it.

use std::collections::BTreeMap;

use crate::orders::Node;
use crate::{Side, Ticks};

/// The queue of one price.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    pub(crate) head: u32,
    tail: u32,
}

impl Level {
    pub(crate) fn push_back(&mut self, nodes: &mut [Node], slot: u32) {
        let node = &mut nodes[slot as usize];
        (node.prev, node.next) = (self.tail, 0);
        if self.tail == 0 {
            self.head = slot;
        } else {
            nodes[self.tail as usize].next = slot;
        }
        self.tail = slot;
    }

    /// Takes an order out.
    pub(crate) fn unlink(&mut self, nodes: &mut [Node], slot: u32) {
        let Node { prev, next, .. } = nodes[slot as usize];
        if prev == 0 {
            self.head = next;
        } else {
            nodes[prev as usize].next = next;
        }
        if next == 0 {
            self.tail = prev;
        } else {
            nodes[next as usize].prev = prev;
        }
    }
}

/// All queues of one side.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    side: Side,
    /// Price of the first flat level.
    base: Ticks,
    levels: Vec<Level>,
    /// One bit a flat level that is not empty.
    bits: Vec<u64>,
    /// One bit a word of `bits` that is not zero.
    top: Vec<u64>,
    /// How many flat levels are not empty.
    flat: usize,
    far: BTreeMap<Ticks, Level>,
    best: Ticks,
    /// How often the best price was far since the flat part was moved.
    strain: usize,
}

/// So many best prices beyond the flat part, and one more for each level that would move, are worth a move.
const STRAIN_MAX: usize = 64;

impl Ladder {
    /// `bits` is at least 6: 64 flat levels.
    pub(crate) fn new(side: Side, bits: u32) -> Self {
        let size = 1usize << bits.max(6);
        Self {
            side,
            base: 1,
            levels: vec![Level::default(); size],
            bits: vec![0; size / 64],
            top: vec![0; (size / 64).div_ceil(64)],
            flat: 0,
            far: BTreeMap::new(),
            best: 0,
            strain: 0,
        }
    }

    /// The best price; 0 for none.
    pub(crate) const fn best(&self) -> Ticks {
        self.best
    }

    fn place(&self, price: Ticks) -> Option<usize> {
        let place = price.wrapping_sub(self.base);
        if place < self.levels.len() as u64 {
            usize::try_from(place).ok()
        } else {
            None
        }
    }

    pub(crate) fn level(&self, price: Ticks) -> Option<&Level> {
        match self.place(price) {
            Some(place) => Some(&self.levels[place]),
            None => self.far.get(&price),
        }
    }

    /// The first order at a price that has one; 0 for none.
    pub(crate) fn head(&self, price: Ticks) -> u32 {
        self.level(price).map_or(0, |level| level.head)
    }

    fn is_better(&self, price: Ticks, than: Ticks) -> bool {
        than == 0
            || match self.side {
                Side::Buy => price > than,
                Side::Sell => price < than,
            }
    }

    /// Puts an order at the end of the queue of its price.
    pub(crate) fn push(&mut self, nodes: &mut [Node], price: Ticks, slot: u32) {
        if self.best == 0 {
            self.base = self.base_around(price);
            self.strain = 0;
        }
        let better = self.is_better(price, self.best);
        if better {
            self.best = price;
        }
        if let Some(place) = self.place(price) {
            if self.levels[place].head == 0 {
                self.set_bit(place);
            }
            self.levels[place].push_back(nodes, slot);
        } else {
            self.far.entry(price).or_default().push_back(nodes, slot);
            if better {
                self.strain += 1;
                if self.strain > STRAIN_MAX + self.flat {
                    self.centre(price);
                }
            }
        }
    }

    /// Takes an order out of the queue of its price.
    pub(crate) fn unlink(&mut self, nodes: &mut [Node], price: Ticks, slot: u32) {
        if let Some(place) = self.place(price) {
            self.levels[place].unlink(nodes, slot);
            if self.levels[place].head != 0 {
                return;
            }
            self.clear_bit(place);
        } else {
            let Some(level) = self.far.get_mut(&price) else {
                return;
            };
            level.unlink(nodes, slot);
            if level.head != 0 {
                return;
            }
            self.far.remove(&price);
        }
        if price == self.best {
            self.best = self.find_best();
        }
    }

    fn find_best(&self) -> Ticks {
        let (flat, far) = match self.side {
            Side::Buy => (self.last_set(self.levels.len()), self.far.last_key_value()),
            Side::Sell => (self.first_set(0), self.far.first_key_value()),
        };
        let flat = flat.map_or(0, |place| self.base + place as u64);
        match far {
            Some((price, _)) if self.is_better(*price, flat) => *price,
            _ => flat,
        }
    }

    /// The next price after `price`, away from the market; 0 for none.
    pub(crate) fn after(&self, price: Ticks) -> Ticks {
        let size = self.levels.len();
        // The flat level `price` lies at, or the end of the flat part that it lies beyond.
        let (flat, far) = match self.side {
            Side::Sell => {
                let from = match self.place(price) {
                    Some(place) => place + 1,
                    None if price < self.base => 0,
                    None => size,
                };
                (
                    self.first_set(from),
                    self.far.range(price + 1..).next().map(|(price, _)| *price),
                )
            }
            Side::Buy => {
                let below = match self.place(price) {
                    Some(place) => place,
                    None if price < self.base => 0,
                    None => size,
                };
                (
                    self.last_set(below),
                    self.far.range(..price).next_back().map(|(price, _)| *price),
                )
            }
        };
        let flat = flat.map_or(0, |place| self.base + place as u64);
        match far {
            Some(price) if self.is_better(price, flat) => price,
            _ => flat,
        }
    }

    fn set_bit(&mut self, place: usize) {
        self.bits[place / 64] |= 1 << (place % 64);
        self.top[place / 4096] |= 1 << (place / 64 % 64);
        self.flat += 1;
    }

    fn clear_bit(&mut self, place: usize) {
        self.bits[place / 64] &= !(1 << (place % 64));
        if self.bits[place / 64] == 0 {
            self.top[place / 4096] &= !(1 << (place / 64 % 64));
        }
        self.flat -= 1;
    }

    /// The first level from `from` on that is not empty.
    fn first_set(&self, from: usize) -> Option<usize> {
        if from >= self.levels.len() {
            return None;
        }
        let word = from / 64;
        let here = self.bits[word] & (u64::MAX << (from % 64));
        if here != 0 {
            return Some(word * 64 + here.trailing_zeros() as usize);
        }
        let mut top = (word + 1) / 64;
        let mut mask = u64::MAX << ((word + 1) % 64);
        while top < self.top.len() {
            let found = self.top[top] & mask;
            if found != 0 {
                let word = top * 64 + found.trailing_zeros() as usize;
                return Some(word * 64 + self.bits[word].trailing_zeros() as usize);
            }
            mask = u64::MAX;
            top += 1;
        }
        None
    }

    /// The last level below `below` that is not empty.
    fn last_set(&self, below: usize) -> Option<usize> {
        let last = below.checked_sub(1)?;
        let word = last / 64;
        let here = self.bits[word] & (u64::MAX >> (63 - last % 64));
        if here != 0 {
            return Some(word * 64 + 63 - here.leading_zeros() as usize);
        }
        let previous = word.checked_sub(1)?;
        let mut mask = u64::MAX >> (63 - previous % 64);
        for top in (0..=previous / 64).rev() {
            let found = self.top[top] & mask;
            if found != 0 {
                let word = top * 64 + 63 - found.leading_zeros() as usize;
                return Some(word * 64 + 63 - self.bits[word].leading_zeros() as usize);
            }
            mask = u64::MAX;
        }
        None
    }

    fn base_around(&self, price: Ticks) -> Ticks {
        price.saturating_sub(self.levels.len() as u64 / 2).max(1)
    }

    /// Moves the flat part so that `price` is in its middle.
    fn centre(&mut self, price: Ticks) {
        self.strain = 0;
        let mut place = self.first_set(0);
        while let Some(at) = place {
            self.far
                .insert(self.base + at as u64, std::mem::take(&mut self.levels[at]));
            self.clear_bit(at);
            place = self.first_set(at + 1);
        }
        self.base = self.base_around(price);
        let near: Vec<Ticks> = self
            .far
            .range(self.base..)
            .map(|(price, _)| *price)
            .take_while(|price| self.place(*price).is_some())
            .collect();
        for price in near {
            if let (Some(level), Some(place)) = (self.far.remove(&price), self.place(price)) {
                self.levels[place] = level;
                self.set_bit(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Of each side: its flat levels are where its best prices are, and follow them when these have been elsewhere for a while.
    #[test]
    fn the_flat_part_follows_the_best_prices() {
        for side in [Side::Buy, Side::Sell] {
            let mut nodes = vec![Node::default(); 1_000];
            let mut slots = 1..;
            let mut ladder = Ladder::new(side, 6);
            let mut push = |ladder: &mut Ladder, price| {
                ladder.push(&mut nodes, price, slots.next().unwrap());
            };
            // 64 levels around the first price.
            push(&mut ladder, 10_000);
            let is_flat = |ladder: &Ladder, price| ladder.place(price).is_some();
            for (price, flat) in [(9_967, false), (9_968, true), (10_031, true), (10_032, false)] {
                assert_eq!(is_flat(&ladder, price), flat, "{price}");
            }
            push(&mut ladder, 10_001);
            // Two levels would move: so 66 best prices elsewhere are not enough, and the same or worse ones do not count.
            let better = |n: u64| if side == Side::Buy { 20_000 + n } else { 9_000 - n };
            let worse = |n: u64| if side == Side::Buy { 5_000 - n } else { 30_000 + n };
            for n in 1..=66 {
                push(&mut ladder, better(n));
                push(&mut ladder, better(n));
                push(&mut ladder, worse(n));
            }
            assert!(is_flat(&ladder, 10_000));
            push(&mut ladder, better(67));
            assert!(is_flat(&ladder, better(67)) && !is_flat(&ladder, 10_000));
            let heads =
                [10_000, 10_001, better(1), better(67), worse(66)].map(|price| ladder.head(price) != 0);
            assert_eq!(heads, [true; 5]);
            // Now 32 levels on the better side are flat, and the count begins anew.
            let flat = u64::try_from(ladder.flat).unwrap();
            for n in 0..64 + flat {
                push(
                    &mut ladder,
                    if side == Side::Buy { 40_000 + n } else { 5_000 - n },
                );
            }
            assert!(is_flat(&ladder, better(67)));
            push(&mut ladder, if side == Side::Buy { 50_000 } else { 1_000 });
            assert!(!is_flat(&ladder, better(67)));
        }
    }

    #[test]
    fn an_empty_side_begins_where_the_next_price_is() {
        let mut nodes = vec![Node::default(); 3];
        let mut ladder = Ladder::new(Side::Buy, 6);
        ladder.push(&mut nodes, 10_000, 1);
        ladder.unlink(&mut nodes, 10_000, 1);
        assert_eq!((ladder.best(), ladder.flat), (0, 0));
        ladder.push(&mut nodes, 500, 2);
        assert_eq!((ladder.best(), ladder.base, ladder.flat), (500, 468, 1));
        ladder.unlink(&mut nodes, 500, 2);
        ladder.push(&mut nodes, 5, 2);
        assert_eq!((ladder.best(), ladder.base), (5, 1));
    }

    /// Prices come and go near and far; best and next price are those of a plain set.
    #[test]
    fn best_and_next_are_those_of_a_sorted_set() {
        for (side, bits) in [(Side::Buy, 6), (Side::Sell, 6), (Side::Buy, 13), (Side::Sell, 13)] {
            let mut ladder = Ladder::new(side, bits);
            let mut nodes = vec![Node::default(); 20_001];
            let mut set = BTreeSet::new();
            let mut seed = 7u64;
            let mut random = |below: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 33) % below
            };
            for round in 0..30_000u64 {
                let drift = round / 10;
                let price = 1 + drift + random(if round % 7 == 0 { 20_000 } else { 90 }) % 20_000;
                let price = price.min(20_000);
                let slot = u32::try_from(price).unwrap();
                if set.remove(&price) {
                    ladder.unlink(&mut nodes, price, slot);
                } else {
                    set.insert(price);
                    ladder.push(&mut nodes, price, slot);
                }
                let best = match side {
                    Side::Buy => set.last(),
                    Side::Sell => set.first(),
                };
                assert_eq!(ladder.best(), best.copied().unwrap_or(0));
                let probe = 1 + random(20_000);
                let after = match side {
                    Side::Buy => set.range(..probe).next_back(),
                    Side::Sell => set.range(probe + 1..).next(),
                };
                assert_eq!(ladder.after(probe), after.copied().unwrap_or(0));
                assert_eq!(ladder.head(price) != 0, set.contains(&price));
            }
        }
    }
}
