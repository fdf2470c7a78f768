//! The end of a run: when everything has come to rest, and what must hold then.

use std::collections::BTreeMap;

use ferrex_engine_core::Engine;
use ferrex_flows::Flow;
use ferrex_ledger::{Owner, Purpose};
use ferrex_money::AssetId;
use ferrex_payment::withdrawal::model::State as Withdrawal;

use crate::engine::Role;
use crate::flows::Flows;
use crate::payment::Statement;
use crate::people::MARKET;
use crate::world::World;

/// The first flow that is not at rest.
fn restless<F: Flow>(flows: &Flows<F>) -> Option<String> {
    let row = flows.rows.iter().find(|(_, row)| !F::is_final(&row.state));
    row.map(|(id, row)| format!("{} {id} is {}", F::KIND, F::label(&row.state)))
}

impl World {
    /// What has not come to rest yet; `None` when everything has (I34).
    pub fn unfinished(&self) -> Option<String> {
        let owner = self.engines.iter().find_map(|engine| match &engine.role {
            Role::Owner(owner) => Some(owner),
            _ => None,
        });
        let Some(owner) = owner else {
            return Some("nobody owns the ledger".to_owned());
        };
        if !owner.pipeline.is_settled() || !owner.gathered.is_empty() {
            return Some("the engine is at work".to_owned());
        }
        let flows = restless(&self.transfers)
            .or_else(|| restless(&self.deposits))
            .or_else(|| restless(&self.withdrawals));
        if flows.is_some() {
            return flows;
        }
        if !(self.transfers.is_idle() && self.deposits.is_idle() && self.withdrawals.is_idle()) {
            return Some("an effect is pending".to_owned());
        }
        if let Some(id) = self
            .pay
            .orders
            .iter()
            .find(|(_, row)| row.status == "requested" || row.status == "open")
        {
            return Some(format!("order {} is {}", id.0, id.1.status));
        }
        let open = owner.engine.open_orders(MARKET).len();
        if open > 0 {
            return Some(format!("{open} orders are open"));
        }
        let (signed, mined) = (self.signer.next_nonce, self.chain.nonce_at(self.chain.head()));
        if mined < signed {
            return Some(format!("{signed} nonces are signed, {mined} are mined"));
        }
        if !self.bus_is_quiet() {
            return Some("the bus has messages".to_owned());
        }
        if self.ledger.projection.reached != self.ledger.last_id() {
            return Some("the projection is behind".to_owned());
        }
        let (head, cursor) = (self.chain.head(), self.pay.cursor.at());
        if cursor.is_none_or(|cursor| cursor.height != head || Some(cursor.hash) != self.chain.hash_at(head))
        {
            return Some(format!("the follower is at {cursor:?}, the chain at {head}"));
        }
        None
    }

    /// Everything that must hold when all has come to rest.
    pub fn check_end(&mut self) {
        self.check_books();
        let mut engine = Engine::new(0);
        let (accounts, rows) = (&self.ledger.accounts, &self.ledger.rows);
        if ferrex_engine::following::replay(&mut engine, accounts, rows).is_err() {
            return;
        }
        self.check_tally(&engine);
        self.check_released(&engine);
        self.check_statements(&engine);
        self.check_gaps();
        self.check_cursor();
        self.check_told();
        self.check_orders();
        self.check_answers();
    }

    /// I14: nothing is set aside any more.
    fn check_released(&mut self, engine: &Engine) {
        for (key, state) in engine.ledger().accounts() {
            if state.held != 0 {
                self.violate("I14", || format!("{key:?} still holds {}", state.held));
            }
        }
    }

    /// I19: what the events add up to is what the books have.
    fn check_statements(&mut self, engine: &Engine) {
        let mut books: BTreeMap<_, Statement> = BTreeMap::new();
        for (key, state) in engine.ledger().accounts() {
            let Owner::User(user) = key.account.owner else {
                continue;
            };
            let statement = books.entry((user, key.asset)).or_default();
            if key.account.purpose == Purpose::Debt {
                statement.debt = state.total;
            } else {
                (statement.total, statement.held) = (state.total, state.held);
            }
        }
        for (key, must) in books {
            let (user, asset): (_, AssetId) = key;
            let has = self.pay.statements.get(&key).copied().unwrap_or_default();
            if has != must {
                self.violate("I19", || {
                    format!("the statement of {user} in {asset:?} is {has:?}, the books {must:?}")
                });
            }
        }
    }

    /// I23: no nonce is left out.
    fn check_gaps(&mut self) {
        let (signed, mined) = (self.signer.next_nonce, self.chain.nonce_at(self.chain.head()));
        let intents = self.signer.intents.len() as u64;
        if signed != mined || intents != signed {
            self.violate("I23", || {
                format!("{signed} nonces of {intents} intents are signed, {mined} are mined")
            });
        }
    }

    /// I23: each nonce is one intent's.
    pub(crate) fn check_nonces(&mut self) {
        let (mut by_nonce, mut shared) = (BTreeMap::new(), None);
        for (intent, stored) in &self.signer.intents {
            if let Some(other) = by_nonce.insert(stored.nonce, *intent) {
                shared = Some((stored.nonce, *intent, other));
            }
        }
        if let Some((nonce, one, other)) = shared {
            self.violate("I23", || format!("{one} and {other} share nonce {nonce}"));
        }
    }

    /// I12: the stored blocks are the chain's, without a gap.
    fn check_cursor(&mut self) {
        let wrong = self
            .pay
            .cursor
            .blocks
            .iter()
            .find(|(height, hash)| self.chain.hash_at(**height) != Some(**hash))
            .map(|(height, _)| *height);
        if let Some(height) = wrong {
            self.violate("I12", || format!("the stored block {height} is not the chain's"));
        }
        if self.pay.cursor.blocks.len() as u64 != self.chain.head() + 1 {
            self.violate("I12", || "the follower left a block out".to_owned());
        }
    }

    /// I06 and I11: people were told once of everything that happened.
    fn check_told(&mut self) {
        if let Some((what, times)) = self
            .bus
            .told
            .iter()
            .find(|((kind, _), times)| **times > 1 && !kind.contains("deposit"))
        {
            let text = format!("{what:?} was told {times} times");
            return self.violate("I06", || text);
        }
        let mut missing = None;
        for (id, row) in &self.withdrawals.rows {
            let about = match row.state.label() {
                "settled" => "payment.withdrawal.settled",
                "cancelled" => "payment.withdrawal.cancelled",
                "failed" | "rejected" => "payment.withdrawal.failed",
                _ => continue,
            };
            let key = row.state.facts.withdrawal.to_string();
            if !self.bus.told.contains_key(&(about, key)) {
                missing = Some(format!("{about} of {id}"));
            }
        }
        for row in self.deposits.rows.values() {
            let (state, key) = (&row.state, row.state.facts.deposit.to_string());
            let credits = u32::from(state.label() == "credited") + state.reversals;
            let told = self
                .bus
                .told
                .get(&("payment.deposit.credited", key.clone()))
                .copied()
                .unwrap_or(0);
            if state.facts.user.is_some() && told != credits {
                missing = Some(format!(
                    "deposit {key} was credited {credits} times and told {told} times"
                ));
            }
        }
        for row in self.transfers.rows.values() {
            let key = row.state.facts.transfer.to_string();
            let told = self
                .bus
                .told
                .contains_key(&("payment.transfer.completed", key.clone()));
            if told != (row.state.label() == "completed") {
                missing = Some(format!(
                    "transfer {key} is {} and told: {told}",
                    row.state.label()
                ));
            }
        }
        if let Some(missing) = missing {
            self.violate("I11", || missing);
        }
    }

    /// I14 and I19: orders are shown as they traded.
    fn check_orders(&mut self) {
        let traded = crate::tally::traded_lots(&self.ledger.rows);
        let mut wrong = None;
        for (id, row) in &self.pay.orders {
            let lots = row
                .number
                .and_then(|number| traded.get(&number).copied())
                .unwrap_or(0);
            if row.filled != lots {
                wrong = Some(format!(
                    "order {id} traded {lots} lots and is shown with {}",
                    row.filled
                ));
            }
            let placed = self
                .ledger
                .known(id.cast())
                .is_some_and(|known| known.outcome.is_applied());
            if placed != (row.refusal.is_none() && row.number.is_some()) && row.status != "lapsed" {
                wrong = Some(format!(
                    "order {id} is {} and in the journal: {placed}",
                    row.status
                ));
            }
        }
        if let Some(wrong) = wrong {
            self.violate("I14", || wrong);
        }
    }

    /// I21 and I22: nobody was told a refusal of what happened after all.
    fn check_answers(&mut self) {
        let mut wrong = None;
        for op in &self.people.ops {
            let Some(crate::people::Answer::Refused(id)) = op.told else {
                continue;
            };
            let withdrawal = ferrex_ids::WithdrawalId::from_uuid(id);
            let done = self.withdrawals.state(withdrawal.cast()).map(Withdrawal::label) == Some("settled")
                || self
                    .transfers
                    .state(ferrex_ids::TransferId::from_uuid(id).cast())
                    .is_some_and(|state| state.label() == "completed")
                || self
                    .pay
                    .orders
                    .get(&ferrex_ids::OrderId::from_uuid(id))
                    .is_some_and(|row| row.refusal.is_none());
            if done {
                wrong = Some(format!("{id} was refused and happened"));
            }
        }
        if let Some(wrong) = wrong {
            self.violate("I22", || wrong);
        }
    }
}
