//! The schema `payment` in memory, beside its flows: what the follower records, claims on the hot wallet, keys, orders and
//! statements.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_chains::evm::B256;
use ferrex_chains::evm::follower::Cursor;
use ferrex_contracts::engine::{JournalCommitted, MarketChange, MarketChanged, TradeSide};
use ferrex_engine_core::{PlaceOrder, Refusal};
use ferrex_flows::Flow;
use ferrex_ids::{DepositId, FlowId, OrderId, UserId, WithdrawalId};
use ferrex_money::AssetId;
use ferrex_payment::statement::movements;
use ferrex_payment::withdrawal;
use ferrex_planted::planted;
use ferrex_time::Timestamp;
use uuid::Uuid;

use crate::event::{Event, Life};
use crate::flows::Taken;
use crate::world::World;

/// The chain's coin.
pub const COIN: u32 = 1;
/// A token on it.
pub const TOKEN: u32 = 2;
/// How many confirmations a block needs.
pub const CONFIRMATIONS: u32 = 4;

/// A payment to us as the follower recorded it.
#[derive(Clone, Debug)]
pub struct DepositRow {
    /// Its id, the same whatever block it is in.
    pub id: DepositId,
    /// The block that it is in.
    pub height: Option<u64>,
    /// Whether that is deep enough.
    pub confirmed: bool,
}

/// A signed payment that was kept before it was sent.
#[derive(Clone, Debug)]
pub struct PaymentRow {
    /// Whose.
    pub withdrawal: WithdrawalId,
    /// Which attempt.
    pub attempt: u32,
    /// Its nonce.
    pub nonce: u64,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// The block that it is in.
    pub height: Option<u64>,
    /// Whether it did what it should there.
    pub succeeded: bool,
    /// What it cost there.
    pub fee_paid: u128,
    /// Whether its block is deep enough.
    pub confirmed: bool,
    /// Whether it only fills a nonce.
    pub filler: bool,
}

/// What a payment under way takes from the hot wallet.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Of which asset.
    pub asset: u32,
    /// How much.
    pub amount: u128,
    /// For fees, at most.
    pub fee_cap: u128,
}

/// An order as people see it.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// Whose.
    pub user: UserId,
    /// What was asked for.
    pub place: PlaceOrder,
    /// When.
    pub at: Timestamp,
    /// The engine's number, once it was told.
    pub number: Option<u64>,
    /// `requested`, `open`, or how it ended.
    pub status: &'static str,
    /// Lots that traded.
    pub filled: u64,
    /// Why the engine did not take it.
    pub refusal: Option<Refusal>,
}

/// What the events of the journal add up to, of one account of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// In the wallet.
    pub total: u128,
    /// Set aside by holds.
    pub held: u128,
    /// Owed.
    pub debt: u128,
}

/// The follower's cursor.
#[derive(Clone, Debug, Default)]
pub struct CursorDb {
    /// Rises with every change of owner.
    pub epoch: u64,
    /// Who follows, and until when.
    pub owner: Option<(Life, u64)>,
    /// The stored blocks by height; the last is the cursor.
    pub blocks: BTreeMap<u64, B256>,
}

impl CursorDb {
    /// The cursor.
    pub fn at(&self) -> Option<Cursor> {
        self.blocks.last_key_value().map(|(height, hash)| Cursor {
            height: *height,
            hash: *hash,
        })
    }
}

/// The schema.
#[derive(Debug, Default)]
pub struct PayDb {
    /// What a person's key made.
    pub keys: BTreeMap<(UserId, u64), Uuid>,
    /// Payments to us, by transaction.
    pub deposits: BTreeMap<B256, DepositRow>,
    /// Signed payments, by hash.
    pub payments: BTreeMap<B256, PaymentRow>,
    /// Claims on the hot wallet.
    pub claims: BTreeMap<WithdrawalId, Claim>,
    /// The lock of the network's row: who holds it and for which claim.
    pub lock: Option<(Life, WithdrawalId)>,
    /// The follower's cursor.
    pub cursor: CursorDb,
    /// Why no payment is prepared any more.
    pub halted: Option<String>,
    /// Orders.
    pub orders: BTreeMap<OrderId, OrderRow>,
    /// Orders by the engine's number.
    pub numbered: BTreeMap<u64, OrderId>,
    /// The journal row up to which the market was followed.
    pub market_followed: u64,
    /// Statements by person and asset.
    pub statements: BTreeMap<(Uuid, AssetId), Statement>,
    /// Their lines, which have a key of their own in the table: person, asset, journal row.
    pub lines: BTreeSet<(Uuid, AssetId, u64)>,
}

impl World {
    /// Writes what follows from a step of any flow: what it wants told, and that there is work.
    pub(crate) fn after_step<F: Flow>(&mut self, id: FlowId, taken: Taken) {
        let (from, to) = taken.labels;
        if from != to {
            self.say(|| format!("{} {id}: {from} -> {to}", F::KIND));
        }
        self.check_edge(F::KIND, from, to);
        for told in taken.told {
            self.bus.put(told);
        }
        if F::KIND == withdrawal::flow::WithdrawalFlow::KIND {
            let withdrawal: WithdrawalId = id.cast();
            if taken.is_final {
                self.pay.claims.remove(&withdrawal);
            }
            if to == "awaiting_approval" && from != to {
                self.after(300, 6_000, Event::Staff(withdrawal));
            }
            if to == "signing" && from != to && self.rng.permille(120) {
                self.after(1, 12_000, Event::GiveUp(withdrawal));
            }
        }
        // The worker of the process that took the step is told; any other finds it when it looks.
        let proc = crate::event::Proc::PAYMENTS[self.rng.place(2)];
        let life = self.life(proc);
        self.to(life, 0, 4, Event::WorkerTick { regular: false });
    }

    /// The statement's consumer: the product's split of an event, added to what was there. A line that is there stays as it is.
    pub(crate) fn record_movements(&mut self, event: &JournalCommitted) {
        let Ok(movements) = movements::split(event) else {
            self.violate("I19", || {
                format!("the event of {} cannot be split", event.command)
            });
            return;
        };
        for (key, movement) in movements {
            let line = (key.0, key.1, event.sequence);
            if !self.pay.lines.insert(line) && !planted!("statement.line_written_twice") {
                continue;
            }
            let statement = self.pay.statements.entry(key).or_default();
            let added = |sum: u128, more: ferrex_money::Amount, less: ferrex_money::Amount| {
                (sum + more.units()).checked_sub(less.units())
            };
            let total = added(statement.total, movement.credited, movement.debited);
            let held = added(statement.held, movement.reserved, movement.released);
            let debt = added(statement.debt, movement.owed, movement.repaid);
            match (total, held, debt) {
                (Some(total), Some(held), Some(debt)) => {
                    *statement = Statement { total, held, debt };
                }
                _ => self.violate("I19", || {
                    format!(
                        "the statement of {key:?} would fall below zero by {}",
                        event.command
                    )
                }),
            }
        }
    }

    /// The orders' consumer: each event of the market once, in the journal's order.
    pub(crate) fn follow_market(&mut self, event: &MarketChanged) {
        if event.sequence <= self.pay.market_followed {
            return;
        }
        self.pay.market_followed = event.sequence;
        let placed = event.changes.iter().find_map(|change| match change {
            MarketChange::Placed { order, end, .. } => Some((*order, end.is_some())),
            _ => None,
        });
        if let Some((number, ended)) = placed {
            let id = OrderId::from_uuid(event.command.uuid());
            self.pay.numbered.insert(number, id);
            if let Some(row) = self.pay.orders.get_mut(&id) {
                row.number = Some(number);
                row.status = if ended { "ended" } else { "open" };
            }
        }
        for change in &event.changes {
            match change {
                MarketChange::Trade { lots, buy, sell, .. } => {
                    self.filled(buy, *lots);
                    self.filled(sell, *lots);
                }
                MarketChange::Ended { order, .. } => {
                    if let Some(row) = self.order_of(*order) {
                        row.status = "ended";
                    }
                }
                MarketChange::Set { order, .. } => {
                    if let Some(row) = self.order_of(*order) {
                        row.status = "open";
                    }
                }
                _ => {}
            }
        }
    }

    fn order_of(&mut self, number: u64) -> Option<&mut OrderRow> {
        let id = self.pay.numbered.get(&number)?;
        self.pay.orders.get_mut(id)
    }

    fn filled(&mut self, side: &TradeSide, lots: u64) {
        let known = self.order_of(side.order).map(|row| {
            row.filled += lots;
            if row.status == "open" && side.left == 0 {
                row.status = "filled";
            }
        });
        if known.is_none() {
            self.violate("I19", || {
                format!("order {} trades and was never placed", side.order)
            });
        }
    }
}
