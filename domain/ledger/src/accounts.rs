//! Accounts as dense numbers: keys are looked up at the edge, balances are flat arrays.

use ferrex_money::AssetId;
use foldhash::HashMap;

use crate::{AccountId, AccountKey, Normal, Owner};

/// Key, total and held part of every account, by its dense number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// By names that this house gives and nobody outside chooses, so that a fast hash does.
    by_key: HashMap<AccountKey, AccountId>,
    by_owner: HashMap<Owner, Vec<AccountId>>,
    keys: Vec<AccountKey>,
    totals: Vec<u128>,
    held: Vec<u128>,
    changed: Vec<bool>,
    changes: Vec<AccountId>,
    /// Of each asset the sum of its debit-normal accounts, which equals that of the others.
    issued: HashMap<AssetId, Issued>,
    /// How many of these sums exceed 2^128 - 1.
    overissued: usize,
}

/// A sum that may exceed 128 bits.
#[derive(Clone, Copy, Debug, Default)]
struct Issued {
    high: i64,
    low: u128,
}

fn index(id: AccountId) -> usize {
    // Ids count from 1; 0 is "none" in a journal row and never reaches an array.
    (id.0 as usize).wrapping_sub(1)
}

impl Accounts {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.by_key.reserve(more);
        self.keys.reserve(more);
        self.totals.reserve(more);
        self.held.reserve(more);
        self.changed.reserve(more);
        self.changes.reserve(more);
    }

    pub(crate) fn find(&self, key: &AccountKey) -> Option<AccountId> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn of(&self, owner: &Owner) -> &[AccountId] {
        self.by_owner.get(owner).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn contains(&self, id: AccountId) -> bool {
        index(id) < self.keys.len()
    }

    /// Opens an account under the next number. The caller has checked that the key is new.
    pub(crate) fn open(&mut self, key: AccountKey) -> AccountId {
        let number =
            u32::try_from(self.keys.len() + 1).expect("four thousand million accounts do not fit in memory");
        let id = AccountId(number);
        self.by_key.insert(key, id);
        self.by_owner.entry(key.account.owner).or_default().push(id);
        self.keys.push(key);
        self.totals.push(0);
        self.held.push(0);
        self.changed.push(false);
        id
    }

    /// Takes back the account that was opened last.
    pub(crate) fn close_last(&mut self) {
        let Some(key) = self.keys.pop() else { return };
        self.by_key.remove(&key);
        if let Some(accounts) = self.by_owner.get_mut(&key.account.owner) {
            accounts.pop();
            if accounts.is_empty() {
                self.by_owner.remove(&key.account.owner);
            }
        }
        self.totals.pop();
        self.held.pop();
        self.changed.pop();
    }

    pub(crate) fn key(&self, id: AccountId) -> AccountKey {
        self.keys[index(id)]
    }

    pub(crate) fn normal(&self, id: AccountId) -> Normal {
        self.keys[index(id)].account.purpose.normal()
    }

    pub(crate) fn total(&self, id: AccountId) -> u128 {
        self.totals[index(id)]
    }

    pub(crate) fn held(&self, id: AccountId) -> u128 {
        self.held[index(id)]
    }

    /// What a debit may take: the total less the holds. Holds never exceed the total.
    pub(crate) fn available(&self, id: AccountId) -> u128 {
        self.total(id).saturating_sub(self.held(id))
    }

    pub(crate) fn set(&mut self, id: AccountId, total: u128, held: u128) {
        let place = index(id);
        if self.keys[place].account.purpose.normal() == Normal::Debit {
            self.issue(place, total);
        }
        self.totals[place] = total;
        self.held[place] = held;
        if !self.changed[place] {
            self.changed[place] = true;
            self.changes.push(id);
        }
    }

    fn issue(&mut self, place: usize, total: u128) {
        let issued = self.issued.entry(self.keys[place].asset).or_default();
        let (low, less) = issued.low.overflowing_sub(self.totals[place]);
        let (low, more) = low.overflowing_add(total);
        let before = issued.high;
        issued.low = low;
        issued.high += i64::from(more) - i64::from(less);
        self.overissued += usize::from(issued.high > 0);
        self.overissued -= usize::from(before > 0);
    }

    /// Whether the sum of an asset exceeds 2^128 - 1.
    pub(crate) fn is_overissued(&self, asset: AssetId) -> bool {
        self.overissued > 0 && self.issued.get(&asset).is_some_and(|issued| issued.high > 0)
    }

    /// The accounts set since the last call, ascending, each once.
    pub(crate) fn drain_changes(&mut self) -> Vec<AccountId> {
        let mut changes = std::mem::take(&mut self.changes);
        // An account that was opened, taken back and opened again stands here twice, or no more at all.
        changes.sort_unstable();
        changes.dedup();
        changes.retain(|id| self.contains(*id));
        for id in &changes {
            self.changed[index(*id)] = false;
        }
        changes
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = AccountId> + use<> {
        let count = u32::try_from(self.keys.len()).expect("every account has a 32-bit number");
        (1..=count).map(AccountId)
    }
}
