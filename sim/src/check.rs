//! The invariants: the cheap ones at every append and every step of a flow, all of them from time to time and at the end.

use ferrex_audit::{
    AccountFact, Auditor, BalanceFact, HoldFact, OpenOrderFact, OrderFact, Projection, RowFact, Units,
};
use ferrex_engine_core::{Batch, Engine, JournalRow, Reason, RowKind, Side};
use ferrex_ids::WithdrawalId;
use ferrex_ledger::{Owner, Purpose};
use ferrex_signer::intent::model::Purpose as SignedFor;

use crate::event::Life;
use crate::flows::{Attempt, Kind};
use crate::people::{LOT, UNIT};
use crate::world::World;

/// Where the flows may go, written down a second time; whatever is not here is I17. Staying is always allowed.
const EDGES: &[(&str, &str, &[&str])] = &[
    ("transfer", "requested", &["completed", "refused"]),
    ("deposit", "dropped", &["confirming"]),
    ("deposit", "confirming", &["crediting", "dropped", "reversed"]),
    (
        "deposit",
        "crediting",
        &["credited", "confirming", "reversing", "dropped", "reversed"],
    ),
    ("deposit", "credited", &["reversing"]),
    (
        "deposit",
        "reversing",
        &["reversed", "credited", "confirming", "crediting"],
    ),
    ("deposit", "reversed", &["confirming"]),
    (
        "withdrawal",
        "requested",
        &["refused", "awaiting_approval", "preparing", "settling"],
    ),
    ("withdrawal", "awaiting_approval", &["preparing", "releasing"]),
    ("withdrawal", "preparing", &["signing", "releasing"]),
    (
        "withdrawal",
        "signing",
        &["broadcasting", "confirming", "releasing", "settling"],
    ),
    (
        "withdrawal",
        "broadcasting",
        &["confirming", "settling", "releasing"],
    ),
    (
        "withdrawal",
        "confirming",
        &["broadcasting", "signing", "settling", "releasing"],
    ),
    ("withdrawal", "settling", &["settled"]),
    ("withdrawal", "releasing", &["cancelled", "rejected", "failed"]),
];

fn number(id: u64) -> i64 {
    i64::try_from(id).expect("a run has few rows")
}

fn units(amount: u128) -> Units {
    Units::parse(&amount.to_string()).expect("digits")
}

impl World {
    /// I17: machines move along listed edges only.
    pub(crate) fn check_edge(&mut self, kind: &'static str, from: &'static str, to: &'static str) {
        let listed =
            |(of, start, ends): &(&str, &str, &[&str])| *of == kind && *start == from && ends.contains(&to);
        if from != to && !EDGES.iter().any(listed) {
            self.violate("I17", || format!("a {kind} goes from {from} to {to}"));
        }
    }

    /// Whether an attempt has lost its effect to a later claim, or to an outcome.
    pub(crate) fn is_stale(&self, attempt: Attempt) -> bool {
        let (fence, pending) = match attempt.kind {
            Kind::Deposit => {
                let effect = &self.deposits.effects[&attempt.effect];
                (effect.fence, effect.pending)
            }
            Kind::Transfer => {
                let effect = &self.transfers.effects[&attempt.effect];
                (effect.fence, effect.pending)
            }
            Kind::Withdrawal => {
                let effect = &self.withdrawals.effects[&attempt.effect];
                (effect.fence, effect.pending)
            }
        };
        fence != attempt.fence || !pending
    }

    /// What must hold of every batch, at the moment it is in the journal.
    pub(crate) fn after_append(&mut self, life: Life, end: u64, batch: &Batch) {
        if self.ledger.granted != Some(life) {
            let name = life.proc.name();
            self.violate("I13", || format!("{name} writes, and another one has the ledger"));
        }
        for (id, row) in (end + 1..).zip(&batch.rows) {
            if row.id != id {
                self.violate("I10", || format!("row {} stands at place {id}", row.id));
            }
            self.check_proof(row);
        }
    }

    /// I09 and I07: what is credited and settled is proved by the chain, with its confirmations.
    fn check_proof(&mut self, row: &JournalRow) {
        let reason = Reason::from_code(row.reason);
        let reference = row.reference;
        match (reason, row.kind) {
            (Some(Reason::Deposit), RowKind::Move)
                if self.purpose(row.debit) == Some(Purpose::DepositAddresses) =>
            {
                let deposit = self
                    .pay
                    .deposits
                    .iter()
                    .find(|(_, deposit)| deposit.id.uuid() == reference);
                let proved = deposit.is_some_and(|(hash, _)| self.chain.ever_confirmed.contains(hash));
                if !proved {
                    self.violate("I09", || {
                        format!("row {} credits what no chain has confirmed", row.id)
                    });
                }
            }
            (Some(Reason::WithdrawalSettlement), RowKind::Post) => {
                let id = WithdrawalId::from_uuid(reference);
                let proved = self.decided_on_chain(id, |filler, succeeds| !filler && succeeds);
                if !proved {
                    self.violate("I07", || {
                        format!("row {} settles {id}, which no chain has confirmed", row.id)
                    });
                }
            }
            (Some(Reason::WithdrawalRelease), RowKind::Void) => {
                let id = WithdrawalId::from_uuid(reference);
                let signed = self.signer.intents.contains_key(&id.cast());
                if signed && !self.decided_on_chain(id, |filler, succeeds| filler || !succeeds) {
                    self.violate("I07", || {
                        format!("row {} releases {id}, which is signed and may be paid", row.id)
                    });
                }
            }
            _ => {}
        }
    }

    /// Whether a candidate of a withdrawal that fits had its confirmations at any time.
    fn decided_on_chain(&self, id: WithdrawalId, fits: impl Fn(bool, bool) -> bool) -> bool {
        let Some(intent) = self.signer.intents.get(&id.cast()) else {
            return false;
        };
        self.chain.ever_confirmed.iter().any(|hash| {
            self.chain.ours.get(hash).is_some_and(|ours| {
                let candidate = intent
                    .candidates
                    .iter()
                    .find(|known| known.raw == ours.signed.raw());
                candidate.is_some_and(|known| fits(known.purpose == SignedFor::Filler, ours.succeeds))
            })
        })
    }

    fn purpose(&self, account: u32) -> Option<Purpose> {
        let row = self.ledger.accounts.get((account as usize).checked_sub(1)?)?;
        Some(row.key.account.purpose)
    }

    /// I01, I02, I03, I05, I06, I10 by the independent audit, and I15.
    pub(crate) fn check_books(&mut self) {
        let report = self.audit();
        if let Some(finding) = report.findings.first() {
            let name = match finding.invariant {
                ferrex_audit::Invariant::I01 => "I01",
                ferrex_audit::Invariant::I02 => "I02",
                ferrex_audit::Invariant::I03 => "I03",
                ferrex_audit::Invariant::I05 => "I05",
                ferrex_audit::Invariant::I06 => "I06",
                ferrex_audit::Invariant::I10 => "I10",
            };
            self.violate(name, || format!("the audit found: {}", finding.detail));
        }
        self.check_replay();
    }

    fn audit(&self) -> ferrex_audit::Report {
        let ledger = &self.ledger;
        let mut auditor = Auditor::new();
        for row in &ledger.accounts {
            let owner = match row.key.account.owner {
                Owner::House => None,
                Owner::User(user) => Some(user),
            };
            auditor.account(AccountFact {
                id: row.id.into(),
                owner,
                purpose: row.key.account.purpose.code().into(),
                asset: row.key.asset.0.into(),
            });
        }
        let tables = &ledger.projection;
        auditor.projection(Projection {
            journal_id: number(tables.reached),
            balances: tables
                .balances
                .iter()
                .map(|(account, (total, held))| BalanceFact {
                    account: (*account).into(),
                    total: units(*total),
                    held: units(*held),
                })
                .collect(),
            holds: tables
                .holds
                .values()
                .map(|hold| HoldFact {
                    id: hold.id.uuid(),
                    account: hold.account.0.into(),
                    left: units(hold.left),
                    closed: hold.closed,
                })
                .collect(),
            orders: tables
                .orders
                .iter()
                .map(|((market, order), (account, held))| OpenOrderFact {
                    market: (*market).into(),
                    order: number(*order),
                    account: (*account).into(),
                    held: units(*held),
                })
                .collect(),
        });
        for row in &ledger.rows {
            auditor.row(&fact(row));
        }
        auditor.finish(number(ledger.last_id()))
    }

    /// I15: the rows lead to the state that the owner has in memory, from nothing and from every snapshot.
    fn check_replay(&mut self) {
        let mut engine = Engine::new(0);
        let (accounts, rows) = (&self.ledger.accounts, &self.ledger.rows);
        if let Err(error) = ferrex_engine::following::replay(&mut engine, accounts, rows) {
            self.violate("I15", || format!("the journal cannot be replayed: {error:?}"));
            return;
        }
        let hash = engine.state_hash();
        for place in 0..2 {
            let live = match &self.engines[place].role {
                crate::engine::Role::Owner(owner) if owner.pipeline.is_settled() => &owner.engine,
                _ => continue,
            };
            let same = live.sequence() != engine.sequence() || live.state_hash() == hash;
            if !same {
                self.violate("I15", || {
                    format!(
                        "engine {place} has another state in memory than its journal, at row {}",
                        engine.sequence()
                    )
                });
            }
        }
        self.check_held(&engine);
    }

    /// I14: an order's quantities add up, and what orders and holds have set aside is what their accounts hold.
    fn check_held(&mut self, engine: &Engine) {
        let orders = engine.open_orders(crate::people::MARKET);
        let held = orders.iter().map(|order| (order.account, order.held));
        if let Err(error) = engine.ledger().check(held) {
            self.violate("I14", || format!("holds and orders do not add up: {error}"));
        }
        let traded = crate::tally::traded_lots(&self.ledger.rows);
        for order in &orders {
            let price = u128::from(order.open.limit) * u128::from(order.open.left);
            let must = match order.open.side {
                Side::Buy => price * UNIT,
                Side::Sell => u128::from(order.open.left) * LOT,
            };
            if order.held != must {
                let (number, held) = (order.open.order.0, order.held);
                self.violate("I14", || {
                    format!("order {number} has {held} set aside and needs {must}")
                });
            }
            let done = traded.get(&order.open.order.0).copied().unwrap_or(0);
            let filled = order.open.total.saturating_sub(order.open.left);
            if filled != done {
                let number = order.open.order.0;
                self.violate("I14", || {
                    format!("order {number} has {done} lots traded and says {filled}")
                });
            }
        }
    }
}

fn fact(row: &JournalRow) -> RowFact {
    RowFact {
        id: number(row.id),
        command: row.command.uuid(),
        fingerprint: row.fingerprint.cast_signed(),
        reason: row.reason.into(),
        reference: row.reference,
        kind: row.kind.code().into(),
        debit: row.debit.into(),
        credit: row.credit.into(),
        asset: row.asset.into(),
        amount: units(row.amount),
        hold: row.hold.map(ferrex_ids::HoldId::uuid),
        refusal: row.refusal.into(),
        last: row.last,
        order: row.order.as_ref().map(|part| OrderFact {
            market: part.market.0.into(),
            order: number(part.order.0),
            maker: part.flags.is_maker(),
            fee: units(part.fee),
        }),
    }
}
