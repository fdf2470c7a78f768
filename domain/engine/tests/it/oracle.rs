//! The oracle: the rules of markets written down a second time, slowly and plainly, on lists that are searched from one end
//! to the other. It shares with the product the types of commands and refusals, and nothing else.

use std::collections::BTreeMap;

use ferrex_engine_core::{
    Action, AmendOrder, Command, FeeRate, MarketSpec, MarketState, OrderRef, PlaceOrder, Refusal, SelfTrade,
    Side, Step, Tif,
};
use ferrex_ledger::{Account, Owner};
use uuid::Uuid;

use crate::oracle_checks::{in_band, measure, reference, refuse, shape, ticks};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    pub market: u32,
    pub price: u64,
    pub lots: u64,
    pub buy_order: u64,
    pub sell_order: u64,
    pub buyer_fee: u128,
    pub seller_fee: u128,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub number: u64,
    pub owner: Uuid,
    pub side: Side,
    pub limit: u64,
    pub total: u64,
    pub left: u64,
    pub shown: u64,
    pub display: u64,
    /// Of a buy by value, what it may spend in ticks × lots.
    pub value: Option<u128>,
    pub market: bool,
    pub tif: Tif,
    pub stop: u64,
    pub waiting: bool,
    pub expires_at: i64,
    pub self_trade: SelfTrade,
    pub client: Option<Uuid>,
    /// Its place in time.
    pub time: u64,
}

#[derive(Clone, Debug)]
pub struct Market {
    pub id: u32,
    pub spec: MarketSpec,
    pub state: MarketState,
    pub unit: u128,
    pub lot: u128,
    pub last: u64,
    pub numbers: u64,
    pub time: u64,
    pub fees: Vec<FeeRate>,
    pub orders: Vec<Order>,
}

#[derive(Default)]
pub struct Oracle {
    /// What each has in all, by person (nil: the house's fees) and asset.
    pub totals: BTreeMap<(Uuid, u32), u128>,
    pub markets: BTreeMap<u32, Market>,
    pub tiers: BTreeMap<Uuid, u8>,
    pub trades: Vec<Trade>,
}

/// What an open order has set aside, and of which asset.
pub fn hold(market: &Market, order: &Order) -> (u32, u128) {
    match (order.side, order.value) {
        (Side::Buy, Some(value)) => (market.spec.quote.0, value * market.unit),
        (Side::Buy, None) => (
            market.spec.quote.0,
            u128::from(order.limit) * u128::from(order.left) * market.unit,
        ),
        (Side::Sell, _) => (market.spec.base.0, u128::from(order.left) * market.lot),
    }
}

impl Oracle {
    pub fn total(&self, who: Uuid, asset: u32) -> u128 {
        self.totals.get(&(who, asset)).copied().unwrap_or(0)
    }

    pub fn held(&self, who: Uuid, asset: u32) -> u128 {
        let orders = self
            .markets
            .values()
            .flat_map(|market| market.orders.iter().map(move |order| (market, order)));
        orders
            .filter(|(_, order)| order.owner == who)
            .map(|(market, order)| hold(market, order))
            .filter(|(of, _)| *of == asset)
            .map(|(_, amount)| amount)
            .sum()
    }

    pub fn available(&self, who: Uuid, asset: u32) -> u128 {
        self.total(who, asset) - self.held(who, asset)
    }

    /// Decides a command. Its trades stand in `trades`.
    pub fn apply(&mut self, command: &Command) -> Result<(), Refusal> {
        self.trades.clear();
        match &command.action {
            Action::Transfer(steps) => self.deposit(steps),
            Action::CreateMarket { market, spec } => self.create(market.0, *spec),
            Action::SetMarketState { market, state } => {
                self.market(market.0)?.state = *state;
                if *state == MarketState::Open {
                    self.uncross(market.0);
                    self.cascade(market.0);
                }
                Ok(())
            }
            Action::SetFees { market, rates } => {
                if rates
                    .iter()
                    .any(|rate| rate.maker_ppm > 1_000_000 || rate.taker_ppm > 1_000_000)
                {
                    return Err(Refusal::FeeRates);
                }
                self.market(market.0)?.fees.clone_from(rates);
                Ok(())
            }
            Action::SetFeeTier { owner, tier } => {
                self.tiers.insert(*owner, *tier);
                Ok(())
            }
            Action::PlaceOrder(order) => self.place(order, command.at.timestamp_micros()),
            Action::AmendOrder(amend) => self.amend(amend),
            Action::CancelOrder { market, owner, order } => {
                let book = self.market(market.0)?;
                if book.state == MarketState::Halted {
                    return Err(Refusal::Halted);
                }
                let place = find(book, *owner, *order).ok_or(Refusal::OrderUnknown)?;
                book.orders.remove(place);
                Ok(())
            }
            Action::CancelAll { market, owner } => {
                let book = self.market(market.0)?;
                if book.state == MarketState::Halted {
                    return Err(Refusal::Halted);
                }
                let before = book.orders.len();
                book.orders.retain(|order| order.owner != *owner);
                if book.orders.len() == before {
                    return Err(Refusal::NothingToDo);
                }
                Ok(())
            }
            Action::ExpireOrders { market, now } => {
                let now = now.timestamp_micros();
                let book = self.market(market.0)?;
                let open = book.state == MarketState::Open;
                let due = book.orders.iter().any(|order| order.expires_at <= now);
                let goes_on = open && triggered(book).is_some();
                if !due && !goes_on {
                    return Err(Refusal::NothingToDo);
                }
                book.orders.retain(|order| order.expires_at > now);
                if open {
                    self.cascade(market.0);
                }
                Ok(())
            }
        }
    }

    pub fn market(&mut self, id: u32) -> Result<&mut Market, Refusal> {
        self.markets.get_mut(&id).ok_or(Refusal::MarketUnknown)
    }

    /// The only transfers of these tests: deposits to people, and payments from one to another.
    fn deposit(&mut self, steps: &[Step]) -> Result<(), Refusal> {
        let person = |account: &Account| match account.owner {
            Owner::User(user) => Some(user),
            Owner::House => None,
        };
        for step in steps {
            let Step::Move {
                debit,
                credit,
                asset,
                amount,
            } = step
            else {
                panic!("the oracle knows moves only")
            };
            if let Some(from) = person(debit) {
                if self.available(from, asset.0) < amount.units() {
                    return Err(Refusal::InsufficientAvailable);
                }
                *self.totals.entry((from, asset.0)).or_default() -= amount.units();
            }
            let to = person(credit).expect("credits go to people");
            *self.totals.entry((to, asset.0)).or_default() += amount.units();
        }
        Ok(())
    }

    fn create(&mut self, id: u32, spec: MarketSpec) -> Result<(), Refusal> {
        let product = spec.tick.units() * spec.lot.units();
        if !product.is_multiple_of(spec.per.units()) {
            return Err(Refusal::TickOfLot);
        }
        if self.markets.contains_key(&id) {
            return Err(Refusal::MarketExists);
        }
        let market = Market {
            id,
            spec,
            state: MarketState::Halted,
            unit: product / spec.per.units(),
            lot: spec.lot.units(),
            last: 0,
            numbers: 0,
            time: 0,
            fees: Vec::new(),
            orders: Vec::new(),
        };
        self.markets.insert(id, market);
        Ok(())
    }

    fn place(&mut self, wish: &PlaceOrder, now: i64) -> Result<(), Refusal> {
        let order = shape(wish)?;
        let market = self.market(wish.market.0)?;
        let auction = market.state == MarketState::Auction;
        match market.state {
            MarketState::Halted => return Err(Refusal::Halted),
            MarketState::CancelOnly => return Err(Refusal::CancelOnly),
            MarketState::Auction if wish.terms.stop.is_none() && (order.market || order.tif != Tif::Gtc) => {
                return Err(Refusal::NotInAuction);
            }
            MarketState::Open | MarketState::Auction => {}
        }
        let mut order = measure(market, wish, order, now)?;
        let mine = || market.orders.iter().filter(|other| other.owner == wish.owner);
        if order.client.is_some() && mine().any(|other| other.client == order.client) {
            return Err(Refusal::ClientIdTaken);
        }
        if mine().count() >= market.spec.open_orders_max as usize {
            return Err(Refusal::TooManyOpenOrders);
        }
        let (asset, need) = hold(market, &order);
        if self.available(wish.owner, asset) < need {
            return Err(Refusal::InsufficientAvailable);
        }
        let market = self.market(wish.market.0)?;
        if order.stop == 0 {
            refuse(market, &order, auction)?;
        }
        market.numbers += 1;
        order.number = market.numbers;
        if order.stop > 0 || auction {
            rest(market, order);
        } else {
            self.take(wish.market.0, order, true);
        }
        if !auction {
            self.cascade(wish.market.0);
        }
        Ok(())
    }

    fn amend(&mut self, amend: &AmendOrder) -> Result<(), Refusal> {
        let market = self.market(amend.market.0)?;
        let auction = market.state == MarketState::Auction;
        match market.state {
            MarketState::Halted => return Err(Refusal::Halted),
            MarketState::CancelOnly => return Err(Refusal::CancelOnly),
            MarketState::Open | MarketState::Auction => {}
        }
        let place = find(market, amend.owner, amend.order).ok_or(Refusal::OrderUnknown)?;
        let old = market.orders[place].clone();
        if old.waiting {
            return Err(Refusal::OrderWaits);
        }
        let mut order = old.clone();
        if let Some(price) = amend.price {
            order.limit = ticks(market, price.units())?;
        }
        if let Some(quantity) = amend.quantity {
            if !quantity.units().is_multiple_of(market.lot) {
                return Err(Refusal::OffLot);
            }
            let lots = quantity.units() / market.lot;
            if lots > market.spec.quantity_max.units() / market.lot {
                return Err(Refusal::TooLarge);
            }
            order.total = u64::try_from(lots).unwrap();
        }
        if (order.limit, order.total) == (old.limit, old.total) {
            return Err(Refusal::NothingToDo);
        }
        if order.limit != old.limit && !in_band(market, order.limit, reference(market)) {
            return Err(Refusal::PriceOutsideBand);
        }
        order.left = order.total.saturating_sub(old.total - old.left);
        let ((asset, need), (_, had)) = (hold(market, &order), hold(market, &old));
        if self.available(amend.owner, asset) + had < need {
            return Err(Refusal::InsufficientAvailable);
        }
        let market = self.market(amend.market.0)?;
        if order.left == 0 {
            market.orders.remove(place);
        } else if order.limit == old.limit && order.left <= old.left {
            // What is hidden goes first.
            order.shown = old.shown.min(order.left);
            market.orders[place] = order;
        } else {
            refuse(market, &order, auction)?;
            market.orders.remove(place);
            if auction {
                rest(market, order);
            } else {
                self.take(amend.market.0, order, false);
                self.cascade(amend.market.0);
            }
        }
        Ok(())
    }
}

fn find(market: &Market, owner: Uuid, order: OrderRef) -> Option<usize> {
    market.orders.iter().position(|other| {
        other.owner == owner
            && match order {
                OrderRef::Number(number) => other.number == number,
                OrderRef::Client(client) => other.client == Some(client),
            }
    })
}

/// Whether two limits reach each other.
pub fn meets(side: Side, limit: u64, price: u64) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// The resting orders of the other side that an order reaches, in the order in which it would trade with them.
pub fn queue(market: &Market, side: Side, limit: u64) -> Vec<usize> {
    let mut found: Vec<usize> = (0..market.orders.len())
        .filter(|place| {
            let other = &market.orders[*place];
            !other.waiting && other.side != side && meets(side, limit, other.limit)
        })
        .collect();
    found.sort_by_key(|place| {
        let other = &market.orders[*place];
        let price = if side == Side::Buy {
            other.limit
        } else {
            u64::MAX - other.limit
        };
        (price, other.time)
    });
    found
}

/// Puts an order at the end of the queue.
pub fn rest(market: &mut Market, mut order: Order) {
    market.time += 1;
    order.time = market.time;
    order.shown = if order.display > 0 && !order.waiting {
        order.left.min(order.display)
    } else {
        order.left
    };
    market.orders.push(order);
}

/// The stop that is triggered next.
pub fn triggered(market: &Market) -> Option<usize> {
    if market.last == 0 {
        return None;
    }
    let waiting = |side| {
        let orders = market.orders.iter().enumerate();
        orders.filter(move |(_, order)| order.waiting && order.side == side)
    };
    let buy = waiting(Side::Buy)
        .filter(|(_, order)| order.stop <= market.last)
        .min_by_key(|(_, order)| (order.stop, order.time));
    let sell = waiting(Side::Sell)
        .filter(|(_, order)| order.stop >= market.last)
        .min_by_key(|(_, order)| (u64::MAX - order.stop, order.time));
    buy.or(sell).map(|(place, _)| place)
}
