//! Group commit for events that are handled each by itself: when all slots are taken, messages gather, and whoever gets a
//! slot next handles what has gathered with its own, in one transaction.
//!
//! A commit waits for the disk, so under load this is what decides how many events a second take effect; without load
//! nothing gathers and each has a transaction of its own. What fails together leaves nothing behind and is handled alone.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::message::Delivery;

/// Most messages handled together; they run one after the other, and what they lock is held until the last is done.
pub(super) const MOST: usize = 32;

/// A message that waits for a slot.
pub(super) struct Waiting {
    number: u64,
    pub delivery: Delivery,
    /// Told whether it was handled; if not, it is to be handled alone.
    pub done: oneshot::Sender<bool>,
}

/// Where messages wait. Each is the only one of its key, since a key's messages come one after the other.
#[derive(Default)]
pub(super) struct Room(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    last: u64,
    waiting: VecDeque<Waiting>,
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a message wait; answers its number and where it learns what became of it.
    pub fn enter(&self, delivery: Delivery) -> (u64, oneshot::Receiver<bool>) {
        let (done, outcome) = oneshot::channel();
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        inner.waiting.push_back(Waiting {
            number,
            delivery,
            done,
        });
        (number, outcome)
    }

    /// Takes a message back; `false` when another has taken it to handle it.
    pub fn leave(&self, number: u64) -> bool {
        let mut inner = self.lock();
        let place = inner
            .waiting
            .binary_search_by_key(&number, |waiting| waiting.number);
        place.is_ok_and(|place| inner.waiting.remove(place).is_some())
    }

    /// Takes those that wait longest, one less than [`MOST`].
    pub fn take(&self) -> Vec<Waiting> {
        let mut inner = self.lock();
        let count = inner.waiting.len().min(MOST - 1);
        inner.waiting.drain(..count).collect()
    }
}
