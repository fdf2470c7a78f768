//! The other way to the same state: what was decided before is applied, never decided again.

use std::collections::BTreeMap;

use ferrex_ids::CommandId;
use ferrex_ledger::{AccountId, AccountState, Hold, HoldState, Impossible, Ledger};
use ferrex_planted::planted;
use ferrex_time::Timestamp;
use uuid::Uuid;

use crate::known::{Known, Window, lowest_id_at};
use crate::orders::Trading;
use crate::{AccountRow, Engine, JournalRow, MarketId, OrderNo, Outcome, Refusal, RowKind};

/// Why a journal or a projection cannot be replayed: it is damaged or incomplete, and the engine must not run on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A row is missing or comes twice.
    #[error("row {got} cannot follow row {after}")]
    Order {
        /// Id of the row before.
        after: u64,
        /// Id of the row that came.
        got: u64,
    },
    /// The rows of two commands are mixed.
    #[error("row {0} cuts a command short")]
    CommandCut(u64),
    /// A refusal's number is unknown, or the row has none where it must.
    #[error("row {0} has a refusal that is not known")]
    Refusal(u64),
    /// A row names no hold where it must.
    #[error("row {0} names no hold")]
    NoHold(u64),
    /// An account belongs to another shard.
    #[error("account {0} belongs to another shard")]
    Shard(u32),
    /// A row cannot have happened after those before it.
    #[error("row {id}")]
    Row {
        /// Id of the row.
        id: u64,
        /// Why.
        #[source]
        source: Impossible,
    },
    /// A row about an order lacks what its kind needs.
    #[error("row {0} lacks its order")]
    NoOrder(u64),
    /// A row names a market that is not there, or creates one that cannot be.
    #[error("row {0} has no market")]
    NoMarket(u64),
    /// A row releases or spends what its order has not set aside.
    #[error("row {0} does not fit what its order has set aside")]
    Held(u64),
    /// A row cannot have happened in its book.
    #[error("row {id}")]
    Book {
        /// Id of the row.
        id: u64,
        /// Why.
        #[source]
        source: ferrex_matching::Impossible,
    },
    /// A projected market, or the market of a projected order, cannot be.
    #[error("projected market {0:?}")]
    ProjectedMarket(MarketId),
    /// A projected order cannot be.
    #[error("a projected order of market {0:?}")]
    ProjectedOrder(MarketId, #[source] ferrex_matching::Impossible),
    /// An account or projected state cannot be.
    #[error("a projected account or hold")]
    Projection(#[source] Impossible),
}

/// A projection on its way into an engine: accounts first, then holds and remembered commands.
#[derive(Debug)]
pub struct Restore {
    pub(crate) engine: Engine,
    pub(crate) last_orders: BTreeMap<MarketId, OrderNo>,
}

impl Restore {
    /// Starts from nothing; `window_from` is the start of the idempotency window.
    pub fn new(shard: u16, window_from: Timestamp) -> Self {
        Self::with_window(shard, lowest_id_at(window_from))
    }

    /// As [`Restore::new`], by the lowest id inside the window.
    pub(crate) fn with_window(shard: u16, start: Uuid) -> Self {
        let mut known = Window::default();
        known.forget_before(start);
        Self {
            engine: Engine {
                shard,
                ledger: Ledger::default(),
                trading: Trading::default(),
                known,
                sequence: 0,
                unfinished: None,
                scratch: Vec::new(),
            },
            last_orders: BTreeMap::new(),
        }
    }

    /// The lowest command id and hold id that must be remembered.
    pub const fn window_start(&self) -> Uuid {
        self.engine.window_start()
    }

    /// Adds the accounts, each the next one, with total and held part.
    pub fn accounts<E: From<ReplayError>>(
        &mut self,
        accounts: impl IntoIterator<Item = Result<(AccountRow, u128, u128), E>>,
    ) -> Result<(), E> {
        for account in accounts {
            let (row, total, held) = account?;
            self.engine.check_shard(&row)?;
            let id = AccountId(row.id);
            self.engine
                .ledger
                .restore_account(AccountState { id, total, held }, row.key)
                .map_err(ReplayError::Projection)?;
        }
        let indexed = self.engine.ledger.index_accounts();
        Ok(indexed.map_err(ReplayError::Projection)?)
    }

    /// Adds a hold, open or closed.
    pub fn hold(&mut self, hold: HoldState) -> Result<(), ReplayError> {
        self.engine
            .ledger
            .restore_hold(hold)
            .map_err(ReplayError::Projection)
    }

    /// Adds the answer of a command from its last row.
    pub fn known(
        &mut self,
        id: CommandId,
        fingerprint: u64,
        row: u64,
        refusal: u16,
    ) -> Result<(), ReplayError> {
        self.engine.remember(id, known(fingerprint, row, refusal)?);
        Ok(())
    }

    /// The engine as of journal id `sequence`, to which the tail is then replayed.
    pub fn finish(mut self, sequence: u64) -> Result<Engine, ReplayError> {
        self.finish_markets()?;
        let orders = self.engine.held_by_orders();
        self.engine
            .ledger
            .check(orders)
            .map_err(ReplayError::Projection)?;
        self.engine.sequence = sequence;
        // What comes out of the projection need not go back into it.
        self.engine.drain_changes();
        self.engine.drain_order_changes();
        Ok(self.engine)
    }
}

/// What is remembered of a command whose last row has this id and refusal.
fn known(fingerprint: u64, row: u64, refusal: u16) -> Result<Known, ReplayError> {
    let outcome = match refusal {
        0 => Outcome::Applied { sequence: row },
        code => {
            let refusal = Refusal::from_code(code).ok_or(ReplayError::Refusal(row))?;
            Outcome::Refused {
                sequence: row,
                refusal,
            }
        }
    };
    Ok(Known { fingerprint, outcome })
}

impl Known {
    /// What is remembered of a command, from its last row.
    pub fn from_last_row(fingerprint: u64, row: u64, refusal: u16) -> Result<Self, ReplayError> {
        known(fingerprint, row, refusal)
    }
}

impl Engine {
    /// Opens an account that was opened before, without a balance.
    pub fn replay_account(&mut self, row: &AccountRow) -> Result<(), ReplayError> {
        self.check_shard(row)?;
        self.ledger
            .replay_account(AccountId(row.id), row.key)
            .map_err(ReplayError::Projection)
    }

    fn check_shard(&self, row: &AccountRow) -> Result<(), ReplayError> {
        if row.shard == self.shard {
            Ok(())
        } else {
            Err(ReplayError::Shard(row.id))
        }
    }

    /// Applies the next row. The accounts it names must be there.
    pub fn replay(&mut self, row: &JournalRow) -> Result<(), ReplayError> {
        if row.id != self.sequence + 1 {
            return Err(ReplayError::Order {
                after: self.sequence,
                got: row.id,
            });
        }
        if self.unfinished.is_some_and(|command| command != row.command) {
            return Err(ReplayError::CommandCut(row.id));
        }
        self.ledger.begin();
        self.replay_effect(row)?;
        self.ledger.commit();
        self.sequence = row.id;
        self.unfinished = (!row.last).then_some(row.command);
        if row.last && !planted!("replay.answers_forgotten") {
            self.known
                .remember(row.command, known(row.fingerprint, row.id, row.refusal)?);
        }
        Ok(())
    }

    fn replay_effect(&mut self, row: &JournalRow) -> Result<(), ReplayError> {
        if row.kind.is_trading() {
            return self.replay_trading(row);
        }
        let hold = || row.hold.ok_or(ReplayError::NoHold(row.id));
        let (debit, credit) = (AccountId(row.debit), AccountId(row.credit));
        let effect = match row.kind {
            RowKind::Move => self.ledger.replay_transfer(debit, credit, row.amount),
            RowKind::Reserve => {
                let (id, left, expires_at) = (hold()?, row.amount, row.expires_at);
                self.ledger.replay_reserve(Hold {
                    id,
                    account: debit,
                    left,
                    expires_at,
                })
            }
            RowKind::Post => self.ledger.replay_post(hold()?, credit, row.amount),
            RowKind::Void if planted!("replay.releases_left_out") => Ok(()),
            RowKind::Void | RowKind::Expire => self.ledger.replay_release(hold()?, row.amount),
            _ => Ok(()),
        };
        effect.map_err(|source| ReplayError::Row { id: row.id, source })
    }
}
