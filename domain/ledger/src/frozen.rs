//! What accounts had at a moment, whatever becomes of them after it: pages that are shared until one of them changes.

use std::fmt;

use crate::accounts::Row;
use crate::pages::{CommonPage, PAGE, Pages};
use crate::{AccountId, AccountKey, AccountState};

/// What all accounts had at a moment, whatever becomes of them after it.
#[derive(Clone, Debug)]
pub struct FrozenAccounts(pub(crate) Pages<Row>);

impl FrozenAccounts {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, in the order of opening.
    pub fn iter(&self) -> impl Iterator<Item = (AccountKey, AccountState)> {
        states(&self.0)
    }
}

/// Accounts that were opened one after the other and are kept together, at a moment when one of them had changed.
#[derive(Clone)]
pub struct AccountBlock {
    pub(crate) first: AccountId,
    pub(crate) rows: CommonPage<Row>,
    pub(crate) len: usize,
}

impl AccountBlock {
    /// How many accounts a block has, unless it is the last one.
    pub const SIZE: usize = PAGE;

    /// The number of its first account: 1, and so many more a block.
    pub const fn first(&self) -> AccountId {
        self.first
    }

    /// What each of its accounts had, in the order of opening.
    pub fn states(&self) -> impl Iterator<Item = AccountState> {
        self.rows[..self.len]
            .iter()
            .zip(self.first.0..)
            .map(|(row, id)| row.state(AccountId(id)))
    }
}

impl PartialEq for AccountBlock {
    fn eq(&self, other: &Self) -> bool {
        self.states().eq(other.states())
    }
}

impl Eq for AccountBlock {}

impl fmt::Debug for AccountBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.states()).finish()
    }
}

pub(crate) fn states(rows: &Pages<Row>) -> impl Iterator<Item = (AccountKey, AccountState)> {
    rows.iter()
        .zip((1..).map(AccountId))
        .map(|(row, id)| (row.key, row.state(id)))
}
