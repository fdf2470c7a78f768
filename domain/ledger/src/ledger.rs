mod orders;
mod replay;

use ferrex_ids::HoldId;
use ferrex_money::AssetId;
use ferrex_planted::planted;
use ferrex_time::Timestamp;

use crate::accounts::{Accounts, Row};
use crate::hold::Holds;
use crate::{Account, AccountBlock, AccountId, AccountKey, FrozenAccounts, Hold, HoldState, Normal, Owner};

/// Why the ledger refuses a movement. Nothing of it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// An account has less available than the movement takes.
    #[error("not enough available")]
    InsufficientAvailable,
    /// A balance, or all that there is of an asset, would exceed 2^128 - 1 units.
    #[error("a balance would overflow")]
    BalanceOverflow,
    /// There is no such hold.
    #[error("there is no such hold")]
    HoldUnknown,
    /// The hold is closed.
    #[error("the hold is closed")]
    HoldClosed,
    /// More than is left of the hold.
    #[error("more than is left of the hold")]
    HoldExceeded,
    /// A hold of this id was made before.
    #[error("a hold of this id exists already")]
    HoldExists,
    /// A hold would be posted to the account that it is on.
    #[error("a hold cannot be posted to its own account")]
    PostToSelf,
}

/// A recorded change that cannot have happened: the record is damaged or incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// An account is not the next one, or its key is taken.
    #[error("account {0} does not follow the accounts before it")]
    AccountOrder(u32),
    /// A row names an account that was never opened.
    #[error("account {0} was never opened")]
    AccountUnknown(u32),
    /// A balance would leave the range 0 to 2^128 - 1.
    #[error("the balance of account {0} would leave its range")]
    BalanceRange(u32),
    /// A row names a hold that is not open.
    #[error("hold {0} is not open")]
    HoldNotOpen(HoldId),
    /// A hold is opened twice.
    #[error("hold {0} is open already")]
    HoldTwice(HoldId),
    /// The amount does not fit the hold.
    #[error("the amount does not fit hold {0}")]
    HoldAmount(HoldId),
}

/// The two accounts of a movement that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The account that was debited.
    pub debit: AccountId,
    /// The account that was credited.
    pub credit: AccountId,
    /// The asset of both.
    pub asset: AssetId,
}

/// The part of a hold that went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// The account it was set aside of.
    pub account: AccountId,
    /// Its asset.
    pub asset: AssetId,
    /// How much went back.
    pub amount: u128,
}

/// An account as the projection keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Its dense number.
    pub id: AccountId,
    /// All of it, in its normal direction.
    pub total: u128,
    /// The part set aside by holds.
    pub held: u128,
}

/// What has changed since the last drain, with its present values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Blocks of accounts, ascending.
    pub accounts: Vec<AccountBlock>,
    /// Holds, ascending.
    pub holds: Vec<HoldState>,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.holds.is_empty()
    }
}

/// How to take one change back; applied in reverse.
#[derive(Clone, Copy, Debug)]
enum Undo {
    Opened(AccountId),
    Balance { id: AccountId, total: u128, held: u128 },
    HoldOpened(HoldId),
    HoldLeft { id: HoldId, left: u128 },
    HoldClosed(Hold),
}

/// All accounts and holds of one shard.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Accounts,
    holds: Holds,
    undo: Vec<Undo>,
}

/// Which bound a balance would cross.
enum Bound {
    Zero,
    Max,
}

impl From<Bound> for Denied {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Zero => Self::InsufficientAvailable,
            Bound::Max => Self::BalanceOverflow,
        }
    }
}

impl Ledger {
    /// Starts a unit of work.
    pub fn begin(&mut self) {
        self.undo.clear();
    }

    /// Keeps the unit of work; answers the accounts that it opened, ascending.
    pub fn commit(&mut self) -> Vec<AccountId> {
        let opened = self
            .undo
            .iter()
            .filter_map(|undo| {
                if let Undo::Opened(id) = undo {
                    Some(*id)
                } else {
                    None
                }
            })
            .collect();
        self.undo.clear();
        opened
    }

    /// Takes the unit of work back, to the last bit.
    pub fn rollback(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Opened(_) => self.accounts.close_last(),
                Undo::Balance { .. } if planted!("ledger.rollback_forgets_balances") => {}
                Undo::Balance { id, total, held } => self.accounts.set(id, total, held),
                Undo::HoldOpened(id) => {
                    self.holds.remove(id);
                }
                Undo::HoldLeft { id, left } => self.holds.set_left(id, left),
                Undo::HoldClosed(hold) => {
                    self.holds.forget_closed(hold.id);
                    self.holds.open(hold);
                }
            }
        }
    }

    /// Moves an amount between two different accounts, opening those that are new.
    pub fn transfer(
        &mut self,
        debit: AccountKey,
        credit: AccountKey,
        amount: u128,
    ) -> Result<Movement, Denied> {
        let debit_id = self.find_or_open(debit);
        let credit_id = self.find_or_open(credit);
        if debit.account.purpose.normal() == Normal::Credit
            && self.accounts.row(debit_id).available() < amount
            && !planted!("ledger.transfer_ignores_holds")
        {
            return Err(Denied::InsufficientAvailable);
        }
        let issues = debit.account.purpose.normal() == Normal::Debit
            && credit.account.purpose.normal() == Normal::Credit
            && !self.accounts.is_overissued(debit.asset);
        self.shift(debit_id, Normal::Debit, amount)?;
        self.shift(credit_id, Normal::Credit, amount)?;
        if issues && self.accounts.is_overissued(debit.asset) {
            return Err(Denied::BalanceOverflow);
        }
        Ok(Movement {
            debit: debit_id,
            credit: credit_id,
            asset: debit.asset,
        })
    }

    /// Sets an amount of a credit-normal account aside.
    pub fn reserve(
        &mut self,
        id: HoldId,
        debit: AccountKey,
        amount: u128,
        expires_at: Option<Timestamp>,
    ) -> Result<AccountId, Denied> {
        if self.holds.find(id).is_some() || self.holds.is_closed(id) {
            return Err(Denied::HoldExists);
        }
        let account = self.accounts.find(&debit).ok_or(Denied::InsufficientAvailable)?;
        if self.accounts.row(account).available() < amount && !planted!("ledger.reserve_takes_too_much") {
            return Err(Denied::InsufficientAvailable);
        }
        self.open_hold(Hold {
            id,
            account,
            left: amount,
            expires_at,
        });
        Ok(account)
    }

    /// Moves a held amount to an account; the hold closes by itself when nothing is left.
    pub fn post(&mut self, id: HoldId, credit: Account, amount: u128) -> Result<Movement, Denied> {
        let hold = *self.open_or_denied(id)?;
        let debit = self.accounts.row(hold.account).key;
        if debit.account == credit {
            return Err(Denied::PostToSelf);
        }
        let left = hold.left.checked_sub(amount).ok_or(Denied::HoldExceeded)?;
        let credit_id = self.find_or_open(AccountKey {
            account: credit,
            asset: debit.asset,
        });
        self.lower_hold(&hold, left);
        self.shift(hold.account, Normal::Debit, amount)?;
        self.shift(credit_id, Normal::Credit, amount)?;
        Ok(Movement {
            debit: hold.account,
            credit: credit_id,
            asset: debit.asset,
        })
    }

    /// Gives back what is left of a hold and closes it.
    pub fn release(&mut self, id: HoldId) -> Result<Released, Denied> {
        let hold = *self.open_or_denied(id)?;
        self.lower_hold(&hold, 0);
        if planted!("ledger.release_lost") {
            let Row { total, held, .. } = *self.accounts.row(hold.account);
            self.set(hold.account, total, held + hold.left);
        }
        Ok(Released {
            account: hold.account,
            asset: self.accounts.row(hold.account).key.asset,
            amount: hold.left,
        })
    }

    /// An open hold.
    pub fn find_hold(&self, id: HoldId) -> Option<&Hold> {
        self.holds.find(id)
    }

    /// Whether a hold is known to be closed; false for one that was forgotten.
    pub fn is_closed(&self, id: HoldId) -> bool {
        self.holds.is_closed(id)
    }

    /// An open hold, or the refusal that says why there is none.
    pub fn open_or_denied(&self, id: HoldId) -> Result<&Hold, Denied> {
        self.holds.find(id).ok_or(if self.holds.is_closed(id) {
            Denied::HoldClosed
        } else {
            Denied::HoldUnknown
        })
    }

    /// The number of an account, if it was ever used.
    pub fn find_account(&self, key: &AccountKey) -> Option<AccountId> {
        self.accounts.find(key)
    }

    /// The key of an account.
    pub fn account_key(&self, id: AccountId) -> Option<AccountKey> {
        self.accounts.get(id).map(|row| row.key)
    }

    /// The accounts of an owner, in the order of opening.
    pub fn accounts_of(&self, owner: &Owner) -> Vec<AccountId> {
        self.accounts.of(owner)
    }

    /// Brings the accounts of these keys near, all of them at once, where there are so many that each would be waited for.
    pub fn look_ahead(&self, keys: impl Iterator<Item = AccountKey>) {
        self.accounts.look_ahead(keys);
    }

    /// Total and held part of an account.
    pub fn account(&self, id: AccountId) -> Option<AccountState> {
        self.accounts.get(id).map(|row| row.state(id))
    }

    /// All accounts, in the order of opening.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountKey, AccountState)> {
        self.accounts.iter()
    }

    /// What all accounts have now, for whoever reads it while they change. Had in a moment, however many there are.
    pub fn freeze_accounts(&mut self) -> FrozenAccounts {
        self.accounts.freeze()
    }

    /// How many accounts there are.
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// How many holds are open.
    pub fn hold_count(&self) -> usize {
        self.holds.len()
    }

    /// The open holds by id.
    pub fn open_holds(&self) -> Vec<Hold> {
        self.holds.sorted()
    }

    /// The closed holds that are still remembered, by id, each with its account.
    pub fn closed_holds(&self) -> Vec<(HoldId, AccountId)> {
        self.holds.closed()
    }

    /// Open holds that may expire at `now`, the oldest expiry first.
    pub fn expired_holds(&self, now: Timestamp, limit: usize) -> Vec<HoldId> {
        self.holds.expired(now, limit)
    }

    /// What has changed since the last call.
    pub fn drain_changes(&mut self) -> Changes {
        Changes {
            accounts: self.accounts.drain_changes(),
            holds: self.holds.drain_changes(),
        }
    }

    /// Counts drained changes as changed again, because they could not be stored.
    pub fn mark_changed(&mut self, changes: &Changes) {
        for block in &changes.accounts {
            self.accounts.mark_changed(block.first());
        }
        for hold in &changes.holds {
            self.holds.mark_changed(hold.id);
        }
    }

    /// Takes the knowledge that a forgotten hold is closed.
    pub fn remember_closed(&mut self, id: HoldId, account: AccountId) {
        self.holds.remember_closed(id, account);
    }

    /// Forgets closed holds with an id below `bound`, except those not drained yet. To be called when all that was
    /// drained is stored.
    pub fn forget_closed_before(&mut self, bound: HoldId) {
        self.holds.forget_closed_before(bound);
    }

    fn known(&self, id: AccountId) -> Result<&Row, Impossible> {
        self.accounts.get(id).ok_or(Impossible::AccountUnknown(id.0))
    }

    fn find_or_open(&mut self, key: AccountKey) -> AccountId {
        if let Some(id) = self.accounts.find(&key) {
            return id;
        }
        let id = self.accounts.open(key).expect("no account has this key");
        self.undo.push(Undo::Opened(id));
        id
    }

    /// Books an amount on one side of an account.
    fn shift(&mut self, id: AccountId, side: Normal, amount: u128) -> Result<(), Bound> {
        let row = *self.accounts.row(id);
        let Row { total, held, .. } = row;
        let next = if row.normal() == side {
            total.checked_add(amount).ok_or(Bound::Max)?
        } else {
            total.checked_sub(amount).ok_or(Bound::Zero)?
        };
        self.undo.push(Undo::Balance { id, total, held });
        self.accounts.set(id, next, held);
        Ok(())
    }

    fn set(&mut self, id: AccountId, total: u128, held: u128) {
        let row = self.accounts.row(id);
        self.undo.push(Undo::Balance {
            id,
            total: row.total,
            held: row.held,
        });
        self.accounts.set(id, total, held);
    }

    /// The caller has checked that the account has as much available.
    fn open_hold(&mut self, hold: Hold) {
        let Row { total, held, .. } = *self.accounts.row(hold.account);
        self.set(hold.account, total, held + hold.left);
        self.undo.push(Undo::HoldOpened(hold.id));
        self.holds.open(hold);
    }

    /// Lowers a hold and the held part of its account; closes it at zero.
    fn lower_hold(&mut self, hold: &Hold, left: u128) {
        let Row { total, held, .. } = *self.accounts.row(hold.account);
        self.set(hold.account, total, held - (hold.left - left));
        if left == 0 {
            self.undo.push(Undo::HoldClosed(*hold));
            self.holds.remove(hold.id);
            self.holds.remember_closed(hold.id, hold.account);
        } else {
            self.undo.push(Undo::HoldLeft {
                id: hold.id,
                left: hold.left,
            });
            self.holds.set_left(hold.id, left);
        }
    }
}
