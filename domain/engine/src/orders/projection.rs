//! Markets and open orders as the projection keeps them, and the way back from it.

use ferrex_ledger::AccountId;
use ferrex_matching::{NEVER, Open, OrderNo, Sizes, Ticks};
use ferrex_time::{Timestamp, from_micros};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::market::Market;
use super::{FeeRate, MarketId, MarketSpec, MarketState};
use crate::{Engine, ReplayError, Restore};

/// A market as the projection keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketView {
    /// Its number.
    pub id: MarketId,
    /// What it trades.
    pub spec: MarketSpec,
    /// What may happen in it.
    pub state: MarketState,
    /// Fees by tier.
    pub fees: Vec<FeeRate>,
    /// Price of the last trade in ticks; 0 before the first.
    pub last_price: Ticks,
    /// The last number that an order was given; 0 before the first.
    pub last_order: OrderNo,
}

/// An open order as the projection keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// Its market.
    pub market: MarketId,
    /// The person.
    pub owner: Uuid,
    /// The order in ticks and lots; its `owner` numbers people within this process and is not to be stored.
    pub open: Open,
    /// What it has set aside.
    pub held: u128,
    /// The account it is set aside of.
    pub account: AccountId,
    /// The caller's own name.
    pub client: Option<Uuid>,
}

impl OrderState {
    /// From when on it may expire.
    pub fn expires_at(&self) -> Option<Timestamp> {
        (self.open.expires_at != NEVER).then(|| from_micros(self.open.expires_at))
    }

    /// What it adds to the hash of a state, in the order of the queues.
    pub(crate) fn hash(&self, hash: &mut Sha256) {
        let open = &self.open;
        hash.update([0xfd]);
        for number in [
            open.order.0,
            open.limit,
            open.total,
            open.left,
            open.shown,
            open.display,
            open.stop,
            u64::from(open.waiting),
            open.expires_at.cast_unsigned(),
        ] {
            hash.update(number.to_le_bytes());
        }
        hash.update([
            open.side.code(),
            open.self_trade.code(),
            open.tif.code(),
            u8::from(open.market),
        ]);
        hash.update(open.value.to_le_bytes());
        hash.update(self.owner.as_bytes());
        hash.update(self.account.0.to_le_bytes());
        hash.update(self.held.to_le_bytes());
        hash.update(self.client.unwrap_or_default().as_bytes());
    }
}

impl MarketView {
    /// What it adds to the hash of a state, before its orders.
    pub(crate) fn hash(&self, hash: &mut Sha256) {
        hash.update([0xfe]);
        hash.update(self.id.0.to_le_bytes());
        hash.update([self.state.code()]);
        hash.update(self.last_price.to_le_bytes());
        hash.update(self.last_order.0.to_le_bytes());
        let mut spec = Vec::new();
        super::fingerprint::encode_spec(&self.spec, &mut spec);
        hash.update(&spec);
        for rate in &self.fees {
            hash.update(rate.maker_ppm.to_le_bytes());
            hash.update(rate.taker_ppm.to_le_bytes());
        }
    }
}

/// What has changed in markets and orders since the last drain, with its present values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderChanges {
    /// Markets.
    pub markets: Vec<MarketView>,
    /// Orders that are open.
    pub open: Vec<OrderState>,
    /// Orders that are not; some of them may never have been drained as open.
    pub closed: Vec<(MarketId, OrderNo)>,
    /// Tiers of people, 0 included.
    pub tiers: Vec<(Uuid, u8)>,
}

impl OrderChanges {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.markets.is_empty() && self.open.is_empty() && self.closed.is_empty() && self.tiers.is_empty()
    }
}

impl Market {
    fn view(&self) -> MarketView {
        MarketView {
            id: self.id,
            spec: self.spec,
            state: self.state,
            fees: self.fees.clone(),
            last_price: self.book.last_price(),
            last_order: self.book.last_order(),
        }
    }

    fn state_of(&self, slot: u32) -> OrderState {
        let (open, extra) = (self.book.view(slot), self.extra(slot));
        OrderState {
            market: self.id,
            owner: self.seats[open.owner as usize].owner,
            open,
            held: extra.held,
            account: self.payer(open.owner, open.side),
            client: extra.client,
        }
    }

    /// Open orders, the longest in place first.
    fn states(&self) -> impl Iterator<Item = OrderState> {
        let open = self.book.open_orders().into_iter();
        open.filter_map(|open| self.book.find(open.order).map(|slot| self.state_of(slot)))
    }
}

impl Engine {
    /// Sets how much memory the books of markets set aside that are created or restored from here on.
    pub const fn set_book_sizes(&mut self, sizes: Sizes) {
        self.trading.sizes = sizes;
    }

    /// All markets by number.
    pub fn markets(&self) -> Vec<MarketView> {
        self.trading.markets().map(Market::view).collect()
    }

    /// All open orders of a market, the longest in place first.
    pub fn open_orders(&self, market: MarketId) -> Vec<OrderState> {
        let states = |market: &Market| market.states().collect();
        self.trading.find(market).map(states).unwrap_or_default()
    }

    /// The open orders of a person in a market, the oldest first.
    pub fn orders_of(&self, market: MarketId, owner: Uuid) -> Vec<OrderState> {
        let Some(market) = self.trading.find(market) else {
            return Vec::new();
        };
        let Some(seat) = market.seat_of.get(&owner) else {
            return Vec::new();
        };
        let orders = market.book.orders_of(*seat);
        orders.map(|(slot, _)| market.state_of(slot)).collect()
    }

    /// The book of a market, to read.
    pub fn book(&self, market: MarketId) -> Option<&ferrex_matching::Book> {
        self.trading.find(market).map(|market| &market.book)
    }

    /// What has changed in markets and orders since the last call, for the projection.
    pub fn drain_order_changes(&mut self) -> OrderChanges {
        let mut changes = OrderChanges::default();
        for market in self.trading.markets_mut() {
            let orders = market.book.drain_changes();
            if std::mem::take(&mut market.changed) {
                changes.markets.push(market.view());
            }
            for order in orders {
                match market.book.find(order) {
                    Some(slot) => changes.open.push(market.state_of(slot)),
                    None => changes.closed.push((market.id, order)),
                }
            }
        }
        for owner in std::mem::take(&mut self.trading.tiers_changed) {
            changes.tiers.push((owner, self.trading.tier(owner)));
        }
        changes
    }

    /// Counts drained changes as changed again, because nobody stored them.
    pub fn mark_orders_changed(&mut self, changes: &OrderChanges) {
        for market in &changes.markets {
            if let Some(market) = self.trading.find_mut(market.id) {
                market.changed = true;
            }
        }
        let open = changes.open.iter().map(|state| (state.market, state.open.order));
        for (market, order) in open.chain(changes.closed.iter().copied()) {
            if let Some(market) = self.trading.find_mut(market) {
                market.book.mark_changed(order);
            }
        }
        self.trading
            .tiers_changed
            .extend(changes.tiers.iter().map(|(owner, _)| *owner));
    }

    /// What orders have set aside, by account.
    pub(crate) fn held_by_orders(&self) -> impl Iterator<Item = (AccountId, u128)> {
        let markets = self.trading.markets();
        markets.flat_map(|market| market.states().map(|state| (state.account, state.held)))
    }
}

impl Restore {
    /// As [`Engine::set_book_sizes`].
    pub const fn set_book_sizes(&mut self, sizes: Sizes) {
        self.engine.set_book_sizes(sizes);
    }

    /// Sets the tier of a person; before their orders.
    pub fn fee_tier(&mut self, owner: Uuid, tier: u8) {
        self.engine.trading.set_tier(owner, tier);
    }

    /// Adds a market, after the accounts.
    pub fn market(&mut self, view: &MarketView) -> Result<(), ReplayError> {
        let damaged = ReplayError::ProjectedMarket(view.id);
        let engine = &mut self.engine;
        let fees = |asset| engine.ledger.find_account(&Market::fees_key(asset));
        let (Some(base), Some(quote), Ok(resolved)) =
            (fees(view.spec.base), fees(view.spec.quote), view.spec.resolve())
        else {
            return Err(damaged);
        };
        if engine.trading.find(view.id).is_some() || view.id.0 > MarketId::MAX {
            return Err(damaged);
        }
        let mut market = Market::new(view.id, view.spec, resolved, (base, quote), engine.trading.sizes);
        market.state = view.state;
        market.fees.clone_from(&view.fees);
        market.book.replay_last(view.last_price);
        engine.trading.insert(market);
        self.last_orders.insert(view.id, view.last_order);
        Ok(())
    }

    /// Adds an open order, after its market; of one market they come by their numbers. `open.owner` is not read.
    pub fn order(&mut self, state: &OrderState) -> Result<(), ReplayError> {
        let tier = self.engine.trading.tier(state.owner);
        let damaged = ReplayError::ProjectedMarket(state.market);
        let market = self.engine.trading.find_mut(state.market).ok_or(damaged)?;
        let seat = market.sit(state.owner, tier);
        market.refresh(seat, &self.engine.ledger);
        if state
            .client
            .is_some_and(|client| market.clients.contains_key(&(seat, client)))
        {
            return Err(ReplayError::ProjectedMarket(state.market));
        }
        let open = Open {
            owner: seat,
            ..state.open
        };
        let restored = market.book.restore(&open);
        let slot = restored.map_err(|source| ReplayError::ProjectedOrder(state.market, source))?;
        if market.payer(seat, open.side) != state.account {
            return Err(ReplayError::ProjectedMarket(state.market));
        }
        market.admit(slot, seat, open.order, state.held, state.client);
        Ok(())
    }

    /// Puts the restored orders into their queues and the numbers where they were.
    pub(crate) fn finish_markets(&mut self) -> Result<(), ReplayError> {
        for market in self.engine.trading.markets_mut() {
            market.book.restore_queues();
            if let Some(order) = self.last_orders.get(&market.id) {
                let counted = market.book.replay_number(*order);
                counted.map_err(|source| ReplayError::ProjectedOrder(market.id, source))?;
            }
        }
        Ok(())
    }
}
