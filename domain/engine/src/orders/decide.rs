//! What is refused, and what the book is asked to do.

use ferrex_matching::{End, Lots, NEVER, Place, Refused, Side, Ticks, Tif};
use ferrex_money::Amount;
use ferrex_time::Timestamp;
use uuid::Uuid;

use super::market::{MILLION, Market, steps};
use super::settle::Desk;
use super::{
    AmendOrder, Details, FeeRate, MarketId, MarketSpec, MarketState, OrderFlags, OrderKind, OrderPart,
    OrderRef, PlaceOrder,
};
use crate::engine::Head;
use crate::{Action, Batch, Engine, Refusal, RowKind};

/// The most orders that one command expires.
pub(crate) const EXPIRE_MAX: usize = 1_000;
/// The most orders that a market may allow a person.
const OPEN_ORDERS_MAX: u32 = 10_000;
/// The most fee tiers.
pub(crate) const TIERS_MAX: usize = 64;

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::WouldTake => Self::WouldTake,
            Refused::NotFillable => Self::NotFillable,
            Refused::NoLiquidity => Self::NoLiquidity,
            Refused::SelfTrade => Self::SelfTrade,
            Refused::BelowOneLot => Self::TooSmall,
        }
    }
}

/// Refuses what is wrong whatever the state is.
pub(crate) fn check(action: &Action) -> Result<(), Refusal> {
    match action {
        Action::Transfer(_)
        | Action::AmendOrder(_)
        | Action::CancelOrder { .. }
        | Action::CancelAll { .. }
        | Action::SetMarketState { .. }
        | Action::SetFeeTier { .. } => Ok(()),
        Action::CreateMarket { market, spec } => {
            // All of a person's orders are cancelled by one command.
            if !(1..=MarketId::MAX).contains(&market.0) || spec.open_orders_max > OPEN_ORDERS_MAX {
                return Err(Refusal::MarketSpec);
            }
            spec.resolve().map(|_| ())
        }
        Action::SetFees { rates, .. } => {
            let valid = |rate: &FeeRate| {
                u128::from(rate.maker_ppm) <= MILLION && u128::from(rate.taker_ppm) <= MILLION
            };
            if rates.len() <= TIERS_MAX && rates.iter().all(valid) {
                Ok(())
            } else {
                Err(Refusal::FeeRates)
            }
        }
        Action::PlaceOrder(order) => check_shape(order),
        Action::ExpireOrders { now, .. } => crate::engine::check_time(*now),
    }
}

fn check_shape(order: &PlaceOrder) -> Result<(), Refusal> {
    let (price, quantity) = match order.kind {
        OrderKind::Limit { price, quantity, .. } => (price, quantity),
        OrderKind::Market { quantity, protection } => (protection, quantity),
        OrderKind::MarketByValue { value, protection } => (protection, value),
    };
    let terms = &order.terms;
    if [Some(price), Some(quantity), terms.stop, terms.display].contains(&Some(Amount::ZERO)) {
        return Err(Refusal::ZeroAmount);
    }
    terms.expires_at.map_or(Ok(()), crate::engine::check_time)?;
    let (limit, tif) = match order.kind {
        OrderKind::Limit { tif, .. } => (true, tif),
        OrderKind::Market { .. } | OrderKind::MarketByValue { .. } => (false, Tif::Ioc),
    };
    let by_value = matches!(order.kind, OrderKind::MarketByValue { .. });
    let rests = limit && tif.rests();
    let fits = (!by_value || order.side == Side::Buy)
        && (terms.display.is_none() || rests)
        && (terms.expires_at.is_none() || rests || terms.stop.is_some())
        && (terms.stop.is_none() || matches!(tif, Tif::Gtc | Tif::Ioc));
    if fits { Ok(()) } else { Err(Refusal::OrderShape) }
}

impl Engine {
    /// Decides an action on markets and orders. A refusal has changed nothing.
    pub(crate) fn trade(&mut self, head: &Head<'_>, action: &Action, out: &mut Batch) -> Result<(), Refusal> {
        match action {
            Action::Transfer(_) => Ok(()),
            Action::CreateMarket { market, spec } => self.create_market(head, *market, spec, out),
            Action::SetMarketState { market, state } => self.set_state(head, *market, *state, out),
            Action::SetFees { market, rates } => {
                let found = self.trading.get_mut(*market)?;
                found.fees.clone_from(rates);
                found.changed = true;
                let part = OrderPart::new(*market, ferrex_matching::OrderNo(0));
                self.push_details(head, RowKind::FeesSet, part, Details::Fees(rates.clone()), out);
                Ok(())
            }
            Action::SetFeeTier { owner, tier } => {
                let (owner, tier) = (*owner, *tier);
                self.trading.set_tier(owner, tier);
                let part = OrderPart::new(MarketId(0), ferrex_matching::OrderNo(0));
                self.push_details(head, RowKind::TierSet, part, Details::Tier { owner, tier }, out);
                Ok(())
            }
            Action::PlaceOrder(order) => self.place(head, order, out),
            Action::AmendOrder(amend) => self.amend(head, amend, out),
            Action::CancelOrder { market, owner, order } => self.cancel(head, *market, *owner, *order, out),
            Action::CancelAll { market, owner } => self.cancel_all(head, *market, *owner, out),
            Action::ExpireOrders { market, now } => self.expire(head, *market, *now, out),
        }
    }

    fn push_details(
        &mut self,
        head: &Head<'_>,
        kind: RowKind,
        part: OrderPart,
        details: Details,
        out: &mut Batch,
    ) {
        self.sequence += 1;
        let mut row = head.row(self.sequence, kind);
        (row.order, row.details) = (Some(part), Some(Box::new(details)));
        out.rows.push(row);
    }

    fn create_market(
        &mut self,
        head: &Head<'_>,
        id: MarketId,
        spec: &MarketSpec,
        out: &mut Batch,
    ) -> Result<(), Refusal> {
        if self.trading.find(id).is_some() {
            return Err(Refusal::MarketExists);
        }
        let resolved = spec.resolve()?;
        let base = self.ledger.open_account(Market::fees_key(spec.base));
        let quote = self.ledger.open_account(Market::fees_key(spec.quote));
        let market = Market::new(id, *spec, resolved, (base, quote), self.trading.sizes);
        self.trading.insert(market);
        let part = OrderPart {
            flags: OrderFlags::state(MarketState::Halted),
            ..OrderPart::new(id, ferrex_matching::OrderNo(0))
        };
        self.push_details(head, RowKind::MarketCreated, part, Details::Market(*spec), out);
        if let Some(row) = out.rows.last_mut() {
            (row.debit, row.credit) = (base.0, quote.0);
        }
        Ok(())
    }

    fn set_state(
        &mut self,
        head: &Head<'_>,
        id: MarketId,
        state: MarketState,
        out: &mut Batch,
    ) -> Result<(), Refusal> {
        let market = self.trading.get_mut(id)?;
        market.state = state;
        market.changed = true;
        self.sequence += 1;
        let mut row = head.row(self.sequence, RowKind::MarketSet);
        row.order = Some(OrderPart {
            flags: OrderFlags::state(state),
            ..OrderPart::new(id, ferrex_matching::OrderNo(0))
        });
        out.rows.push(row);
        if state == MarketState::Open {
            let desk = self.desk(head, id, out)?;
            let reference = desk.market.reference();
            desk.market.book.uncross(reference, desk.events);
            desk.settle(None);
        }
        Ok(())
    }

    fn place(&mut self, head: &Head<'_>, order: &PlaceOrder, out: &mut Batch) -> Result<(), Refusal> {
        let tier = self.trading.tier(order.owner);
        let market = self.trading.get_mut(order.market)?;
        let auction = market.admits(order)?;
        let mut place = market.measure(order, head.at())?;
        let seat = market.seat_of.get(&order.owner).copied();
        if let (Some(seat), Some(client)) = (seat, order.terms.client)
            && market.clients.contains_key(&(seat, client))
        {
            return Err(Refusal::ClientIdTaken);
        }
        if seat.is_some_and(|seat| market.book.open_count_of(seat) >= market.spec.open_orders_max) {
            return Err(Refusal::TooManyOpenOrders);
        }
        place.owner = market.sit(order.owner, tier);
        market.refresh(place.owner, &self.ledger);
        let need = market.hold_of(place.side, place.limit, place.lots, place.value);
        if self.ledger.available(market.payer(place.owner, place.side)) < need {
            return Err(Refusal::InsufficientAvailable);
        }
        // What is traded stays below 128 bits in all, so no credit can overflow from here on.
        if self.ledger.is_overissued(market.spec.base) || self.ledger.is_overissued(market.spec.quote) {
            return Err(Refusal::BalanceOverflow);
        }
        let desk = self.desk(head, order.market, out)?;
        desk.market.book.place(&place, auction, desk.events)?;
        desk.market.furnish(place.owner, desk.ledger);
        desk.settle(Some((&place, order.terms.client)));
        Ok(())
    }

    fn amend(&mut self, head: &Head<'_>, amend: &AmendOrder, out: &mut Batch) -> Result<(), Refusal> {
        let market = self.trading.get_mut(amend.market)?;
        let auction = match market.state {
            MarketState::Open => false,
            MarketState::Auction => true,
            MarketState::CancelOnly => return Err(Refusal::CancelOnly),
            MarketState::Halted => return Err(Refusal::Halted),
        };
        let slot = market
            .find(amend.owner, amend.order)
            .ok_or(Refusal::OrderUnknown)?;
        let open = market.book.view(slot);
        if open.waiting {
            return Err(Refusal::OrderWaits);
        }
        let limit = amend.price.map_or(Ok(open.limit), |price| market.ticks(price))?;
        let total = match amend.quantity {
            None => open.total,
            Some(quantity) => {
                let total = market.lots(quantity)?;
                if total > market.bounds.lots_max {
                    return Err(Refusal::TooLarge);
                }
                total
            }
        };
        if (limit, total) == (open.limit, open.total) {
            return Err(Refusal::NothingToDo);
        }
        let (low, high) = market.band(market.reference());
        if limit != open.limit && !(low..=high).contains(&limit) {
            return Err(Refusal::PriceOutsideBand);
        }
        let left = total.saturating_sub(open.total - open.left);
        let need = market.hold_of(open.side, limit, left, 0);
        let more = need.saturating_sub(market.extra(slot).held);
        if self.ledger.available(market.payer(open.owner, open.side)) < more {
            return Err(Refusal::InsufficientAvailable);
        }
        if self.ledger.is_overissued(market.spec.base) || self.ledger.is_overissued(market.spec.quote) {
            return Err(Refusal::BalanceOverflow);
        }
        let desk = self.desk(head, amend.market, out)?;
        desk.market.book.amend(slot, limit, total, auction, desk.events)?;
        desk.settle(None);
        Ok(())
    }

    fn cancel(
        &mut self,
        head: &Head<'_>,
        id: MarketId,
        owner: Uuid,
        order: OrderRef,
        out: &mut Batch,
    ) -> Result<(), Refusal> {
        let market = self.trading.get_mut(id)?;
        if market.state == MarketState::Halted {
            return Err(Refusal::Halted);
        }
        let slot = market.find(owner, order).ok_or(Refusal::OrderUnknown)?;
        let desk = self.desk(head, id, out)?;
        desk.market.book.cancel(slot, End::Cancelled, desk.events);
        desk.settle(None);
        Ok(())
    }

    fn cancel_all(
        &mut self,
        head: &Head<'_>,
        id: MarketId,
        owner: Uuid,
        out: &mut Batch,
    ) -> Result<(), Refusal> {
        let market = self.trading.get_mut(id)?;
        if market.state == MarketState::Halted {
            return Err(Refusal::Halted);
        }
        let seat = market.seat_of.get(&owner).copied();
        let seat = seat.filter(|seat| market.book.open_count_of(*seat) > 0);
        let seat = seat.ok_or(Refusal::NothingToDo)?;
        let desk = self.desk(head, id, out)?;
        desk.market.book.cancel_all(seat, desk.events);
        desk.settle(None);
        Ok(())
    }

    fn expire(
        &mut self,
        head: &Head<'_>,
        id: MarketId,
        now: Timestamp,
        out: &mut Batch,
    ) -> Result<(), Refusal> {
        let market = self.trading.get_mut(id)?;
        if !market.has_due(now) {
            return Err(Refusal::NothingToDo);
        }
        let cascades = market.state == MarketState::Open;
        let desk = self.desk(head, id, out)?;
        let book = &mut desk.market.book;
        book.expire(now.timestamp_micros(), EXPIRE_MAX, desk.events);
        if cascades {
            book.cascade(desk.events);
        }
        desk.settle(None);
        Ok(())
    }

    /// Whether [`Action::ExpireOrders`] would do anything at this time: orders have run out, or a cascade of stops was cut.
    pub fn has_due_orders(&self, market: MarketId, now: Timestamp) -> bool {
        self.trading
            .find(market)
            .is_some_and(|market| market.has_due(now))
    }

    fn desk<'a>(
        &'a mut self,
        head: &'a Head<'a>,
        id: MarketId,
        out: &'a mut Batch,
    ) -> Result<Desk<'a>, Refusal> {
        Desk::new(
            &mut self.ledger,
            &mut self.trading,
            &mut self.sequence,
            head,
            id,
            out,
        )
        .ok_or(Refusal::MarketUnknown)
    }
}

impl Market {
    fn has_due(&self, now: Timestamp) -> bool {
        self.book.has_expired(now.timestamp_micros())
            || self.state == MarketState::Open && self.book.has_triggered()
    }

    /// Refuses an order that the state does not admit; answers whether it joins an auction.
    fn admits(&self, order: &PlaceOrder) -> Result<bool, Refusal> {
        match self.state {
            MarketState::Open => Ok(false),
            MarketState::CancelOnly => Err(Refusal::CancelOnly),
            MarketState::Halted => Err(Refusal::Halted),
            MarketState::Auction => match order.kind {
                _ if order.terms.stop.is_some() => Ok(true),
                OrderKind::Limit { tif: Tif::Gtc, .. } => Ok(true),
                _ => Err(Refusal::NotInAuction),
            },
        }
    }

    pub(crate) fn ticks(&self, price: Amount) -> Result<Ticks, Refusal> {
        let ticks = steps(price.units(), self.spec.tick.units()).ok_or(Refusal::OffTick)?;
        match ticks {
            0 => Err(Refusal::OffTick),
            ticks if ticks > self.bounds.price_max => Err(Refusal::TooLarge),
            ticks => Ok(ticks),
        }
    }

    fn lots(&self, quantity: Amount) -> Result<Lots, Refusal> {
        steps(quantity.units(), self.spec.lot.units()).ok_or(Refusal::OffLot)
    }

    /// The order in ticks and lots, within the bounds of the market. The owner is still to be set.
    fn measure(&self, order: &PlaceOrder, at: Timestamp) -> Result<Place, Refusal> {
        let terms = &order.terms;
        let mut place = Place {
            owner: 0,
            side: order.side,
            limit: 0,
            lots: self.bounds.lots_max,
            value: 0,
            market: false,
            tif: Tif::Ioc,
            display: 0,
            stop: 0,
            expires_at: terms.expires_at.map_or(NEVER, |at| at.timestamp_micros()),
            self_trade: terms.self_trade,
        };
        let (price, quantity) = match order.kind {
            OrderKind::Limit { price, quantity, tif } => {
                place.tif = tif;
                (price, Some(quantity))
            }
            OrderKind::Market { quantity, protection } => (protection, Some(quantity)),
            OrderKind::MarketByValue { protection, .. } => (protection, None),
        };
        place.market = !matches!(order.kind, OrderKind::Limit { .. });
        place.limit = self.ticks(price)?;
        if let Some(stop) = terms.stop {
            place.stop = self.ticks(stop)?;
        }
        if let Some(quantity) = quantity {
            place.lots = self.lots(quantity)?;
            if place.lots < self.bounds.lots_min {
                return Err(Refusal::TooSmall);
            }
            if place.lots > self.bounds.lots_max {
                return Err(Refusal::TooLarge);
            }
        }
        if let Some(display) = terms.display {
            place.display = self.lots(display)?;
        }
        self.measure_value(order, &mut place)?;
        if terms.expires_at.is_some_and(|expires_at| expires_at <= at) {
            return Err(Refusal::ExpiryPast);
        }
        self.bind(&mut place)?;
        Ok(place)
    }

    fn measure_value(&self, order: &PlaceOrder, place: &mut Place) -> Result<(), Refusal> {
        let value = match order.kind {
            OrderKind::Market { .. } => return Ok(()),
            OrderKind::Limit { .. } => u128::from(place.limit) * u128::from(place.lots) * self.unit,
            OrderKind::MarketByValue { value, .. } => {
                place.value = value.units() / self.unit;
                if place.value > self.bounds.value_max {
                    return Err(Refusal::TooLarge);
                }
                if place.value == 0 {
                    return Err(Refusal::TooSmall);
                }
                value.units()
            }
        };
        if value < self.spec.value_min.units() {
            return Err(Refusal::TooSmall);
        }
        Ok(())
    }

    /// Keeps a price within the band around the last price, or of a stop around its stop price: a limit is refused, a
    /// protection price moved to the bound.
    fn bind(&self, place: &mut Place) -> Result<(), Refusal> {
        let around = if place.stop == 0 {
            self.reference()
        } else {
            place.stop
        };
        let (low, high) = self.band(around);
        if place.market {
            place.limit = match place.side {
                Side::Buy => place.limit.min(high),
                Side::Sell => place.limit.max(low),
            };
        } else if !(low..=high).contains(&place.limit) {
            return Err(Refusal::PriceOutsideBand);
        }
        Ok(())
    }
}
