use foldhash::{HashMap, HashMapExt as _};

/// Finds the slot of an open order by its number: a flat ring over the newest numbers, a map for older ones.
///
/// Numbers are dense, so the ring is full of answers; an order that outlives its turn of the ring moves to the map.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    ring: Vec<u32>,
    old: HashMap<u64, u32>,
    /// The next number.
    next: u64,
}

impl Index {
    pub(crate) fn new(bits: u32) -> Self {
        Self {
            ring: vec![0; 1 << bits],
            old: HashMap::new(),
            next: 1,
        }
    }

    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    fn place(&self, number: u64) -> usize {
        // The ring's length is a power of two far below 2^32.
        usize::try_from(number & (self.ring.len() as u64 - 1)).unwrap_or(0)
    }

    fn in_ring(&self, number: u64) -> bool {
        number + self.ring.len() as u64 >= self.next
    }

    /// Makes `number` the last one given.
    pub(crate) fn advance_to(&mut self, number: u64) {
        // At most one turn needs emptying, however far it jumps.
        let from = self.next.max((number + 1).saturating_sub(self.ring.len() as u64));
        if number + 1 > self.next + self.ring.len() as u64 {
            self.spill_all();
        }
        for given in from..=number {
            let place = self.place(given);
            let slot = std::mem::take(&mut self.ring[place]);
            if slot != 0 {
                self.old.insert(given - self.ring.len() as u64, slot);
            }
        }
        self.next = self.next.max(number + 1);
    }

    fn spill_all(&mut self) {
        let turn = self.ring.len() as u64;
        for number in self.next.saturating_sub(turn).max(1)..self.next {
            let place = self.place(number);
            let slot = std::mem::take(&mut self.ring[place]);
            if slot != 0 {
                self.old.insert(number, slot);
            }
        }
    }

    /// Gives the next number.
    pub(crate) fn give(&mut self) -> u64 {
        let number = self.next;
        self.advance_to(number);
        number
    }

    pub(crate) fn set(&mut self, number: u64, slot: u32) {
        if self.in_ring(number) {
            let place = self.place(number);
            self.ring[place] = slot;
        } else {
            self.old.insert(number, slot);
        }
    }

    pub(crate) fn find(&self, number: u64) -> Option<u32> {
        if number == 0 || number >= self.next {
            return None;
        }
        if self.in_ring(number) {
            let slot = self.ring[self.place(number)];
            (slot != 0).then_some(slot)
        } else {
            self.old.get(&number).copied()
        }
    }

    pub(crate) fn remove(&mut self, number: u64) {
        if self.in_ring(number) {
            let place = self.place(number);
            self.ring[place] = 0;
        } else {
            self.old.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_found_through_many_turns_and_jumps_of_the_ring() {
        let mut index = Index::new(2);
        for number in 1..=20 {
            assert_eq!(index.give(), number);
            index.set(number, u32::try_from(number).unwrap() + 100);
            if number % 3 != 0 {
                index.remove(number);
            }
        }
        index.advance_to(100);
        for number in 0..=120 {
            let expected = (number > 0 && number <= 20 && number % 3 == 0).then_some(number + 100);
            assert_eq!(index.find(number).map(u64::from), expected, "{number}");
        }
        assert_eq!(index.give(), 101);
        index.remove(3);
        assert_eq!(index.find(3), None);
    }

    #[test]
    fn a_jump_of_any_length_takes_every_order_along() {
        for jump in 0..12u32 {
            let mut index = Index::new(2);
            for number in 1..=8u32 {
                index.give();
                index.set(number.into(), 100 + number);
            }
            assert_eq!(index.old.len(), 4, "the newest stand in the ring");
            index.advance_to(u64::from(8 + jump));
            for number in 1..=8 {
                assert_eq!(
                    index.find(number.into()),
                    Some(100 + number),
                    "{number} after {jump}"
                );
            }
            for number in 9..=8 + jump {
                assert_eq!(index.find(number.into()), None, "{number} after {jump}");
            }
        }
    }
}
