//! What events of markets come to, by order and by market. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ferrex_contracts::engine::{MarketChange, MarketChanged, MarketState, TradeSide};
use ferrex_fault::{Fault, Kind};
use ferrex_money::Amount;
use ferrex_time::Timestamp;
use uuid::Uuid;

use crate::market::store::{Followed, Told as ToldMarket};
use crate::order::model::{end_word, side_word, tif_word};

/// Names an order as events do: its market and its number there.
pub(super) type Place = (u32, u64);

/// An order as the table has it before the events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub owner: Uuid,
    pub id: Uuid,
    pub is_open: bool,
}

/// What events say of an order. What they do not name stays as it is in the table.
#[derive(Debug)]
pub(super) struct Order<'e> {
    pub owner: Uuid,
    pub id: Uuid,
    /// How it was placed, if one of the events tells that.
    pub placed: Option<Placed<'e>>,
    pub price: Option<Amount>,
    pub quantity: Option<Amount>,
    pub status: Option<&'static str>,
    /// Whether a stop's price was reached: it is an order like any other from here on.
    pub is_triggered: bool,
    /// What trades add.
    pub filled: Amount,
    pub filled_value: Amount,
    pub fee: Amount,
    /// As the table has it.
    was_open: bool,
}

/// An order that was taken, with its price as it was then. Of a buy by value no quantity is told.
#[derive(Debug)]
pub(super) struct Placed<'e> {
    pub event: &'e MarketChanged,
    pub number: u64,
    pub side: &'static str,
    pub kind: &'static str,
    pub tif: &'static str,
    pub price: Amount,
    pub stop: Option<Amount>,
    pub expires_at: Option<Timestamp>,
}

/// A trade, `place` counting from 0 within its event.
#[derive(Debug)]
pub(super) struct Trade<'e> {
    pub event: &'e MarketChanged,
    pub place: i32,
    pub price: Amount,
    pub taker: Option<&'static str>,
    pub buy: &'e TradeSide,
    pub sell: &'e TradeSide,
    pub buy_order: Uuid,
    pub sell_order: Uuid,
}

/// What a batch of events comes to.
#[derive(Debug, Default)]
pub(super) struct Told<'e> {
    pub orders: Vec<Order<'e>>,
    pub trades: Vec<Trade<'e>>,
    pub markets: BTreeMap<u32, ToldMarket<'e>>,
    /// Where in `orders` an order is.
    places: HashMap<Place, usize>,
}

/// The events that were not applied yet, of markets that are known.
pub(super) fn fresh<'e>(
    markets: &BTreeMap<u32, Followed>,
    events: &'e [MarketChanged],
) -> Vec<&'e MarketChanged> {
    let mut applied: BTreeMap<u32, u64> = BTreeMap::new();
    let is_fresh = |event: &&MarketChanged| {
        let Some(market) = markets.get(&event.market) else {
            return false;
        };
        let applied = applied.entry(event.market).or_insert(market.sequence);
        let is_fresh = event.sequence > *applied;
        *applied = event.sequence.max(*applied);
        is_fresh
    };
    events.iter().filter(is_fresh).collect()
}

/// The orders that events say something of before they tell that they were placed: the table has them.
pub(super) fn mentioned(events: &[&MarketChanged]) -> BTreeSet<Place> {
    let (mut placed, mut mentioned) = (HashSet::new(), BTreeSet::new());
    for event in events {
        placed.extend(event.changes.iter().filter_map(|change| match change {
            MarketChange::Placed { order, .. } => Some((event.market, *order)),
            _ => None,
        }));
        for change in &event.changes {
            let orders = match change {
                MarketChange::Trade { buy, sell, .. } => [Some(buy.order), Some(sell.order)],
                MarketChange::Set { order, .. }
                | MarketChange::Ended { order, .. }
                | MarketChange::Lifted {
                    order,
                    triggered: true,
                } => [Some(*order), None],
                _ => [None, None],
            };
            let places = orders.into_iter().flatten().map(|order| (event.market, order));
            mentioned.extend(places.filter(|place| !placed.contains(place)));
        }
    }
    mentioned
}

/// Folds fresh events, given what the table has of the orders that they mention.
pub(super) fn fold<'e>(
    markets: &BTreeMap<u32, Followed>,
    events: &[&'e MarketChanged],
    known: HashMap<Place, Known>,
) -> Result<Told<'e>, Fault> {
    let mut told = Told::default();
    for (place, order) in known {
        told.places.insert(place, told.orders.len());
        told.orders.push(Order::new(order.owner, order.id, order.is_open));
    }
    for event in events {
        if let Some(market) = markets.get(&event.market) {
            told.event(event, market)?;
        }
    }
    Ok(told)
}

impl Order<'_> {
    const fn new(owner: Uuid, id: Uuid, was_open: bool) -> Self {
        Self {
            owner,
            id,
            placed: None,
            price: None,
            quantity: None,
            status: None,
            is_triggered: false,
            filled: Amount::ZERO,
            filled_value: Amount::ZERO,
            fee: Amount::ZERO,
            was_open,
        }
    }

    fn is_open(&self) -> bool {
        self.status.map_or(self.was_open, |status| status == "open")
    }
}

impl<'e> Told<'e> {
    fn event(&mut self, event: &'e MarketChanged, market: &Followed) -> Result<(), Fault> {
        // The order that comes is told after its trades, and they refer to it.
        for change in &event.changes {
            self.placed(event, change, market)?;
        }
        for (place, change) in (0..).zip(&event.changes) {
            match change {
                MarketChange::Trade { .. } => self.trade(event, place, change, market)?,
                MarketChange::Set {
                    order, price, lots, ..
                } => {
                    let price = amount(event, *price, market.terms.tick)?;
                    let quantity = amount(event, *lots, market.terms.lot)?;
                    if let Some(order) = self.order(event, *order) {
                        (order.price, order.quantity) = (Some(price), Some(quantity));
                        order.status = Some("open");
                    }
                }
                MarketChange::Ended { order, why } => {
                    if let Some(order) = self.order(event, *order) {
                        order.status = Some(end_word(*why));
                    }
                }
                MarketChange::Lifted {
                    order,
                    triggered: true,
                } => {
                    if let Some(order) = self.order(event, *order) {
                        order.is_triggered = true;
                    }
                }
                MarketChange::State { state } => self.market(event).state = Some(*state),
                MarketChange::Created { .. } => self.market(event).state = Some(MarketState::Halted),
                MarketChange::Fees { rates } => self.market(event).fees = Some(rates),
                // An amended order is set or ended by what follows.
                MarketChange::Placed { .. } | MarketChange::Lifted { .. } | MarketChange::Other => {}
            }
        }
        self.market(event).sequence = event.sequence;
        Ok(())
    }

    fn market(&mut self, event: &MarketChanged) -> &mut ToldMarket<'e> {
        self.markets.entry(event.market).or_default()
    }

    fn order(&mut self, event: &MarketChanged, number: u64) -> Option<&mut Order<'e>> {
        let place = self.places.get(&(event.market, number))?;
        self.orders.get_mut(*place)
    }

    fn placed(
        &mut self,
        event: &'e MarketChanged,
        change: &MarketChange,
        market: &Followed,
    ) -> Result<(), Fault> {
        let MarketChange::Placed {
            order,
            owner,
            side,
            price,
            lots,
            tif,
            by_market,
            by_value,
            stop,
            expires_at,
            end,
            ..
        } = change
        else {
            return Ok(());
        };
        let terms = &market.terms;
        let quantity = amount(event, *lots, terms.lot)?;
        let stop = amount(event, *stop, terms.tick)?;
        let mut row = Order::new(*owner, event.command.uuid(), false);
        // What met an order of the same person may have shrunk.
        row.quantity = (!by_value).then_some(quantity);
        row.status = Some(end.map_or("open", end_word));
        row.placed = Some(Placed {
            event,
            number: *order,
            side: side_word(*side),
            kind: if *by_market { "market" } else { "limit" },
            tif: tif_word(*tif),
            price: amount(event, *price, terms.tick)?,
            stop: (!stop.is_zero()).then_some(stop),
            expires_at: *expires_at,
        });
        self.places.insert((event.market, *order), self.orders.len());
        self.orders.push(row);
        Ok(())
    }

    fn trade(
        &mut self,
        event: &'e MarketChanged,
        place: i32,
        change: &'e MarketChange,
        market: &Followed,
    ) -> Result<(), Fault> {
        let MarketChange::Trade {
            price,
            taker,
            buy,
            sell,
            ..
        } = change
        else {
            return Ok(());
        };
        let price = amount(event, *price, market.terms.tick)?;
        let trade = Trade {
            event,
            place,
            price,
            taker: taker.map(side_word),
            buy,
            sell,
            buy_order: self.fill(event, buy, sell.pays, buy.pays)?,
            sell_order: self.fill(event, sell, sell.pays, buy.pays)?,
        };
        self.trades.push(trade);
        self.market(event).last_price = Some(price);
        Ok(())
    }

    /// Adds a trade to one of its orders; one with nothing left is filled. Answers the order's id.
    fn fill(
        &mut self,
        event: &MarketChanged,
        side: &TradeSide,
        quantity: Amount,
        value: Amount,
    ) -> Result<Uuid, Fault> {
        let Some(order) = self.order(event, side.order) else {
            let detail = format!(
                "order {} of market {} trades and was never placed",
                side.order, event.market
            );
            return Err(Fault::new(Kind::Internal, "payment.order.missing", detail));
        };
        for (sum, part) in [
            (&mut order.filled, quantity),
            (&mut order.filled_value, value),
            (&mut order.fee, side.fee),
        ] {
            *sum = sum.checked_add(part).ok_or_else(|| overflow(event))?;
        }
        if side.left == 0 && order.is_open() {
            order.status = Some("filled");
        }
        Ok(order.id)
    }
}

fn amount(event: &MarketChanged, steps: u64, step: Amount) -> Result<Amount, Fault> {
    let units = step.units().checked_mul(steps.into());
    units.map(Amount::new).ok_or_else(|| overflow(event))
}

fn overflow(event: &MarketChanged) -> Fault {
    let detail = format!("command {} tells more than 128 bits hold", event.command);
    Fault::new(Kind::Invalid, "payment.order.overflow", detail)
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
