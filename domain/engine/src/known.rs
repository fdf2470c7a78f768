//! The idempotency window: the answers of recent commands, by command id, which is by time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ferrex_ids::CommandId;
use ferrex_ledger::Shareable;
use ferrex_planted::planted;
use ferrex_time::Timestamp;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use uuid::Uuid;

use crate::{Outcome, Refusal};

/// What is remembered of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Fingerprint of its body.
    pub fingerprint: u64,
    /// Its answer.
    pub outcome: Outcome,
}

impl Known {
    /// The answer to a command of the same id with this body.
    pub fn answer(self, fingerprint: u64) -> Outcome {
        if self.fingerprint == fingerprint || planted!("engine.bodies_not_compared") {
            self.outcome
        } else {
            Outcome::Refused {
                sequence: 0,
                refusal: Refusal::IdReused,
            }
        }
    }
}

/// The lowest UUIDv7 of a moment: ids made before sort below it.
pub fn lowest_id_at(at: Timestamp) -> Uuid {
    let ms = u128::try_from(at.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(ms << 80)
}

/// Ids of the same 256 ms are one span: few enough for a table that grows in a moment, many enough for few tables.
const SPAN_BITS: u32 = 80 + 8;

const fn number(id: CommandId) -> u128 {
    id.uuid().as_u128()
}

const fn span(id: u128) -> u64 {
    // 40 bits are left.
    (id >> SPAN_BITS) as u64
}

/// The commands of one span, as they come: what is written for one lies beside what was written before, and only its place goes
/// to where its hash says. Else each command would wait until the memory of the one before is there to be written.
type Span = IndexMap<u128, Known, RandomState>;

/// Every command with an id from `start` on is here; an older one may be, or is in the journal only.
///
/// That is true whatever ids callers make: an id that is not time-ordered costs memory or a look-up, never an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    start: Uuid,
    /// By the time of the id, then by the id: every command looks here, and old spans go as a whole. None is empty.
    /// Who has the window as it was shares them: one that both have is copied before it is changed.
    spans: BTreeMap<u64, Shareable<Span>>,
    len: usize,
}

impl Window {
    pub(crate) const fn start(&self) -> Uuid {
        self.start
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The window as it is now, whatever becomes of it.
    pub(crate) fn share(&mut self) -> Self {
        let share = |(number, span): (&u64, &mut Shareable<Span>)| (*number, Shareable::Common(span.share()));
        Self {
            start: self.start,
            spans: self.spans.iter_mut().map(share).collect(),
            len: self.len,
        }
    }

    /// What is remembered, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (CommandId, Known)> + '_ {
        self.spans.values().flat_map(|span| {
            let mut known: Vec<(u128, Known)> = span.get().iter().map(|(id, known)| (*id, *known)).collect();
            known.sort_unstable_by_key(|(id, _)| *id);
            let named = |(id, known)| (CommandId::from_uuid(Uuid::from_u128(id)), known);
            known.into_iter().map(named)
        })
    }

    pub(crate) fn find(&self, id: CommandId) -> Option<Known> {
        let id = number(id);
        self.spans.get(&span(id))?.get().get(&id).copied()
    }

    pub(crate) fn remember(&mut self, id: CommandId, known: Known) {
        let id = number(id);
        // A new span will hold about as much as the one before: made so large, it need not grow while commands wait.
        let usual = match self.spans.last_key_value() {
            Some((last, known)) if *last < span(id) => known.get().len(),
            _ => 0,
        };
        let span = self
            .spans
            .entry(span(id))
            .or_insert_with(|| Shareable::Own(Span::with_capacity_and_hasher(usual, RandomState::default())));
        self.len += usize::from(span.get_mut().insert(id, known).is_none());
    }

    pub(crate) fn reaches(&self, id: Uuid) -> bool {
        id >= self.start
    }

    /// Moves the start forward and drops what lies before it.
    pub(crate) fn forget_before(&mut self, start: Uuid) {
        self.start = self.start.max(start);
        let start = self.start.as_u128();
        let kept = self.spans.split_off(&span(start));
        let gone = std::mem::replace(&mut self.spans, kept);
        self.len -= gone.values().map(|span| span.get().len()).sum::<usize>();
        if let Entry::Occupied(mut first) = self.spans.entry(span(start)) {
            let span = first.get_mut().get_mut();
            self.len -= span.len();
            span.retain(|id, _| *id >= start);
            self.len += span.len();
            if span.is_empty() {
                first.remove();
            }
        }
    }

    /// The start that would keep the `count` newest ids.
    pub(crate) fn start_for(&self, count: usize) -> Uuid {
        let mut surplus = self.len.saturating_sub(count);
        if surplus == 0 {
            return self.start;
        }
        for span in self.spans.values().map(Shareable::get) {
            if surplus < span.len() {
                let mut ids: Vec<u128> = span.keys().copied().collect();
                let (_, first, _) = ids.select_nth_unstable(surplus);
                return Uuid::from_u128(*first);
            }
            surplus -= span.len();
        }
        self.start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ids of a few milliseconds on both sides of the bounds of spans.
    fn id() -> impl Strategy<Value = u128> {
        (0..4_u128, 0..3_u128, 0..3_u128).prop_map(|(span, ms, rest)| (span << SPAN_BITS) + (ms << 80) + rest)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Remember(u128),
        ForgetBefore(u128),
        Keep(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => id().prop_map(Step::Remember),
            1 => id().prop_map(Step::ForgetBefore),
            1 => (0..20_usize).prop_map(Step::Keep),
        ]
    }

    #[test]
    fn each_256_milliseconds_have_a_table_made_as_large_as_the_last_one_is() {
        let mut window = Window::default();
        let mut remember = |ms: u128, count: u128| {
            let outcome = Outcome::Applied { sequence: 1 };
            for rest in 0..count {
                let id = CommandId::from_uuid(Uuid::from_u128((ms << 80) + rest));
                window.remember(
                    id,
                    Known {
                        fingerprint: 1,
                        outcome,
                    },
                );
            }
            let tables = window.spans.iter();
            tables
                .map(|(span, known)| (*span, known.get().len(), known.get().capacity() >= 100))
                .collect::<Vec<_>>()
        };
        assert_eq!(remember(512, 100), [(2, 100, true)]);
        assert_eq!(remember(767, 1), [(2, 101, true)]);
        assert_eq!(remember(768, 1), [(2, 101, true), (3, 1, true)]);
        assert_eq!(remember(769, 99), [(2, 101, true), (3, 100, true)]);
        // One that comes late is no sign of how many will.
        assert_eq!(remember(0, 1), [(0, 1, false), (2, 101, true), (3, 100, true)]);
    }

    proptest! {
        #[test]
        fn the_window_is_a_map_by_id_that_forgets_its_beginning(
            steps in proptest::collection::vec(step(), 0..80), asked in id(),
        ) {
            let (mut window, mut map, mut start) = (Window::default(), BTreeMap::new(), 0);
            for (sequence, step) in (1..).zip(steps) {
                match step {
                    Step::Remember(id) => {
                        let known = Known { fingerprint: sequence, outcome: Outcome::Applied { sequence } };
                        window.remember(CommandId::from_uuid(Uuid::from_u128(id)), known);
                        map.insert(id, known);
                    }
                    Step::ForgetBefore(id) => {
                        window.forget_before(Uuid::from_u128(id));
                        start = start.max(id);
                        map = map.split_off(&start);
                    }
                    Step::Keep(count) => {
                        let surplus = map.len().saturating_sub(count);
                        let first = map.keys().nth(surplus).filter(|_| surplus > 0).copied();
                        let kept = first.unwrap_or(start);
                        prop_assert_eq!(window.start_for(count), Uuid::from_u128(kept));
                        window.forget_before(window.start_for(count));
                        start = start.max(kept);
                        map = map.split_off(&start);
                    }
                }
                prop_assert_eq!(window.start(), Uuid::from_u128(start));
                prop_assert_eq!(window.len(), map.len());
            }
            let asked_id = CommandId::from_uuid(Uuid::from_u128(asked));
            prop_assert_eq!(window.find(asked_id), map.get(&asked).copied());
            let all: Vec<(u128, Known)> = window.iter().map(|(id, known)| (number(id), known)).collect();
            prop_assert_eq!(all, map.into_iter().collect::<Vec<_>>());
        }
    }
}
