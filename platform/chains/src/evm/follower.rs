//! Which block comes next: the follower's decisions, without any input or output.
//!
//! The owner of the cursor (`payment`) stores, in one transaction per block, what it found in the block, the block's
//! height and hash, and the new cursor. It takes one height at a time and never jumps, however far behind it is
//! (H005). A reorganisation is recognised by a parent hash, or by another hash at the cursor's own height; a node that
//! is merely behind is not one (H004). What a reorganisation takes back is found by comparing stored hashes with the
//! chain's, downwards, until they agree.

use alloy_primitives::B256;
use ferrex_planted::planted;

/// A block that was processed: the cursor, and each of the stored hashes below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Height of the block.
    pub height: u64,
    /// Hash of the block.
    pub hash: B256,
}

/// What a fetched block means for the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It continues the chain: process it, store this cursor.
    Advance(Cursor),
    /// It rests on another block than the cursor's: search the common ancestor with [`Rewind`].
    Reorganised,
}

/// The block is not the one after the cursor; processing it would leave a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {got} was offered where {wanted} is next")]
pub struct OutOfOrder {
    /// The height that is next.
    pub wanted: u64,
    /// The height that came.
    pub got: u64,
}

/// Decides about the block at `height` with `hash` that rests on `parent`.
pub fn next(cursor: Cursor, height: u64, hash: B256, parent: B256) -> Result<Next, OutOfOrder> {
    let wanted = cursor.height.saturating_add(1);
    if height != wanted {
        return Err(OutOfOrder { wanted, got: height });
    }
    Ok(
        if parent == cursor.hash || planted!("follower.parent_not_compared") {
            Next::Advance(Cursor { height, hash })
        } else {
            Next::Reorganised
        },
    )
}

/// What the chain shows at the cursor's own height when it has no block after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtTip {
    /// The cursor's block: nothing to do until the next.
    Settled,
    /// Nothing at all: the node is behind us. Wait; going back would take back money for nothing (H004).
    Behind,
    /// Another block: search the common ancestor with [`Rewind`].
    Reorganised,
}

/// Decides what the hash at the cursor's height, `None` if the node knows no such block, means.
pub fn at_tip(cursor: Cursor, on_chain: Option<B256>) -> AtTip {
    match on_chain {
        None => AtTip::Behind,
        Some(hash) if hash == cursor.hash => AtTip::Settled,
        Some(_) => AtTip::Reorganised,
    }
}

/// The search for the last stored block that is still on the chain.
#[derive(Clone, Debug)]
pub struct Rewind {
    stored: Vec<Cursor>,
    at: usize,
}

/// Where the search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Ask the chain for its hash at this height and give it to [`Rewind::answer`].
    Ask(u64),
    /// The last common block. Everything above it is taken back.
    Found(Cursor),
    /// No stored block is on the chain: deeper than what is kept. A person has to look.
    TooDeep,
}

/// The stored hashes do not run downwards without a gap, which is a defect of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored hashes are not contiguous below height {0}")]
pub struct Gap(pub u64);

impl Rewind {
    /// A search through the stored blocks, given newest first and without a gap.
    pub fn try_new(stored: Vec<Cursor>) -> Result<Self, Gap> {
        for pair in stored.windows(2) {
            if pair[1].height.checked_add(1) != Some(pair[0].height) {
                return Err(Gap(pair[0].height));
            }
        }
        Ok(Self { stored, at: 0 })
    }

    /// What to do next.
    pub fn state(&self) -> Search {
        self.stored
            .get(self.at)
            .map_or(Search::TooDeep, |cursor| Search::Ask(cursor.height))
    }

    /// Takes the chain's hash at the height asked for. A node that has no block there is behind, and no answer to the
    /// search: end it and wait (H004).
    pub fn answer(&mut self, on_chain: B256) -> Search {
        match self.stored.get(self.at) {
            Some(stored) if on_chain == stored.hash => Search::Found(*stored),
            Some(_) => {
                self.at += 1;
                self.state()
            }
            None => Search::TooDeep,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alloy_primitives::keccak256;
    use proptest::prelude::*;

    use super::*;

    /// A chain as hashes by height; a block's hash covers its parent's.
    #[derive(Clone, Debug)]
    struct Chain(Vec<B256>);

    impl Chain {
        fn grow(&mut self, salt: u64) {
            let parent = *self.0.last().unwrap();
            self.0
                .push(keccak256([parent.as_slice(), &salt.to_be_bytes()].concat()));
        }
        fn head(&self) -> u64 {
            self.0.len() as u64 - 1
        }
        fn hash(&self, height: u64) -> Option<B256> {
            self.0.get(usize::try_from(height).unwrap()).copied()
        }
    }

    /// What the owner of a cursor keeps: a row a block, and how often each block was processed and taken back.
    #[derive(Default)]
    struct Store {
        rows: BTreeMap<u64, B256>,
        net: BTreeMap<B256, i32>,
    }

    impl Store {
        fn cursor(&self) -> Cursor {
            let (height, hash) = self.rows.last_key_value().unwrap();
            Cursor {
                height: *height,
                hash: *hash,
            }
        }
        fn stored(&self, keep: usize) -> Vec<Cursor> {
            self.rows
                .iter()
                .rev()
                .take(keep)
                .map(|(height, hash)| Cursor {
                    height: *height,
                    hash: *hash,
                })
                .collect()
        }
        fn back_to(&mut self, ancestor: Cursor) {
            for (_, hash) in self.rows.split_off(&(ancestor.height + 1)) {
                *self.net.get_mut(&hash).unwrap() -= 1;
            }
        }
        /// One turn of the follower; whether anything changed.
        fn turn(&mut self, chain: &Chain, keep: usize) -> bool {
            let cursor = self.cursor();
            let reorganised = match chain.hash(cursor.height + 1) {
                Some(hash) => {
                    match next(
                        cursor,
                        cursor.height + 1,
                        hash,
                        chain.hash(cursor.height).unwrap(),
                    )
                    .unwrap()
                    {
                        Next::Advance(cursor) => {
                            self.rows.insert(cursor.height, cursor.hash);
                            *self.net.entry(cursor.hash).or_default() += 1;
                            return true;
                        }
                        Next::Reorganised => true,
                    }
                }
                None => at_tip(cursor, chain.hash(cursor.height)) == AtTip::Reorganised,
            };
            if !reorganised {
                return false;
            }
            let mut rewind = Rewind::try_new(self.stored(keep)).unwrap();
            let mut search = rewind.state();
            while let Search::Ask(height) = search {
                search = rewind.answer(chain.hash(height).unwrap());
            }
            let Search::Found(ancestor) = search else {
                panic!("deeper than what is kept")
            };
            self.back_to(ancestor);
            true
        }
    }

    #[derive(Clone, Debug)]
    enum Event {
        Grow,
        Reorganise {
            depth: usize,
            grow: usize,
        },
        Turn,
        /// A turn against a node that lags by some blocks.
        LaggingTurn(usize),
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => Just(Event::Grow),
            1 => (1usize..=12, 0usize..=14).prop_map(|(depth, grow)| Event::Reorganise { depth, grow }),
            4 => Just(Event::Turn),
            2 => (1usize..20).prop_map(Event::LaggingTurn),
        ]
    }

    proptest! {
        /// H001, H004, H005, I12: after any history the follower, once left in peace, holds exactly the chain, and has
        /// processed each block of it once and every other block as often as it took it back.
        #[test]
        fn i12_the_follower_converges_on_the_chain(events in proptest::collection::vec(events(), 1..120)) {
            let mut chain = Chain(vec![B256::ZERO]);
            let mut store = Store::default();
            store.rows.insert(0, B256::ZERO);
            store.net.insert(B256::ZERO, 1);
            for (salt, event) in (0u64..).zip(events) {
                match event {
                    Event::Grow => chain.grow(salt),
                    Event::Reorganise { depth, grow } => {
                        let keep = chain.0.len().saturating_sub(depth).max(1);
                        chain.0.truncate(keep);
                        for extra in 0..grow as u64 {
                            chain.grow(salt << 8 | extra | 1 << 60);
                        }
                    }
                    Event::Turn => {
                        let before = store.cursor();
                        store.turn(&chain, 64);
                        prop_assert!(store.cursor().height <= before.height + 1, "a block was jumped over");
                    }
                    Event::LaggingTurn(lag) => {
                        let mut lagging = chain.clone();
                        lagging.0.truncate(chain.0.len().saturating_sub(lag).max(1));
                        let before = store.cursor();
                        store.turn(&lagging, 64);
                        // A node that is behind but on our chain moves nothing back.
                        if chain.hash(before.height) == Some(before.hash) {
                            prop_assert!(store.cursor().height >= before.height);
                        }
                    }
                }
            }
            // A chain that ends below the cursor shows nothing at its height: it must grow past it, as real ones do.
            while chain.head() <= store.cursor().height {
                chain.grow(1 << 61);
            }
            while store.turn(&chain, 64) {}
            let expected: Vec<B256> = chain.0.clone();
            prop_assert_eq!(store.rows.values().copied().collect::<Vec<_>>(), expected.clone());
            for (hash, net) in store.net {
                prop_assert_eq!(net, i32::from(expected.contains(&hash)));
            }
        }
    }

    #[test]
    fn h005_a_block_out_of_turn_is_refused() {
        let cursor = Cursor {
            height: 7,
            hash: B256::repeat_byte(7),
        };
        for height in [0, 7, 9, 1_000] {
            let refused = next(cursor, height, B256::ZERO, cursor.hash).unwrap_err();
            assert_eq!(
                refused,
                OutOfOrder {
                    wanted: 8,
                    got: height
                }
            );
        }
    }

    #[test]
    fn h004_a_node_that_is_behind_moves_nothing() {
        let cursor = Cursor {
            height: 7,
            hash: B256::repeat_byte(7),
        };
        assert_eq!(at_tip(cursor, None), AtTip::Behind);
        assert_eq!(at_tip(cursor, Some(cursor.hash)), AtTip::Settled);
        assert_eq!(at_tip(cursor, Some(B256::ZERO)), AtTip::Reorganised);
    }

    #[test]
    fn a_reorganisation_deeper_than_what_is_kept_is_not_guessed_at() {
        let stored = vec![
            Cursor {
                height: 2,
                hash: B256::ZERO,
            },
            Cursor {
                height: 1,
                hash: B256::ZERO,
            },
        ];
        let mut rewind = Rewind::try_new(stored.clone()).unwrap();
        assert_eq!(rewind.state(), Search::Ask(2));
        assert_eq!(rewind.answer(B256::repeat_byte(9)), Search::Ask(1));
        assert_eq!(rewind.answer(B256::repeat_byte(1)), Search::TooDeep);
        assert_eq!(Rewind::try_new(vec![stored[1], stored[0]]).unwrap_err(), Gap(1));
    }
}
