//! Rows of markets and orders applied, never decided again.

use ferrex_ledger::AccountId;
use ferrex_matching::{NEVER, Open, OrderNo, Side};

use super::market::{Extra, Market};
use super::{Details, MarketId, OrderPart};
use crate::{Engine, JournalRow, ReplayError, RowKind};

impl Engine {
    /// Applies a row about a market or an order.
    pub(crate) fn replay_trading(&mut self, row: &JournalRow) -> Result<(), ReplayError> {
        let part = row.order.ok_or(ReplayError::NoOrder(row.id))?;
        match row.kind {
            RowKind::MarketCreated => return self.replay_market(row, part.market),
            RowKind::TierSet => {
                let Some(Details::Tier { owner, tier }) = row.details.as_deref() else {
                    return Err(ReplayError::NoOrder(row.id));
                };
                self.trading.set_tier(*owner, *tier);
                return Ok(());
            }
            _ => {}
        }
        let no_market = ReplayError::NoMarket(row.id);
        let market = self.trading.find_mut(part.market).ok_or(no_market)?;
        let book_error = |source| ReplayError::Book { id: row.id, source };
        let ledger_error = |source| ReplayError::Row { id: row.id, source };
        let account = AccountId(row.debit);
        market.book.replay_begin();
        match row.kind {
            RowKind::MarketSet => {
                market.state = part.flags.market_state().ok_or(ReplayError::NoOrder(row.id))?;
                market.changed = true;
            }
            RowKind::FeesSet => {
                let Some(Details::Fees(rates)) = row.details.as_deref() else {
                    return Err(ReplayError::NoOrder(row.id));
                };
                market.fees.clone_from(rates);
                market.changed = true;
            }
            RowKind::Trade => return self.replay_trade(row, &part),
            RowKind::OrderPlaced => return self.replay_placed(row, &part),
            RowKind::OrderLifted => {
                let slot = market
                    .book
                    .replay_lift(part.order, part.left)
                    .map_err(book_error)?;
                let held = std::mem::take(&mut market.extra_mut(slot).held);
                if held != row.amount {
                    return Err(ReplayError::Held(row.id));
                }
                self.ledger.give_back(account, held).map_err(ledger_error)?;
            }
            RowKind::OrderSet => {
                let requeued = part.flags.is_requeued();
                let slot = market
                    .book
                    .replay_set(part.order, part.price, part.lots, part.left, requeued)
                    .map_err(book_error)?;
                let before = std::mem::replace(&mut market.extra_mut(slot).held, row.amount);
                self.ledger.give_back(account, before).map_err(ledger_error)?;
                self.ledger.set_aside(account, row.amount).map_err(ledger_error)?;
            }
            RowKind::OrderEnded => {
                // An order that an auction has filled is out of the book and leaves what it paid less than its limit.
                let slot = match market.filled.take_if(|(order, _)| *order == part.order) {
                    Some((_, slot)) => slot,
                    None => market.book.replay_end(part.order).map_err(book_error)?,
                };
                let held = std::mem::take(&mut market.extra_mut(slot).held);
                if held != row.amount {
                    return Err(ReplayError::Held(row.id));
                }
                market.forget(slot);
                self.ledger.give_back(account, held).map_err(ledger_error)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn replay_market(&mut self, row: &JournalRow, id: MarketId) -> Result<(), ReplayError> {
        let no_market = ReplayError::NoMarket(row.id);
        let Some(Details::Market(spec)) = row.details.as_deref() else {
            return Err(no_market);
        };
        let Ok(resolved) = spec.resolve() else {
            return Err(no_market);
        };
        if self.trading.find(id).is_some() || id.0 > MarketId::MAX {
            return Err(no_market);
        }
        let fees = (AccountId(row.debit), AccountId(row.credit));
        let market = Market::new(id, *spec, resolved, fees, self.trading.sizes);
        self.trading.insert(market);
        Ok(())
    }

    /// One leg: the money, and the lots of the order that pays.
    fn replay_trade(&mut self, row: &JournalRow, part: &OrderPart) -> Result<(), ReplayError> {
        let ledger_error = |source| ReplayError::Row { id: row.id, source };
        let no_market = ReplayError::NoMarket(row.id);
        let market = self.trading.find_mut(part.market).ok_or(no_market)?;
        let (debit, credit) = (AccountId(row.debit), AccountId(row.credit));
        market.book.replay_last(part.price);
        market.changed = true;
        // A taker that is just coming is opened by a later row, with what it has left.
        if market.book.find(part.order).is_some() {
            let filled = market.book.replay_fill(part.order, part.lots);
            let slot = filled.map_err(|source| ReplayError::Book { id: row.id, source })?;
            if part.flags.is_maker() {
                let gone = market.book.find(part.order).is_none();
                let extra = market.extra_mut(slot);
                let held = extra.held.checked_sub(row.amount);
                extra.held = held.ok_or(ReplayError::Held(row.id))?;
                if gone && extra.held > 0 {
                    market.filled = Some((part.order, slot));
                } else if gone {
                    market.forget(slot);
                }
                self.ledger.give_back(debit, row.amount).map_err(ledger_error)?;
            }
        } else if part.flags.is_maker() {
            return Err(ReplayError::Held(row.id));
        }
        self.ledger.pay(debit, credit, row.amount).map_err(ledger_error)?;
        if part.fee > 0 {
            let fees = match part.flags.side() {
                Side::Buy => market.fee_quote,
                Side::Sell => market.fee_base,
            };
            self.ledger.pay(credit, fees, part.fee).map_err(ledger_error)?;
        }
        Ok(())
    }

    fn replay_placed(&mut self, row: &JournalRow, part: &OrderPart) -> Result<(), ReplayError> {
        let no_order = ReplayError::NoOrder(row.id);
        let market = self
            .trading
            .find(part.market)
            .ok_or(ReplayError::NoMarket(row.id))?;
        let owner = self
            .ledger
            .account_key(AccountId(row.debit))
            .map(|key| key.account.owner);
        let Some(ferrex_ledger::Owner::User(owner)) = owner else {
            return Err(no_order);
        };
        let (flags, by_value) = (part.flags, part.flags.is_by_value());
        let (Some(self_trade), Some(tif)) = (flags.self_trade(), flags.tif()) else {
            return Err(no_order);
        };
        let (seat, value) = (owner, if by_value { row.amount / market.unit } else { 0 });
        let tier = self.trading.tier(seat);
        let market = self
            .trading
            .find_mut(part.market)
            .ok_or(ReplayError::NoMarket(row.id))?;
        let seat = market.sit(owner, tier);
        market.refresh(seat, &self.ledger);
        market.changed = true;
        if flags.end().is_some() {
            let counted = market.book.replay_number(part.order);
            return counted.map_err(|source| ReplayError::Book { id: row.id, source });
        }
        let hides = part.display > 0 && !flags.is_waiting();
        let open = Open {
            order: part.order,
            owner: seat,
            side: flags.side(),
            limit: part.price,
            total: part.lots,
            left: part.left,
            shown: if hides {
                part.left.min(part.display)
            } else {
                part.left
            },
            display: part.display,
            value,
            market: flags.is_market(),
            tif,
            stop: part.stop,
            waiting: flags.is_waiting(),
            expires_at: row.expires_at.map_or(NEVER, |at| at.timestamp_micros()),
            self_trade,
            priority: 0,
        };
        let opened = market.book.replay_open(&open);
        let slot = opened.map_err(|source| ReplayError::Book { id: row.id, source })?;
        market.admit(slot, seat, part.order, row.amount, part.client);
        self.ledger
            .set_aside(AccountId(row.debit), row.amount)
            .map_err(|source| ReplayError::Row { id: row.id, source })
    }
}

impl Market {
    /// Takes an order in that is open in the book.
    pub(crate) fn admit(
        &mut self,
        slot: u32,
        seat: u32,
        order: OrderNo,
        held: u128,
        client: Option<uuid::Uuid>,
    ) {
        *self.extra_mut(slot) = Extra { held, client };
        if let Some(client) = client {
            self.clients.insert((seat, client), order.0);
        }
    }

    /// Frees the caller's name of an order that has ended.
    pub(crate) fn forget(&mut self, slot: u32) {
        let owner = self.book.view(slot).owner;
        if let Some(client) = self.extra_mut(slot).client.take() {
            self.clients.remove(&(owner, client));
        }
    }
}
