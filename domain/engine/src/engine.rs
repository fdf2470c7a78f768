use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{AccountId, AccountKey, Changes, Ledger, Normal, Owner};
use ferrex_money::{Amount, AssetId};
use ferrex_planted::planted;
use ferrex_time::{Timestamp, from_micros};
use uuid::Uuid;

use crate::fingerprint;
use crate::known::{Known, Window, lowest_id_at};
use crate::orders::{self, Trading};
use crate::{AccountRow, Action, Balance, Batch, Command, JournalRow, Outcome, Refusal, Rest, RowKind, Step};

/// The most steps a command may have.
pub const STEPS_MAX: usize = 64;

/// The state machine of one shard.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) shard: u16,
    pub(crate) ledger: Ledger,
    pub(crate) trading: Trading,
    pub(crate) known: Window,
    /// Id of the last row.
    pub(crate) sequence: u64,
    /// Command of the last row, when further rows of it are still to be replayed.
    pub(crate) unfinished: Option<CommandId>,
    /// Where a command's encoding stands while it is decided.
    pub(crate) scratch: Vec<u8>,
}

/// What rows of one command have in common.
pub(crate) struct Head<'a> {
    command: &'a Command,
    at: &'a Timestamp,
}

impl Engine {
    /// An empty engine.
    pub fn new(shard: u16) -> Self {
        Self {
            shard,
            ledger: Ledger::default(),
            trading: Trading::default(),
            known: Window::default(),
            sequence: 0,
            unfinished: None,
            scratch: Vec::new(),
        }
    }

    /// Decides a command. Its rows are appended to `out`, and its answer counts once they are stored.
    ///
    /// An id older than the window must have been looked up before, see [`Engine::needs_lookup`].
    pub fn apply(&mut self, command: &Command, out: &mut Batch) -> Outcome {
        self.scratch.clear();
        fingerprint::encode(command, &mut self.scratch);
        if let Some(known) = self.known.find(command.id) {
            return known.answer(fingerprint::of_encoding(&self.scratch));
        }
        if let Err(refusal) = check(command.at, &command.action) {
            return Outcome::Refused { sequence: 0, refusal };
        }
        let truncated;
        let at = if is_whole_micros(command.at) {
            &command.at
        } else {
            truncated = whole_micros(command.at);
            &truncated
        };
        let head = Head { command, at };
        let (before, first_row) = (self.sequence, out.rows.len());
        self.ledger.begin();
        let decided = match &command.action {
            Action::Transfer(steps) => steps.iter().try_for_each(|step| self.step(&head, step, out)),
            action => self.trade(&head, action, out),
        };
        let outcome = if let Err(refusal) = decided {
            self.ledger.rollback();
            out.rows.truncate(first_row);
            self.sequence = before + 1;
            let row = head.row(self.sequence, RowKind::Refused);
            out.rows.push(JournalRow {
                refusal: refusal.code(),
                ..row
            });
            Outcome::Refused {
                sequence: self.sequence,
                refusal,
            }
        } else {
            for id in self.ledger.commit() {
                let key = self.ledger.account_key(id).expect("it was opened a moment ago");
                out.accounts.push(AccountRow {
                    id: id.0,
                    shard: self.shard,
                    key,
                });
            }
            Outcome::Applied {
                sequence: self.sequence,
            }
        };
        // Not before: bytes that were written one by one a moment ago are slow to read by the word, as the hash does.
        let fingerprint = fingerprint::of_encoding(&self.scratch);
        for row in &mut out.rows[first_row..] {
            row.fingerprint = fingerprint;
        }
        if let Some(row) = out.rows.last_mut() {
            row.last = true;
        }
        let forgets = planted!("engine.answers_forgotten")
            || planted!("engine.refusals_forgotten") && !outcome.is_applied();
        if !forgets {
            self.known.remember(command.id, Known { fingerprint, outcome });
        }
        outcome
    }

    fn step(&mut self, head: &Head<'_>, step: &Step, out: &mut Batch) -> Result<(), Refusal> {
        match step {
            Step::Move {
                debit,
                credit,
                asset,
                amount,
            } => {
                let key = |account| AccountKey {
                    account,
                    asset: *asset,
                };
                let moved = self.ledger.transfer(key(*debit), key(*credit), amount.units())?;
                let mut row = self.next_row(head, RowKind::Move, moved.asset, amount.units());
                (row.debit, row.credit) = (moved.debit.0, moved.credit.0);
                out.rows.push(row);
            }
            Step::Reserve {
                hold,
                debit,
                asset,
                amount,
                expires_at,
            } => {
                let key = AccountKey {
                    account: *debit,
                    asset: *asset,
                };
                let expires_at = expires_at.map(whole_micros);
                let account = self.ledger.reserve(*hold, key, amount.units(), expires_at)?;
                let mut row = self.next_row(head, RowKind::Reserve, *asset, amount.units());
                (row.debit, row.hold, row.expires_at) = (account.0, Some(*hold), expires_at);
                out.rows.push(row);
            }
            Step::Post {
                hold,
                credit,
                amount,
                rest,
            } => {
                let moved = self.ledger.post(*hold, *credit, amount.units())?;
                let mut row = self.next_row(head, RowKind::Post, moved.asset, amount.units());
                (row.debit, row.credit, row.hold) = (moved.debit.0, moved.credit.0, Some(*hold));
                out.rows.push(row);
                if *rest == Rest::Release && self.ledger.find_hold(*hold).is_some() {
                    self.release(head, RowKind::Void, *hold, out)?;
                }
            }
            Step::Void { hold } => self.release(head, RowKind::Void, *hold, out)?,
            Step::Expire { hold } => {
                let expires_at = self.ledger.open_or_denied(*hold)?.expires_at;
                if expires_at.is_none_or(|expires_at| expires_at > head.at()) {
                    return Err(Refusal::HoldNotExpired);
                }
                self.release(head, RowKind::Expire, *hold, out)?;
            }
        }
        Ok(())
    }

    fn release(
        &mut self,
        head: &Head<'_>,
        kind: RowKind,
        hold: HoldId,
        out: &mut Batch,
    ) -> Result<(), Refusal> {
        let released = self.ledger.release(hold)?;
        let mut row = self.next_row(head, kind, released.asset, released.amount);
        (row.debit, row.hold) = (released.account.0, Some(hold));
        out.rows.push(row);
        Ok(())
    }

    fn next_row(&mut self, head: &Head<'_>, kind: RowKind, asset: AssetId, amount: u128) -> JournalRow {
        self.sequence += 1;
        JournalRow {
            asset: asset.0,
            amount,
            ..head.row(self.sequence, kind)
        }
    }

    /// The shard it keeps.
    pub const fn shard(&self) -> u16 {
        self.shard
    }

    /// Id of the last row decided or replayed.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What it remembers of a command.
    pub fn known(&self, id: CommandId) -> Option<Known> {
        self.known.find(id)
    }

    /// How many commands it remembers.
    pub fn known_count(&self) -> usize {
        self.known.len()
    }

    /// The lowest id inside the idempotency window: every command and closed hold from here on is remembered.
    pub const fn window_start(&self) -> Uuid {
        self.known.start()
    }

    /// Whether the journal must be asked about this id before [`Engine::apply`], because it is older than the window.
    pub fn needs_lookup(&self, id: CommandId) -> bool {
        !self.known.reaches(id.uuid())
            && self.known.find(id).is_none()
            && !planted!("engine.old_ids_not_looked_up")
    }

    /// The holds of a command that are neither open nor remembered as closed and are older than the window, so that
    /// the projection must be asked about them before [`Engine::apply`].
    pub fn holds_to_look_up<'a>(&'a self, command: &'a Command) -> impl Iterator<Item = HoldId> + 'a {
        command.steps().iter().filter_map(Step::hold).filter(|hold| {
            !self.known.reaches(hold.uuid())
                && self.ledger.find_hold(*hold).is_none()
                && !self.ledger.is_closed(*hold)
        })
    }

    /// Brings near what the next commands concern. Where there are many accounts each is waited for when its command is decided;
    /// here those of all commands are waited for at once. Changes nothing.
    pub fn look_ahead<'a>(&self, commands: impl Iterator<Item = &'a Command>) {
        let keys = commands.flat_map(|command| command.steps().iter().flat_map(Step::keys));
        self.ledger.look_ahead(keys);
    }

    /// Takes the answer to an old command from the journal.
    pub fn remember(&mut self, id: CommandId, known: Known) {
        self.known.remember(id, known);
    }

    /// Takes the knowledge of an old closed hold from the projection.
    pub fn remember_closed(&mut self, hold: HoldId, account: u32) {
        self.ledger.remember_closed(hold, AccountId(account));
    }

    /// Moves the start of the window to `at` (never back), or further so that at most `count_max` commands are kept. Who is asked
    /// about an older one must have every row stored before he looks it up.
    pub fn forget_commands_before(&mut self, at: Timestamp, count_max: usize) {
        self.known.forget_before(lowest_id_at(at));
        self.known.forget_before(self.known.start_for(count_max));
    }

    /// Forgets closed holds from before the window. To be called only when every row and every drained change is stored.
    pub fn forget_closed_holds(&mut self) {
        self.ledger
            .forget_closed_before(HoldId::from_uuid(self.known.start()));
    }

    /// [`Engine::forget_commands_before`] and [`Engine::forget_closed_holds`].
    pub fn forget_before(&mut self, at: Timestamp, count_max: usize) {
        self.forget_commands_before(at, count_max);
        self.forget_closed_holds();
    }

    /// What an account has; `None` for one that was never used.
    pub fn balance(&self, key: &AccountKey) -> Option<Balance> {
        self.ledger.find_account(key).and_then(|id| self.balance_of(id))
    }

    /// What an owner has, by account in the order of opening.
    pub fn balances(&self, owner: &Owner) -> Vec<Balance> {
        let accounts = self.ledger.accounts_of(owner).into_iter();
        accounts.filter_map(|id| self.balance_of(id)).collect()
    }

    fn balance_of(&self, id: AccountId) -> Option<Balance> {
        let (key, state) = (self.ledger.account_key(id)?, self.ledger.account(id)?);
        let (total, held) = (Amount::new(state.total), Amount::new(state.held));
        Some(Balance {
            key,
            total,
            held,
            sequence: self.sequence,
        })
    }

    /// Open holds that may expire at `now`, the oldest expiry first.
    pub fn expired_holds(&self, now: Timestamp, limit: usize) -> Vec<HoldId> {
        self.ledger.expired_holds(now, limit)
    }

    /// The balances and holds beneath, to read.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What has changed since the last call, for the projection.
    pub fn drain_changes(&mut self) -> Changes {
        self.ledger.drain_changes()
    }

    /// Counts drained changes as changed again, because nobody stored them.
    pub fn mark_changed(&mut self, changes: &Changes) {
        self.ledger.mark_changed(changes);
    }

    /// Whether the last row replayed ended its command.
    pub const fn is_between_commands(&self) -> bool {
        self.unfinished.is_none()
    }
}

impl Head<'_> {
    /// When the command was made, in whole microseconds.
    pub(crate) const fn at(&self) -> Timestamp {
        *self.at
    }

    pub(crate) fn row(&self, id: u64, kind: RowKind) -> JournalRow {
        JournalRow {
            id,
            command: self.command.id,
            // It follows when the command is decided.
            fingerprint: 0,
            at: *self.at,
            reason: self.command.reason.code(),
            reference: self.command.reference,
            kind,
            debit: 0,
            credit: 0,
            asset: 0,
            amount: 0,
            hold: None,
            expires_at: None,
            refusal: 0,
            last: false,
            order: None,
            details: None,
        }
    }
}

/// PostgreSQL keeps microseconds; the state must not differ after a replay.
fn whole_micros(at: Timestamp) -> Timestamp {
    from_micros(at.timestamp_micros())
}

/// Whether [`whole_micros`] changes nothing. Of nearly every time it is true, and then none is put together only to be read a moment
/// after, by other words than it was written by. A leap second has more than 10^9 nanoseconds.
const fn is_whole_micros(at: Timestamp) -> bool {
    let nanos = at.timestamp_subsec_nanos();
    nanos < 1_000_000_000 && nanos.is_multiple_of(1_000)
}

/// Refuses what is wrong whatever the state is, and what the journal's columns could not hold: a batch that the
/// database refuses would come again for ever.
fn check(at: Timestamp, action: &Action) -> Result<(), Refusal> {
    let Action::Transfer(steps) = action else {
        check_time(at)?;
        return orders::check(action);
    };
    if steps.is_empty() || steps.len() > STEPS_MAX {
        return Err(Refusal::StepCount);
    }
    check_time(at)?;
    steps.iter().try_for_each(check_step)
}

fn check_step(step: &Step) -> Result<(), Refusal> {
    match step {
        Step::Move {
            debit,
            credit,
            asset,
            amount,
        } => {
            check_money(*asset, *amount)?;
            if debit == credit {
                Err(Refusal::SameAccount)
            } else {
                Ok(())
            }
        }
        Step::Reserve {
            debit,
            asset,
            amount,
            expires_at,
            ..
        } => {
            check_money(*asset, *amount)?;
            expires_at.map_or(Ok(()), check_time)?;
            if debit.purpose.normal() == Normal::Credit {
                Ok(())
            } else {
                Err(Refusal::NotHoldable)
            }
        }
        Step::Post { amount, .. } if amount.is_zero() => Err(Refusal::ZeroAmount),
        Step::Post { .. } | Step::Void { .. } | Step::Expire { .. } => Ok(()),
    }
}

fn check_money(asset: AssetId, amount: Amount) -> Result<(), Refusal> {
    if amount.is_zero() {
        Err(Refusal::ZeroAmount)
    } else if i32::try_from(asset.0).is_err() {
        Err(Refusal::AssetOutOfRange)
    } else {
        Ok(())
    }
}

pub(crate) fn check_time(at: Timestamp) -> Result<(), Refusal> {
    // The first second of the year 10000.
    const END: i64 = 253_402_300_800;
    if (0..END).contains(&at.timestamp()) {
        Ok(())
    } else {
        Err(Refusal::TimeOutOfRange)
    }
}
