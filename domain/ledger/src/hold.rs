//! Holds: pending transfers out of a credit-normal account.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_ids::HoldId;
use ferrex_time::Timestamp;
use foldhash::{HashMap, HashSet};

use crate::AccountId;

/// An open hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name.
    pub id: HoldId,
    /// The account it sets money aside of.
    pub account: AccountId,
    /// How much is still set aside; not zero.
    pub left: u128,
    /// From when on it may expire; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A hold as the projection keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldState {
    /// Its name.
    pub id: HoldId,
    /// The account it is or was on.
    pub account: AccountId,
    /// How much is set aside; zero when closed.
    pub left: u128,
    /// From when on it may expire.
    pub expires_at: Option<Timestamp>,
    /// Whether it is closed for ever.
    pub closed: bool,
}

/// The open holds in a slab, and the closed ones that are still remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds {
    slots: Vec<Hold>,
    free: Vec<u32>,
    by_id: HashMap<HoldId, u32>,
    by_expiry: BTreeSet<(Timestamp, HoldId)>,
    /// Closed holds by id, which is by time; old ones are forgotten here and looked up in the projection.
    closed: BTreeMap<HoldId, AccountId>,
    changes: HashSet<HoldId>,
}

impl Holds {
    pub(crate) fn find(&self, id: HoldId) -> Option<&Hold> {
        self.by_id.get(&id).map(|slot| &self.slots[*slot as usize])
    }

    pub(crate) fn is_closed(&self, id: HoldId) -> bool {
        self.closed.contains_key(&id)
    }

    pub(crate) fn open(&mut self, hold: Hold) {
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = hold;
            slot
        } else {
            self.slots.push(hold);
            u32::try_from(self.slots.len() - 1)
                .expect("four thousand million open holds do not fit in memory")
        };
        self.by_id.insert(hold.id, slot);
        if let Some(expires_at) = hold.expires_at {
            self.by_expiry.insert((expires_at, hold.id));
        }
        self.changes.insert(hold.id);
    }

    pub(crate) fn set_left(&mut self, id: HoldId, left: u128) {
        if let Some(slot) = self.by_id.get(&id) {
            self.slots[*slot as usize].left = left;
            self.changes.insert(id);
        }
    }

    /// Takes a hold off the slab without remembering it.
    pub(crate) fn remove(&mut self, id: HoldId) -> Option<Hold> {
        let slot = self.by_id.remove(&id)?;
        self.free.push(slot);
        let hold = self.slots[slot as usize];
        if let Some(expires_at) = hold.expires_at {
            self.by_expiry.remove(&(expires_at, id));
        }
        self.changes.insert(id);
        Some(hold)
    }

    pub(crate) fn remember_closed(&mut self, id: HoldId, account: AccountId) {
        self.closed.insert(id, account);
    }

    pub(crate) fn mark_changed(&mut self, id: HoldId) {
        self.changes.insert(id);
    }

    pub(crate) fn forget_closed(&mut self, id: HoldId) {
        self.closed.remove(&id);
    }

    /// Forgets closed holds below `bound` that the last drain has handed over.
    pub(crate) fn forget_closed_before(&mut self, bound: HoldId) {
        let kept = self.closed.split_off(&bound);
        let old = std::mem::replace(&mut self.closed, kept);
        self.closed
            .extend(old.into_iter().filter(|(id, _)| self.changes.contains(id)));
    }

    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<HoldId> {
        self.by_expiry
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .map(|(_, id)| *id)
            .collect()
    }

    pub(crate) fn drain_changes(&mut self) -> Vec<HoldState> {
        let mut changed: Vec<HoldId> = self.changes.drain().collect();
        changed.sort_unstable();
        changed
            .into_iter()
            .filter_map(|id| match (self.find(id), self.closed.get(&id)) {
                (Some(hold), _) => Some(HoldState {
                    id,
                    account: hold.account,
                    left: hold.left,
                    expires_at: hold.expires_at,
                    closed: false,
                }),
                (None, Some(account)) => Some(HoldState {
                    id,
                    account: *account,
                    left: 0,
                    expires_at: None,
                    closed: true,
                }),
                // Opened and taken back within one unit of work.
                (None, None) => None,
            })
            .collect()
    }

    /// The open holds by id.
    pub(crate) fn sorted(&self) -> Vec<Hold> {
        let mut open: Vec<Hold> = self
            .by_id
            .values()
            .map(|slot| self.slots[*slot as usize])
            .collect();
        open.sort_unstable_by_key(|hold| hold.id);
        open
    }

    /// The closed holds that are remembered, by id.
    pub(crate) fn closed(&self) -> Vec<(HoldId, AccountId)> {
        self.closed.iter().map(|(id, account)| (*id, *account)).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
