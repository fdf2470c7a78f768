//! The schema `engine` in memory: what `append`, `take_lease` and their sisters promise, and nothing more.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ferrex_engine_core::{
    AccountBlock, AccountRow, Batch, Changes, HoldState, JournalRow, Known, LastRow, OrderChanges,
};
use ferrex_ids::{CommandId, HoldId};
use ferrex_planted::planted;

use crate::event::{Life, Proc};

/// The writer is not the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenced;

/// It may have been done or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is committed.
    Stored,
    /// Its predecessor has not come.
    Early,
    /// The writer is not the owner, or others have come after the predecessor.
    Fenced,
}

/// What a projection writes.
#[derive(Clone, Debug)]
pub struct Projected {
    /// The row before.
    pub from: u64,
    /// The row it is true of.
    pub to: u64,
    /// Balances and holds.
    pub changes: Changes,
    /// Orders.
    pub orders: OrderChanges,
}

/// The tables for readers.
#[derive(Clone, Debug, Default)]
pub struct ProjectionDb {
    /// The row they are true of.
    pub reached: u64,
    /// Total and held by account.
    pub balances: BTreeMap<u32, (u128, u128)>,
    /// Holds, open and closed.
    pub holds: BTreeMap<HoldId, HoldState>,
    /// Account and held amount of open orders, by market and number.
    pub orders: BTreeMap<(u32, u64), (u32, u128)>,
}

/// The schema.
#[derive(Debug, Default)]
pub struct LedgerDb {
    /// The epoch that may write.
    pub epoch: u64,
    /// Who has the lease, and until when.
    pub lease: Option<(Proc, u64)>,
    /// Who was given the lease last.
    pub granted: Option<Life>,
    /// Whose connection has the owner's lock.
    pub lock: Option<Life>,
    /// The journal.
    pub rows: Vec<JournalRow>,
    /// The accounts.
    pub accounts: Vec<AccountRow>,
    /// The last row of each command.
    pub last_of: BTreeMap<CommandId, u64>,
    /// How far the bus was told.
    pub relay: u64,
    /// The tables for readers.
    pub projection: ProjectionDb,
    /// Snapshots, the oldest first.
    pub snapshots: Vec<(u64, Vec<u8>)>,
}

impl LedgerDb {
    /// Id of the last row.
    pub fn last_id(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Writes a batch, if its writer is the owner and its predecessor is the journal's end.
    pub fn append(&mut self, epoch: u64, previous: u64, batch: &Batch) -> Appended {
        if epoch != self.epoch && !planted!("append.epoch_unchecked") {
            return Appended::Fenced;
        }
        match previous.cmp(&self.last_id()) {
            Ordering::Equal => {}
            _ if planted!("append.predecessor_unchecked") => {}
            Ordering::Greater => return Appended::Early,
            Ordering::Less => return Appended::Fenced,
        }
        self.accounts.extend(batch.accounts.iter().copied());
        for row in &batch.rows {
            if row.last {
                self.last_of.entry(row.command).or_insert(row.id);
            }
            self.rows.push(row.clone());
        }
        Appended::Stored
    }

    /// Makes a process the owner under a new epoch, if the lease is its own, has run out, or its owner's connection is
    /// gone; the epoch and the journal's end.
    pub fn take_lease(&mut self, life: Life, now: u64, ttl: u64) -> Option<(u64, u64)> {
        if let Some((owner, until)) = self.lease
            && owner != life.proc
            && until > now
            && self.lock.is_some()
        {
            return None;
        }
        self.lease = Some((life.proc, now + ttl));
        self.granted = Some(life);
        if !planted!("lease.same_epoch") {
            self.epoch += 1;
        }
        self.lock = Some(life);
        Some((self.epoch, self.last_id()))
    }

    /// Keeps the lease; false if another process has it.
    pub fn renew_lease(&mut self, proc: Proc, epoch: u64, now: u64, ttl: u64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        self.lease = Some((proc, now + ttl));
        true
    }

    /// Rows after `after` up to `upto`.
    pub fn rows_between(&self, after: u64, upto: u64) -> &[JournalRow] {
        let place = |id: u64| usize::try_from(id).map_or(self.rows.len(), |id| id.min(self.rows.len()));
        &self.rows[place(after)..place(upto).max(place(after))]
    }

    /// Accounts above `after` up to `upto`.
    pub fn accounts_between(&self, after: u32, upto: u32) -> &[AccountRow] {
        let place = |id: u32| (id as usize).min(self.accounts.len());
        &self.accounts[place(after)..place(upto).max(place(after))]
    }

    /// The answer of a command that was ever decided.
    pub fn known(&self, id: CommandId) -> Option<Known> {
        let row = self.row(*self.last_of.get(&id)?)?;
        Known::from_last_row(row.fingerprint, row.id, row.refusal).ok()
    }

    /// The account of a closed hold, as the projection has it.
    pub fn closed_hold(&self, hold: HoldId) -> Option<u32> {
        let state = self.projection.holds.get(&hold)?;
        state.closed.then_some(state.account.0)
    }

    /// A row.
    pub fn row(&self, id: u64) -> Option<&JournalRow> {
        self.rows.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    /// What ties a snapshot to the journal.
    pub fn last_row(&self, id: u64) -> Option<LastRow> {
        let row = self.row(id).filter(|row| row.last)?;
        Some(LastRow {
            id,
            command: row.command,
            fingerprint: row.fingerprint,
        })
    }

    /// Brings the tables to a row; refused when they are not between `from` and `to`.
    pub fn project(&mut self, projected: &Projected) -> Result<(), Fenced> {
        let tables = &mut self.projection;
        if !(projected.from..=projected.to).contains(&tables.reached) {
            return Err(Fenced);
        }
        tables.reached = projected.to;
        let blocks = projected.changes.accounts.iter();
        for account in blocks.flat_map(AccountBlock::states) {
            tables
                .balances
                .insert(account.id.0, (account.total, account.held));
        }
        for hold in &projected.changes.holds {
            // A closed hold keeps the account that it was written with.
            tables
                .holds
                .entry(hold.id)
                .and_modify(|stored| (stored.left, stored.closed) = (hold.left, hold.closed))
                .or_insert(*hold);
        }
        for order in &projected.orders.open {
            let key = (order.market.0, order.open.order.0);
            tables.orders.insert(key, (order.account.0, order.held));
        }
        for (market, order) in &projected.orders.closed {
            tables.orders.remove(&(market.0, order.0));
        }
        Ok(())
    }
}
