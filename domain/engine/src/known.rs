//! The idempotency window: the answers of recent commands, by command id, which is by time.

use std::collections::BTreeMap;

use ferrex_ids::CommandId;
use ferrex_planted::planted;
use ferrex_time::Timestamp;
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

/// Every command with an id from `start` on is here; an older one may be, or is in the journal only.
///
/// That is true whatever ids callers make: an id that is not time-ordered costs memory or a look-up, never an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    start: Uuid,
    /// By the id as a number, which sorts as its bytes do and is compared in two instructions: every command looks here.
    answers: BTreeMap<u128, Known>,
}

impl Window {
    pub(crate) const fn start(&self) -> Uuid {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// What is remembered, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (CommandId, Known)> + '_ {
        let named = |(id, known): (&u128, &Known)| (CommandId::from_uuid(Uuid::from_u128(*id)), *known);
        self.answers.iter().map(named)
    }

    pub(crate) fn find(&self, id: CommandId) -> Option<Known> {
        self.answers.get(&id.uuid().as_u128()).copied()
    }

    pub(crate) fn remember(&mut self, id: CommandId, known: Known) {
        self.answers.insert(id.uuid().as_u128(), known);
    }

    pub(crate) fn reaches(&self, id: Uuid) -> bool {
        id >= self.start
    }

    /// Moves the start forward and drops what lies before it.
    pub(crate) fn forget_before(&mut self, start: Uuid) {
        self.start = self.start.max(start);
        self.answers = self.answers.split_off(&self.start.as_u128());
    }

    /// The start that would keep the `count` newest ids.
    pub(crate) fn start_for(&self, count: usize) -> Uuid {
        let surplus = self.answers.len().saturating_sub(count);
        match (surplus, self.answers.keys().nth(surplus)) {
            (0, _) | (_, None) => self.start,
            (_, Some(id)) => Uuid::from_u128(*id),
        }
    }
}
