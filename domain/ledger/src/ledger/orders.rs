//! What the order books of the engine ask of the accounts: by number, and without a way back.
//!
//! The money of orders is set aside per account, not by a [`crate::Hold`] each: what each order has set aside is kept
//! with the order. The caller has decided before it calls, so nothing here is taken back by [`Ledger::rollback`]; and
//! since an asset's issue is bounded, no payment between two credit-normal accounts can overflow.

use ferrex_money::AssetId;

use super::{Impossible, Ledger};
use crate::accounts::Row;
use crate::{AccountId, AccountKey, Normal};

impl Ledger {
    /// The account of a key, opened if it is new.
    pub fn open_account(&mut self, key: AccountKey) -> AccountId {
        self.find_or_open(key)
    }

    /// What an account has available; 0 for one that is not there.
    pub fn available(&self, id: AccountId) -> u128 {
        self.accounts.get(id).map_or(0, Row::available)
    }

    /// Whether people and the house together have more of an asset than one balance could hold.
    pub fn is_overissued(&self, asset: AssetId) -> bool {
        self.accounts.is_overissued(asset)
    }

    /// Sets an amount of a credit-normal account aside for an order.
    pub fn set_aside(&mut self, id: AccountId, amount: u128) -> Result<(), Impossible> {
        let row = self.of_credit(id)?;
        if row.available() < amount {
            return Err(Impossible::BalanceRange(id.0));
        }
        let (total, held) = (row.total, row.held + amount);
        self.accounts.set(id, total, held);
        Ok(())
    }

    /// Gives back what was set aside for an order.
    pub fn give_back(&mut self, id: AccountId, amount: u128) -> Result<(), Impossible> {
        let row = self.known(id)?;
        let held = row.held.checked_sub(amount);
        let (total, held) = (row.total, held.ok_or(Impossible::BalanceRange(id.0))?);
        self.accounts.set(id, total, held);
        Ok(())
    }

    /// Moves an available amount between two credit-normal accounts.
    pub fn pay(&mut self, debit: AccountId, credit: AccountId, amount: u128) -> Result<(), Impossible> {
        let from = self.of_credit(debit)?;
        let to = self.of_credit(credit)?;
        if from.available() < amount {
            return Err(Impossible::BalanceRange(debit.0));
        }
        if debit == credit {
            return Ok(());
        }
        let more = to.total.checked_add(amount);
        let (more, held) = (more.ok_or(Impossible::BalanceRange(credit.0))?, to.held);
        let (less, left) = (from.total - amount, from.held);
        self.accounts.set(debit, less, left);
        self.accounts.set(credit, more, held);
        Ok(())
    }

    fn of_credit(&self, id: AccountId) -> Result<&Row, Impossible> {
        let row = self.known(id)?;
        if row.normal() == Normal::Credit {
            Ok(row)
        } else {
            Err(Impossible::BalanceRange(id.0))
        }
    }
}
