//! I01, I02, I03, I05 and I06 for markets and orders.

use std::collections::HashSet;

use super::Auditor;
use crate::books::Held;
use crate::rules::{self, LIFTED, MARKET_CREATED, ORDER_ENDED, ORDER_PLACED, ORDER_SET, Side, TRADE, WALLET};
use crate::{Invariant, OrderFact, Projection, RowFact, Units};

impl Auditor {
    /// Takes a row about a market or an order.
    pub(super) fn trading(&mut self, row: &RowFact) {
        let id = row.id;
        let Some(order) = row.order else {
            self.find(Invariant::I06, None, format!("row {id} has no order"));
            return;
        };
        match row.kind {
            TRADE => self.trade(row, order),
            ORDER_PLACED => {
                self.placed(row, order);
                self.sets_aside(row, order);
            }
            LIFTED | ORDER_ENDED => self.gives_back(row, order),
            ORDER_SET => {
                let all = RowFact {
                    amount: self.left(order),
                    ..*row
                };
                self.gives_back(&all, order);
                self.sets_aside(row, order);
            }
            MARKET_CREATED if !self.has_fees_accounts(row) => {
                self.find(Invariant::I03, None, format!("row {id} has no fees accounts"));
            }
            MARKET_CREATED if row.amount.0.is_zero() => {}
            _ if !row.amount.0.is_zero() || row.debit != 0 || row.credit != 0 => {
                self.find(Invariant::I01, None, format!("row {id} moves something"));
            }
            _ => {}
        }
    }

    /// One leg: from the payer's wallet to the payee's, and of that the fee on to the house.
    fn trade(&mut self, row: &RowFact, order: OrderFact) {
        let (id, asset) = (row.id, Some(row.asset));
        if order.maker && !self.take(row, order, row.amount) {
            self.find(
                Invariant::I06,
                asset,
                format!("row {id} takes from order {} what it has not", order.order),
            );
        }
        self.movement(row);
        if order.fee.0.is_zero() {
            return;
        }
        let fees = self.fees.get(&row.asset).copied();
        let booked = order.fee <= row.amount
            && self.books.book(row.credit, row.asset, Side::Debit, order.fee)
            && fees.is_some_and(|fees| self.books.book(fees, row.asset, Side::Credit, order.fee));
        if !booked {
            self.find(
                Invariant::I01,
                asset,
                format!("row {id} has a fee that cannot be"),
            );
        }
    }

    /// An order is placed once, and who places it gets what it buys.
    fn placed(&mut self, row: &RowFact, order: OrderFact) {
        let (id, asset) = (row.id, Some(row.asset));
        if self.set_aside(order).is_some() {
            self.find(
                Invariant::I06,
                asset,
                format!("row {id} places order {} again", order.order),
            );
        }
        let wallet_of = |account| {
            let entry = self.books.accounts.get(account)?;
            entry.fact.owner.filter(|_| entry.fact.purpose == WALLET)
        };
        if wallet_of(&row.debit).is_some_and(|owner| wallet_of(&row.credit) != Some(owner)) {
            self.find(
                Invariant::I03,
                asset,
                format!("row {id} places an order that buys for account {}", row.credit),
            );
        }
    }

    fn sets_aside(&mut self, row: &RowFact, order: OrderFact) {
        let (id, asset) = (row.id, Some(row.asset));
        let wallet = self
            .books
            .accounts
            .get(&row.debit)
            .map(|entry| entry.fact.purpose);
        if wallet != Some(WALLET) || !self.books.hold_more(row.debit, row.asset, row.amount) {
            self.find(
                Invariant::I05,
                asset,
                format!("row {id} sets something aside of account {}", row.debit),
            );
        }
        let held = Held {
            account: row.debit,
            left: row.amount.0,
            closed: false,
        };
        self.orders.insert((order.market, order.order), held);
    }

    /// All of what an order has set aside goes back, no more and no less.
    fn gives_back(&mut self, row: &RowFact, order: OrderFact) {
        let all = self
            .set_aside(order)
            .is_some_and(|held| held.left == row.amount.0);
        if !all || !self.take(row, order, row.amount) {
            let (id, asset) = (row.id, Some(row.asset));
            self.find(
                Invariant::I06,
                asset,
                format!("row {id} gives back what order {} has not", order.order),
            );
        }
    }

    fn set_aside(&self, order: OrderFact) -> Option<Held> {
        self.orders.get(&(order.market, order.order)).copied()
    }

    fn left(&self, order: OrderFact) -> Units {
        self.set_aside(order)
            .map_or_else(Units::default, |held| Units(held.left))
    }

    /// Takes an amount out of what an order has set aside of the row's account; false when that cannot be.
    fn take(&mut self, row: &RowFact, order: OrderFact, amount: Units) -> bool {
        let held = self.orders.get_mut(&(order.market, order.order));
        let Some(held) = held.filter(|held| held.account == row.debit) else {
            return amount.0.is_zero();
        };
        let Some(left) = held.left.checked_sub(amount.0) else {
            return false;
        };
        held.left = left;
        self.books.hold_released(row.debit, amount)
    }

    fn has_fees_accounts(&self, row: &RowFact) -> bool {
        let is_fees = |account: i64| {
            let entry = self.books.accounts.get(&account);
            entry.is_some_and(|entry| self.fees.get(&entry.fact.asset) == Some(&account))
        };
        is_fees(row.debit) && is_fees(row.credit) && row.debit != row.credit
    }

    /// I02 for open orders, at the row that the projection has reached.
    pub(super) fn compare_orders(&mut self, projection: &Projection) {
        let mut stored = HashSet::new();
        for fact in &projection.orders {
            stored.insert((fact.market, fact.order));
            let held = self.orders.get(&(fact.market, fact.order));
            if held.is_none_or(|held| held.account != fact.account || held.left != fact.held.0) {
                let (market, order) = (fact.market, fact.order);
                let asset = self
                    .books
                    .accounts
                    .get(&fact.account)
                    .map(|entry| entry.fact.asset);
                self.find(
                    Invariant::I02,
                    asset,
                    format!("order {order} of market {market} is not as its rows say"),
                );
            }
        }
        let missing: Vec<(i64, i64)> = self
            .orders
            .iter()
            .filter(|(key, held)| !held.left.is_zero() && !stored.contains(*key))
            .map(|(key, _)| *key)
            .collect();
        for (market, order) in missing {
            self.find(
                Invariant::I02,
                None,
                format!("order {order} of market {market} is not stored"),
            );
        }
    }

    /// What a row about a market or an order must be like.
    pub(super) fn trading_shape(&mut self, row: &RowFact) {
        let (id, asset) = (row.id, Some(row.asset));
        if row.refusal != 0 || row.hold.is_some() || row.kind == TRADE && row.amount.0.is_zero() {
            self.find(
                Invariant::I01,
                asset,
                format!("row {id} moves nothing, or is refused"),
            );
        }
        if !rules::may_occur(row.reason, row.kind) {
            self.find(
                Invariant::I03,
                asset,
                format!("row {id}: kind {} for reason {}", row.kind, row.reason),
            );
        }
        let fees = self.fees.get(&row.asset).copied();
        self.not_overdrawn(row, &[row.debit, row.credit, fees.unwrap_or(0)]);
    }
}
