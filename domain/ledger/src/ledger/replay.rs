//! The second door: what was decided before is applied, and only checked to be possible at all.

use std::collections::HashMap;

use super::{AccountState, Impossible, Ledger};
use crate::{AccountId, AccountKey, Hold, HoldState, Normal};
use ferrex_ids::HoldId;

impl Ledger {
    /// Makes room for so many more accounts.
    pub fn reserve_accounts(&mut self, more: usize) {
        self.accounts.reserve(more);
    }

    /// Opens an account that was opened before; it must be the next one.
    pub fn replay_account(&mut self, id: AccountId, key: AccountKey) -> Result<(), Impossible> {
        let is_next = self.accounts.len() + 1 == id.0 as usize;
        let opened = if is_next { self.accounts.open(key) } else { None };
        opened.map(drop).ok_or(Impossible::AccountOrder(id.0))
    }

    /// Adds an account of a projection with its balance; it must be the next one, and does not count as changed. It is found
    /// by its key and owner after [`Self::index_accounts`].
    pub fn restore_account(&mut self, state: AccountState, key: AccountKey) -> Result<(), Impossible> {
        if self.accounts.len() + 1 != state.id.0 as usize {
            return Err(Impossible::AccountOrder(state.id.0));
        }
        self.accounts.append(key, state.total, state.held);
        Ok(())
    }

    /// Lets the accounts of a projection be found.
    pub fn index_accounts(&mut self) -> Result<(), Impossible> {
        self.accounts.index().map_err(|id| Impossible::AccountOrder(id.0))
    }

    /// Sets a hold from a projection; its account's balance has it in already.
    pub fn restore_hold(&mut self, hold: HoldState) -> Result<(), Impossible> {
        self.known(hold.account)?;
        if hold.closed {
            self.holds.remember_closed(hold.id, hold.account);
        } else {
            if self.holds.find(hold.id).is_some() {
                return Err(Impossible::HoldTwice(hold.id));
            }
            let HoldState {
                id,
                account,
                left,
                expires_at,
                ..
            } = hold;
            self.holds.open(Hold {
                id,
                account,
                left,
                expires_at,
            });
        }
        Ok(())
    }

    /// Checks a restored state against itself: the held part of every account is the sum of its open holds and of what orders
    /// have set aside, and not more than its total. Everything after relies on it.
    pub fn check(&self, orders: impl IntoIterator<Item = (AccountId, u128)>) -> Result<(), Impossible> {
        let mut sums: HashMap<AccountId, u128> = HashMap::new();
        for (account, held) in orders {
            let sum = sums.entry(account).or_default();
            *sum = sum.checked_add(held).ok_or(Impossible::BalanceRange(account.0))?;
        }
        for hold in self.holds.sorted() {
            let sum = sums.entry(hold.account).or_default();
            *sum = sum
                .checked_add(hold.left)
                .ok_or(Impossible::HoldAmount(hold.id))?;
        }
        for (_, state) in self.accounts() {
            let held = sums.get(&state.id).copied().unwrap_or(0);
            if state.held != held || state.held > state.total {
                return Err(Impossible::BalanceRange(state.id.0));
            }
        }
        Ok(())
    }

    /// Applies a movement that happened.
    pub fn replay_transfer(
        &mut self,
        debit: AccountId,
        credit: AccountId,
        amount: u128,
    ) -> Result<(), Impossible> {
        self.known(debit)?;
        self.known(credit)?;
        self.shift(debit, Normal::Debit, amount)
            .map_err(|_| Impossible::BalanceRange(debit.0))?;
        self.shift(credit, Normal::Credit, amount)
            .map_err(|_| Impossible::BalanceRange(credit.0))
    }

    /// Applies a reservation that happened.
    pub fn replay_reserve(&mut self, hold: Hold) -> Result<(), Impossible> {
        self.known(hold.account)?;
        if self.holds.find(hold.id).is_some() {
            return Err(Impossible::HoldTwice(hold.id));
        }
        if self.accounts.row(hold.account).available() < hold.left {
            return Err(Impossible::BalanceRange(hold.account.0));
        }
        self.open_hold(hold);
        Ok(())
    }

    /// Applies a post that happened.
    pub fn replay_post(&mut self, id: HoldId, credit: AccountId, amount: u128) -> Result<(), Impossible> {
        let hold = *self.holds.find(id).ok_or(Impossible::HoldNotOpen(id))?;
        let left = hold.left.checked_sub(amount).ok_or(Impossible::HoldAmount(id))?;
        self.holds_at_least(&hold, amount)?;
        self.lower_hold(&hold, left);
        self.replay_transfer(hold.account, credit, amount)
    }

    /// Applies a release that happened, of exactly `amount`.
    pub fn replay_release(&mut self, id: HoldId, amount: u128) -> Result<(), Impossible> {
        let hold = *self.holds.find(id).ok_or(Impossible::HoldNotOpen(id))?;
        if hold.left != amount {
            return Err(Impossible::HoldAmount(id));
        }
        self.holds_at_least(&hold, amount)?;
        self.lower_hold(&hold, 0);
        Ok(())
    }

    /// Damaged rows about orders may have given back what a hold has set aside.
    fn holds_at_least(&self, hold: &Hold, amount: u128) -> Result<(), Impossible> {
        if self.accounts.row(hold.account).held < amount {
            return Err(Impossible::BalanceRange(hold.account.0));
        }
        Ok(())
    }
}
