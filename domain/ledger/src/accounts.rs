//! Accounts as dense numbers: keys are looked up at the edge, and all that is known of an account lies in one place.
//!
//! With many accounts a command waits for memory more than for anything else. So an account's row is as long as a line of
//! the cache, and the tables that find it hold nothing but its number.

use std::hash::BuildHasher as _;

use ferrex_money::AssetId;
use foldhash::HashMap;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::frozen::states;
use crate::pages::{PAGE, Pages, page_of};
use crate::{AccountBlock, AccountId, AccountKey, AccountState, FrozenAccounts, Normal, Owner};

/// Every account by its dense number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    rows: Pages<Row>,
    by_key: HashTable<AccountId>,
    /// Of each owner the account that was opened last.
    by_owner: HashTable<AccountId>,
    /// Of names that this house gives and nobody outside chooses, so that a fast hash does.
    hash: RandomState,
    /// Of each page whether one of its accounts has changed.
    changed: Vec<bool>,
    /// Of each asset the sum of its debit-normal accounts, which equals that of the others.
    issued: HashMap<AssetId, Issued>,
    /// How many of these sums exceed 2^128 - 1.
    overissued: usize,
}

/// An account.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Row {
    pub(crate) total: u128,
    pub(crate) held: u128,
    pub(crate) key: AccountKey,
    /// The account that the same owner opened before, or 0.
    before: AccountId,
}

const _: () = assert!(
    size_of::<Row>() == 64,
    "an account has grown beyond a line of the cache"
);

impl Row {
    const fn new(key: AccountKey, before: AccountId) -> Self {
        Self {
            total: 0,
            held: 0,
            key,
            before,
        }
    }

    pub(crate) const fn normal(&self) -> Normal {
        self.key.account.purpose.normal()
    }

    pub(crate) const fn state(&self, id: AccountId) -> AccountState {
        let Self { total, held, .. } = *self;
        AccountState { id, total, held }
    }

    /// What a debit may take: the total less the holds. Holds never exceed the total.
    pub(crate) const fn available(&self) -> u128 {
        self.total.saturating_sub(self.held)
    }
}

/// Numbers of accounts with a hash of each, in the order of where they come to stand in a table of so many places; those of
/// one place in their own order. Nothing but speed depends on knowing how the table places them.
fn in_order_of_places(rows: &Pages<Row>, places: usize, hash: impl Fn(&Row) -> u64) -> Vec<(u64, AccountId)> {
    let places = places as u64;
    let mut hashed = Vec::with_capacity(rows.len());
    hashed.extend(rows.iter().map(hash).zip((1..).map(AccountId)));
    hashed.sort_unstable_by_key(|(hash, id)| (hash % places, *id));
    hashed
}

/// The accounts by key; an error is the number of one whose key another has.
fn index_keys(rows: &Pages<Row>, hash: &RandomState) -> Result<HashTable<AccountId>, AccountId> {
    let key_of = |id: &AccountId| rows[index(*id)].key;
    let mut by_key = HashTable::with_capacity(rows.len());
    for (hashed, id) in in_order_of_places(rows, by_key.num_buckets(), |row| hash.hash_one(row.key)) {
        let is_it = |other: &AccountId| key_of(other) == key_of(&id);
        match by_key.entry(hashed, is_it, |id| hash.hash_one(key_of(id))) {
            Entry::Occupied(_) => return Err(id),
            Entry::Vacant(place) => drop(place.insert(id)),
        }
    }
    Ok(by_key)
}

/// Of each owner the last account, and of each other account the one that its owner opened before.
fn index_owners(
    rows: &Pages<Row>,
    hash: &RandomState,
) -> (HashTable<AccountId>, Vec<(AccountId, AccountId)>) {
    let owner_of = |id: &AccountId| rows[index(*id)].key.account.owner;
    let (mut by_owner, mut before) = (HashTable::with_capacity(rows.len()), Vec::new());
    let owner_hash = |row: &Row| hash.hash_one(row.key.account.owner);
    for (hashed, id) in in_order_of_places(rows, by_owner.num_buckets(), owner_hash) {
        let is_theirs = |other: &AccountId| owner_of(other) == owner_of(&id);
        match by_owner.entry(hashed, is_theirs, |id| hash.hash_one(owner_of(id))) {
            Entry::Occupied(mut last) => before.push((id, std::mem::replace(last.get_mut(), id))),
            Entry::Vacant(place) => drop(place.insert(id)),
        }
    }
    (by_owner, before)
}

/// A sum that may exceed 128 bits.
#[derive(Clone, Copy, Debug, Default)]
struct Issued {
    high: i64,
    low: u128,
}

/// From so many accounts on a second thread is worth starting, and the processor's caches do not hold them all.
const MANY: usize = 100_000;

fn id_at(place: usize) -> AccountId {
    let number = u32::try_from(place + 1);
    AccountId(number.expect("four thousand million accounts do not fit in memory"))
}

fn index(id: AccountId) -> usize {
    // Ids count from 1; 0 is "none" in a journal row and never reaches an array.
    (id.0 as usize).wrapping_sub(1)
}

impl Accounts {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.rows.reserve(more);
    }

    #[expect(
        clippy::inline_always,
        reason = "a key that is put together for the call is read in other parts than it was written in, and waited for"
    )]
    #[inline(always)]
    pub(crate) fn find(&self, key: &AccountKey) -> Option<AccountId> {
        let is_it = |id: &AccountId| self.row(*id).key == *key;
        self.by_key.find(self.hash.hash_one(key), is_it).copied()
    }

    /// Finds them for nothing but that they are in the cache then, if they are not all there anyway.
    pub(crate) fn look_ahead(&self, keys: impl Iterator<Item = AccountKey>) {
        if self.rows.len() < MANY {
            return;
        }
        // All keys are written before the first is read: a processor that reads what it has just written otherwise than it was
        // written waits for all that came before, and so for the memory of each search before the next one begins.
        let keys: Vec<AccountKey> = keys.collect();
        let hashes: Vec<u64> = keys.iter().map(|key| self.hash.hash_one(key)).collect();
        // The first of a hash that is nearly the same, which is nearly always the account itself. Each step for all of them, since a
        // processor looks as far ahead as so many instructions reach, and the next one's first step is then within its reach.
        let first = |hash: &u64| self.by_key.find(*hash, |_| true).copied();
        let likely: Vec<AccountId> = hashes.iter().filter_map(first).collect();
        let read = |read, id: &AccountId| read ^ self.row(*id).key.account.purpose.code();
        std::hint::black_box(likely.iter().fold(0, read));
    }

    /// The accounts of an owner, in the order of opening.
    pub(crate) fn of(&self, owner: &Owner) -> Vec<AccountId> {
        let is_theirs = |id: &AccountId| self.row(*id).key.account.owner == *owner;
        let last = self.by_owner.find(self.hash.hash_one(owner), is_theirs).copied();
        let before = |id: &AccountId| Some(self.row(*id).before).filter(|id| id.0 != 0);
        let mut accounts: Vec<AccountId> = std::iter::successors(last, before).collect();
        accounts.reverse();
        accounts
    }

    /// The number that the next account would have.
    fn next(&self) -> AccountId {
        id_at(self.rows.len())
    }

    /// Opens an account under the next number; `None` if there is one of this key.
    pub(crate) fn open(&mut self, key: AccountKey) -> Option<AccountId> {
        let (id, owner) = (self.next(), key.account.owner);
        let Self { rows, hash, .. } = self;
        let key_of = |id: &AccountId| rows[index(*id)].key;
        let place = self.by_key.entry(
            hash.hash_one(key),
            |id| key_of(id) == key,
            |id| hash.hash_one(key_of(id)),
        );
        let Entry::Vacant(place) = place else {
            return None;
        };
        place.insert(id);
        let place = self.by_owner.entry(
            hash.hash_one(owner),
            |id| key_of(id).account.owner == owner,
            |id| hash.hash_one(key_of(id).account.owner),
        );
        let before = match place {
            Entry::Occupied(mut last) => std::mem::replace(last.get_mut(), id),
            Entry::Vacant(place) => {
                place.insert(id);
                AccountId(0)
            }
        };
        self.push(Row::new(key, before));
        Some(id)
    }

    fn push(&mut self, row: Row) {
        self.rows.push(row);
        // One that was taken back leaves its page's mark.
        self.changed
            .resize(self.rows.pages().max(self.changed.len()), false);
    }

    /// Adds an account under the next number, not counted as changed, to be found by its key and owner after [`Self::index`].
    pub(crate) fn append(&mut self, key: AccountKey, total: u128, held: u128) -> AccountId {
        let id = self.next();
        self.push(Row {
            total,
            held,
            ..Row::new(key, AccountId(0))
        });
        if key.account.purpose.normal() == Normal::Debit {
            self.issue(key.asset, 0, total);
        }
        id
    }

    /// Lets all accounts that were appended be found; an error is the number of one whose key another has.
    ///
    /// Each table is filled from its one end to the other. In the order of the accounts each entry would be waited for, since
    /// none is near the one before. The two tables of a large ledger are filled beside each other.
    pub(crate) fn index(&mut self) -> Result<(), AccountId> {
        let Self { rows, hash, .. } = self;
        let (by_key, (by_owner, before)) = if rows.len() < MANY {
            (index_keys(rows, hash), index_owners(rows, hash))
        } else {
            std::thread::scope(|scope| {
                let owners = scope.spawn(|| index_owners(rows, hash));
                let keys = index_keys(rows, hash);
                (
                    keys,
                    owners
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                )
            })
        };
        for (id, before) in before {
            rows[index(id)].before = before;
        }
        (self.by_key, self.by_owner) = (by_key?, by_owner);
        Ok(())
    }

    /// Takes back the account that was opened last.
    pub(crate) fn close_last(&mut self) {
        let Some(row) = self.rows.pop() else { return };
        let id = self.next();
        if let Ok(place) = self
            .by_key
            .find_entry(self.hash.hash_one(row.key), |found| *found == id)
        {
            place.remove();
        }
        let owner = self.hash.hash_one(row.key.account.owner);
        if let Ok(mut last) = self.by_owner.find_entry(owner, |found| *found == id) {
            if row.before.0 == 0 {
                last.remove();
            } else {
                *last.get_mut() = row.before;
            }
        }
    }

    /// An account that is there.
    pub(crate) fn row(&self, id: AccountId) -> &Row {
        &self.rows[index(id)]
    }

    pub(crate) fn get(&self, id: AccountId) -> Option<&Row> {
        self.rows.get(index(id))
    }

    /// Gives an account that is there new amounts.
    pub(crate) fn set(&mut self, id: AccountId, total: u128, held: u128) {
        self.mark_changed(id);
        let row = &mut self.rows[index(id)];
        let was = std::mem::replace(&mut row.total, total);
        row.held = held;
        if row.normal() == Normal::Debit {
            let asset = row.key.asset;
            self.issue(asset, was, total);
        }
    }

    /// An asset's debit-normal account goes from one total to another.
    fn issue(&mut self, asset: AssetId, was: u128, total: u128) {
        let issued = self.issued.entry(asset).or_default();
        let (low, less) = issued.low.overflowing_sub(was);
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

    /// Counts an account that is there as changed, with all that are kept together with it.
    pub(crate) fn mark_changed(&mut self, id: AccountId) {
        self.changed[page_of(index(id))] = true;
    }

    /// The blocks of which an account was set since the last call, ascending.
    pub(crate) fn drain_changes(&mut self) -> Vec<AccountBlock> {
        let mut blocks = Vec::new();
        for (page, changed) in self.changed.iter_mut().enumerate() {
            if std::mem::take(changed)
                // Unless its accounts were taken back.
                && let Some((rows, len)) = self.rows.share_page(page)
            {
                let first = id_at(page * PAGE);
                blocks.push(AccountBlock { first, rows, len });
            }
        }
        blocks
    }

    /// What all accounts have, as it is now.
    pub(crate) fn freeze(&mut self) -> FrozenAccounts {
        FrozenAccounts(self.rows.share())
    }

    /// All of them, in the order of opening.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AccountKey, AccountState)> {
        states(&self.rows)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{Account, Purpose};

    fn wallet(user: u128, asset: u32) -> AccountKey {
        AccountKey {
            account: Account::wallet(Uuid::from_u128(user)),
            asset: AssetId(asset),
        }
    }

    #[test]
    fn an_account_is_found_by_its_key_and_by_its_owner_until_it_is_taken_back() {
        let mut accounts = Accounts::default();
        let keys = [wallet(1, 1), wallet(2, 1), wallet(1, 2), wallet(1, 3)];
        for (key, number) in keys.into_iter().zip(1..) {
            assert_eq!(accounts.open(key), Some(AccountId(number)));
            assert_eq!(accounts.find(&key), Some(AccountId(number)));
            assert_eq!(accounts.open(key), None, "it is there");
        }
        let (first, second) = (keys[0].account.owner, keys[1].account.owner);
        let numbers =
            |accounts: &Accounts, owner| accounts.of(&owner).iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(numbers(&accounts, first), [1, 3, 4]);
        assert_eq!(numbers(&accounts, second), [2]);
        for left in (0..keys.len()).rev() {
            accounts.close_last();
            let found = keys.map(|key| accounts.find(&key).is_some());
            assert_eq!(found, [0, 1, 2, 3].map(|place| place < left));
            let both = numbers(&accounts, first).len() + numbers(&accounts, second).len();
            assert_eq!(both, left);
        }
        assert_eq!(accounts.open(keys[3]), Some(AccountId(1)));
        assert_eq!(numbers(&accounts, first), [1]);
    }

    #[test]
    fn an_asset_is_overissued_while_what_came_in_exceeds_128_bits() {
        let coins = |purpose, asset| AccountKey {
            account: Account::house(purpose),
            asset: AssetId(asset),
        };
        let mut accounts = Accounts::default();
        let addresses = accounts.append(coins(Purpose::DepositAddresses, 1), u128::MAX, 0);
        // What people have is no more coins.
        accounts.append(wallet(1, 1), 7, 0);
        accounts.index().unwrap();
        let hot = accounts.open(coins(Purpose::HotWallet, 1)).unwrap();
        let other = accounts.open(coins(Purpose::HotWallet, 2)).unwrap();
        accounts.set(other, u128::MAX, 0);
        // How many assets are, and which of the two.
        let overissued = |accounts: &Accounts| {
            let of = [1, 2].map(|asset| accounts.is_overissued(AssetId(asset)));
            (accounts.overissued, of)
        };
        assert_eq!(overissued(&accounts), (0, [false, false]));
        accounts.set(hot, 1, 0);
        assert_eq!(overissued(&accounts), (1, [true, false]));
        accounts.set(addresses, u128::MAX - 1, 0);
        assert_eq!(overissued(&accounts), (0, [false, false]));
        accounts.set(hot, u128::MAX, 0);
        accounts.set(addresses, 0, 0);
        assert_eq!(overissued(&accounts), (0, [false, false]));
    }

    #[test]
    fn a_block_is_told_once_when_one_of_its_accounts_has_changed() {
        let mut accounts = Accounts::default();
        let last = AccountId(129);
        for n in 1..=129 {
            assert_eq!(
                accounts.open(wallet(n, 1)),
                Some(AccountId(u32::try_from(n).unwrap()))
            );
        }
        // First account, how many, and what the first has.
        let mut told = |changes: &[(AccountId, u128)], taken_back: bool| {
            for (id, total) in changes {
                accounts.set(*id, *total, 0);
            }
            if taken_back {
                accounts.close_last();
            }
            let blocks = accounts.drain_changes();
            let told = blocks.iter().map(|block| {
                let states: Vec<AccountState> = block.states().collect();
                assert!(
                    states
                        .iter()
                        .zip(block.first().0..)
                        .all(|(state, id)| state.id.0 == id)
                );
                (block.first().0, states.len(), states[0].total)
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&[], false), []);
        assert_eq!(
            told(&[(AccountId(128), 7), (AccountId(1), 5)], false),
            [(1, 128, 5)]
        );
        assert_eq!(
            told(&[(last, 3), (AccountId(2), 1)], false),
            [(1, 128, 5), (129, 1, 3)]
        );
        assert_eq!(told(&[], false), []);
        assert_eq!(told(&[(last, 4)], true), [], "none of it is there any more");
        assert_eq!(accounts.open(wallet(129, 1)), Some(last));
        accounts.mark_changed(last);
        let again = accounts.drain_changes();
        assert_eq!(again.len(), 1);
        accounts.set(last, 9, 0);
        assert_eq!(
            again[0].states().map(|state| state.total).collect::<Vec<_>>(),
            [0],
            "as it was then"
        );
    }

    #[test]
    fn accounts_are_put_into_a_table_from_its_one_end_to_the_other() {
        let (mut rows, hash) = (Pages::default(), RandomState::default());
        for n in 0..1_000 {
            rows.push(Row::new(wallet(n, 1), AccountId(0)));
        }
        let order = in_order_of_places(&rows, 256, |row| hash.hash_one(row.key));
        assert!(order.is_sorted_by_key(|(hashed, id)| (hashed % 256, *id)));
        let mut all: Vec<u32> = order.iter().map(|(_, id)| id.0).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(1..=1_000));
    }

    #[test]
    fn accounts_that_are_indexed_together_are_found_as_if_they_had_been_opened() {
        let keys: Vec<AccountKey> = (0..2_000)
            .map(|n| wallet(n * n % 701, u32::try_from(n).unwrap()))
            .collect();
        let (mut opened, mut indexed) = (Accounts::default(), Accounts::default());
        for key in &keys {
            assert_eq!(opened.open(*key), Some(indexed.append(*key, 0, 0)));
        }
        indexed.index().unwrap();
        for key in &keys {
            assert_eq!(indexed.find(key), opened.find(key));
            assert_eq!(indexed.of(&key.account.owner), opened.of(&key.account.owner));
        }
        assert_eq!(indexed.find(&wallet(701, 1)), None);
        let number = |key| usize::try_from(indexed.find(key).unwrap().0).unwrap();
        assert!(keys.iter().zip(1..).all(|(key, place)| number(key) == place));
        indexed.append(keys[7], 0, 0);
        assert_eq!(
            indexed.index(),
            Err(AccountId(2_001)),
            "its key is that of another"
        );
    }
}
