//! What the order books of the engine ask of the accounts: by number, and without a way back.
//!
//! The money of orders is set aside per account, not by a [`crate::Hold`] each: what each order has set aside is kept
//! with the order. The caller has decided before it calls, so nothing here is taken back by [`Ledger::rollback`]; and
//! since an asset's issue is bounded, no payment between two credit-normal accounts can overflow.

use ferrex_money::AssetId;

use super::{Impossible, Ledger};
use crate::{AccountId, AccountKey, Normal};

impl Ledger {
    /// The account of a key, opened if it is new.
    pub fn open_account(&mut self, key: AccountKey) -> AccountId {
        self.find_or_open(key)
    }

    /// What an account has available; 0 for one that is not there.
    pub fn available(&self, id: AccountId) -> u128 {
        if self.accounts.contains(id) {
            self.accounts.available(id)
        } else {
            0
        }
    }

    /// Whether people and the house together have more of an asset than one balance could hold.
    pub fn is_overissued(&self, asset: AssetId) -> bool {
        self.accounts.is_overissued(asset)
    }

    /// Sets an amount of a credit-normal account aside for an order.
    pub fn set_aside(&mut self, id: AccountId, amount: u128) -> Result<(), Impossible> {
        self.known(id)?;
        if self.accounts.normal(id) != Normal::Credit || self.accounts.available(id) < amount {
            return Err(Impossible::BalanceRange(id.0));
        }
        let held = self.accounts.held(id) + amount;
        self.accounts.set(id, self.accounts.total(id), held);
        Ok(())
    }

    /// Gives back what was set aside for an order.
    pub fn give_back(&mut self, id: AccountId, amount: u128) -> Result<(), Impossible> {
        self.known(id)?;
        let held = self.accounts.held(id).checked_sub(amount);
        let held = held.ok_or(Impossible::BalanceRange(id.0))?;
        self.accounts.set(id, self.accounts.total(id), held);
        Ok(())
    }

    /// Moves an available amount between two credit-normal accounts.
    pub fn pay(&mut self, debit: AccountId, credit: AccountId, amount: u128) -> Result<(), Impossible> {
        self.known(debit)?;
        self.known(credit)?;
        let credit_normal = |id| self.accounts.normal(id) == Normal::Credit;
        if !credit_normal(debit) || self.accounts.available(debit) < amount {
            return Err(Impossible::BalanceRange(debit.0));
        }
        let less = self.accounts.total(debit) - amount;
        self.accounts.set(debit, less, self.accounts.held(debit));
        let more = self.accounts.total(credit).checked_add(amount);
        let more = more.filter(|_| self.accounts.normal(credit) == Normal::Credit);
        let more = more.ok_or(Impossible::BalanceRange(credit.0))?;
        self.accounts.set(credit, more, self.accounts.held(credit));
        Ok(())
    }
}
