//! An engine under test with a second one that only replays its rows, and a bookkeeper that reads the rows alone.

use std::collections::{BTreeMap, HashMap};

use ferrex_engine_core::{
    AccountBlock, AccountRow, Action, Batch, Command, Engine, JournalRow, MarketId, MarketSpec, MarketState,
    MarketView, OrderChanges, OrderKind, OrderRef, OrderReport, OrderState, Outcome, PlaceOrder, Reason,
    Refusal, ReplayError, Restore, RowKind, Side, Sizes, Step, Terms, Tif,
};
use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{Account, AccountKey, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::from_micros;
use uuid::Uuid;

pub const BASE: u32 = 1;
pub const QUOTE: u32 = 2;
pub const OTHER: u32 = 3;
pub const MARKET: MarketId = MarketId(1);
/// Books so small that their arrays grow and turn often.
pub const SIZES: Sizes = Sizes {
    window_bits: 6,
    ring_bits: 6,
};

/// How many random commands are played: a million, or `FERREX_ORDERS`.
pub fn orders() -> u64 {
    std::env::var("FERREX_ORDERS").map_or(1_000_000, |count| count.parse().unwrap())
}

/// What `usual` becomes with as many commands as are played.
pub fn scaled(usual: u64) -> u64 {
    (usual * orders()).div_ceil(1_000_000)
}

pub fn user(number: u128) -> Uuid {
    Uuid::from_u128(0x7000 + number)
}

/// A market in which one lot is 10 units, one tick 5 units for 10, so a lot at a tick costs 5.
pub fn spec() -> MarketSpec {
    MarketSpec {
        base: AssetId(BASE),
        quote: AssetId(QUOTE),
        per: Amount::new(10),
        tick: Amount::new(5),
        lot: Amount::new(10),
        price_max: Amount::new(5 * 5_000),
        quantity_min: Amount::new(10),
        quantity_max: Amount::new(10 * 100_000),
        value_min: Amount::new(1),
        band_ppm: 0,
        open_orders_max: 2_000,
        reference_price: None,
    }
}

/// Recomputes every balance and hold from rows, as an audit does: it knows accounts, what they have and hold, and what
/// each order has set aside, and nothing of books.
#[derive(Default)]
pub struct Bookkeeper {
    pub keys: HashMap<u32, AccountKey>,
    totals: HashMap<u32, i128>,
    held: HashMap<u32, i128>,
    orders: HashMap<(u32, u64), (u32, i128)>,
    /// Holds that were made, with their account and what is left.
    holds: HashMap<HoldId, (u32, i128)>,
    /// Side and limit of orders that were placed.
    limits: HashMap<(u32, u64), (Side, u64)>,
    /// Prices at which orders traded that came with the present command.
    taken: Vec<((u32, u64), u64)>,
}

/// What the tables of a projection would have.
#[derive(Default)]
pub struct Projection {
    accounts: Vec<AccountRow>,
    balances: HashMap<u32, (u128, u128)>,
    markets: BTreeMap<u32, MarketView>,
    orders: BTreeMap<(u32, u64), OrderState>,
    tiers: BTreeMap<Uuid, u8>,
}

impl Bookkeeper {
    pub fn row(&mut self, row: &JournalRow) {
        let amount = i128::try_from(row.amount).unwrap();
        let order = row.order.map(|part| (part.market.0, part.order.0));
        self.no_worse_than_the_limit(row);
        match row.kind {
            RowKind::Move => self.shift(row.debit, row.credit, amount),
            RowKind::Reserve => {
                assert!(
                    self.holds
                        .insert(row.hold.unwrap(), (row.debit, amount))
                        .is_none()
                );
                *self.held.entry(row.debit).or_default() += amount;
            }
            RowKind::Post => {
                self.lower_hold(row, amount);
                self.shift(row.debit, row.credit, amount);
            }
            RowKind::Void | RowKind::Expire => {
                self.lower_hold(row, amount);
                assert_eq!(self.holds[&row.hold.unwrap()].1, 0, "{row:?}");
            }
            RowKind::Trade => {
                let part = row.order.unwrap();
                if part.flags.is_maker() {
                    let held = &mut self.orders.get_mut(&order.unwrap()).unwrap().1;
                    *held -= amount;
                    assert!(*held >= 0, "{row:?}");
                    *self.held.get_mut(&row.debit).unwrap() -= amount;
                }
                self.shift(row.debit, row.credit, amount);
                let fee = i128::try_from(part.fee).unwrap();
                assert!(fee <= amount, "{row:?}");
                let fees = AccountKey {
                    account: Account::house(Purpose::Fees),
                    asset: AssetId(row.asset),
                };
                let fees = *self.keys.iter().find(|(_, key)| **key == fees).unwrap().0;
                self.shift(row.credit, fees, fee);
            }
            RowKind::OrderPlaced | RowKind::OrderSet => {
                let before = self.orders.insert(order.unwrap(), (row.debit, amount));
                *self.held.entry(row.debit).or_default() += amount - before.map_or(0, |(_, held)| held);
            }
            RowKind::OrderLifted | RowKind::OrderEnded => {
                let (account, held) = self.orders.insert(order.unwrap(), (row.debit, 0)).unwrap();
                assert_eq!((account, held), (row.debit, amount), "{row:?}");
                *self.held.get_mut(&account).unwrap() -= amount;
            }
            RowKind::Refused => assert_eq!((row.debit, row.credit, row.amount), (0, 0, 0)),
            _ => assert_eq!(row.amount, 0),
        }
        for account in [row.debit, row.credit] {
            let (total, held) = self.of(account);
            assert!(
                held >= 0 && (total >= held || account == 0),
                "account {account} has {total}, {held} held after {row:?}"
            );
        }
    }

    /// Nobody trades at a worse price than their limit, who rested or who came.
    fn no_worse_than_the_limit(&mut self, row: &JournalRow) {
        let Some(part) = row.order else { return };
        let order = (part.market.0, part.order.0);
        let keeps = |(side, limit): (Side, u64), price: u64| match side {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        };
        match row.kind {
            RowKind::Trade if part.flags.is_maker() => {
                assert!(keeps(self.limits[&order], part.price), "{row:?}");
            }
            RowKind::Trade => self.taken.push((order, part.price)),
            RowKind::OrderPlaced | RowKind::OrderSet => {
                let side = match self.limits.get(&order) {
                    Some((side, _)) => *side,
                    None => part.flags.side(),
                };
                self.limits.insert(order, (side, part.price));
                for (taker, price) in &self.taken {
                    assert!(*taker != order || keeps((side, part.price), *price), "{row:?}");
                }
            }
            _ => {}
        }
        if row.last {
            self.taken.clear();
        }
    }

    fn lower_hold(&mut self, row: &JournalRow, amount: i128) {
        let (account, left) = self.holds.get_mut(&row.hold.unwrap()).unwrap();
        *left -= amount;
        assert!(*account == row.debit && *left >= 0, "{row:?}");
        *self.held.get_mut(&row.debit).unwrap() -= amount;
    }

    fn shift(&mut self, debit: u32, credit: u32, amount: i128) {
        let debit_normal = |keys: &HashMap<u32, AccountKey>, account| {
            keys[&account].account.purpose == Purpose::DepositAddresses
        };
        let sign = if debit_normal(&self.keys, debit) { 1 } else { -1 };
        *self.totals.entry(debit).or_default() += sign * amount;
        assert!(!debit_normal(&self.keys, credit));
        *self.totals.entry(credit).or_default() += amount;
    }

    pub fn of(&self, account: u32) -> (i128, i128) {
        let of = |map: &HashMap<u32, i128>| map.get(&account).copied().unwrap_or(0);
        (of(&self.totals), of(&self.held))
    }

    /// All that open orders have set aside.
    pub fn open_orders(&self) -> usize {
        self.orders.values().filter(|(_, held)| *held > 0).count()
    }
}

pub struct Desk {
    pub engine: Engine,
    pub replica: Engine,
    pub keeper: Bookkeeper,
    pub batch: Batch,
    /// The last command.
    pub decided: Option<Command>,
    pub projection: Projection,
    sizes: Sizes,
    pub next: u128,
    pub now: i64,
}

impl Desk {
    pub fn new(sizes: Sizes) -> Self {
        let engine = || {
            let mut engine = Engine::new(0);
            engine.set_book_sizes(sizes);
            engine
        };
        Self {
            engine: engine(),
            replica: engine(),
            keeper: Bookkeeper::default(),
            batch: Batch::default(),
            decided: None,
            projection: Projection::default(),
            sizes,
            next: 0,
            now: 1_000,
        }
    }

    /// With a market that is open, and two assets for everybody from 0 to `people`.
    pub fn open(people: u128, funds: u128) -> Self {
        let mut desk = Self::new(SIZES);
        desk.must(Action::CreateMarket {
            market: MARKET,
            spec: spec(),
        });
        desk.must(Action::SetMarketState {
            market: MARKET,
            state: MarketState::Open,
        });
        for person in 0..people {
            desk.must(deposit(user(person), BASE, funds));
            desk.must(deposit(user(person), QUOTE, funds));
        }
        desk
    }

    pub fn command(&mut self, action: Action) -> Command {
        self.next += 1;
        self.now += 1;
        Command {
            id: CommandId::from_uuid(Uuid::from_u128(self.next)),
            at: from_micros(self.now),
            reason: Reason::Trading,
            reference: Uuid::from_u128(self.next),
            action,
        }
    }

    /// Decides a command; its rows stay in `batch` and have gone to the replica and the bookkeeper.
    pub fn apply(&mut self, command: &Command) -> Result<(), Refusal> {
        self.batch.clear();
        self.decided = Some(command.clone());
        let outcome = self.engine.apply(command, &mut self.batch);
        for account in &self.batch.accounts {
            self.replica.replay_account(account).unwrap();
            self.keeper.keys.insert(account.id, account.key);
            self.projection.accounts.push(*account);
        }
        for row in &self.batch.rows {
            self.replica
                .replay(row)
                .unwrap_or_else(|error| panic!("{error:?}: {row:?}"));
            self.keeper.row(row);
        }
        match outcome {
            Outcome::Applied { sequence } => {
                assert_eq!(sequence, self.batch.rows.last().unwrap().id);
                // All orders of a short story, some of a long one, since looking for one goes through the book.
                if let Action::PlaceOrder(order) = &command.action
                    && (self.next < 200 || self.next.is_multiple_of(50))
                {
                    self.check_report(order);
                }
                Ok(())
            }
            Outcome::Refused { refusal, .. } => {
                assert_eq!(
                    self.batch.rows.len(),
                    usize::from(refusal.is_remembered()),
                    "{refusal:?}"
                );
                Err(refusal)
            }
        }
    }

    /// What is told of an order is what its trades, pair by pair, and the book say.
    fn check_report(&self, order: &PlaceOrder) {
        let rows = &self.batch.rows;
        let told = OrderReport::read(rows).expect("the command has placed an order");
        let part = |row: &JournalRow| row.order.expect("it is about an order");
        let placed = rows.iter().find(|row| row.kind == RowKind::OrderPlaced).unwrap();
        let number = part(placed).order;
        let legs: Vec<&JournalRow> = rows.iter().filter(|row| row.kind == RowKind::Trade).collect();
        let (mut filled, mut value, mut fee) = (0, 0, 0);
        for pair in legs.chunks(2) {
            let [quote, base] = pair else {
                panic!("a trade has two legs")
            };
            if part(quote).order != number && part(base).order != number {
                continue;
            }
            filled += base.amount;
            value += quote.amount;
            // Each leg has the fee of whom it pays.
            fee += part(if part(quote).order == number { base } else { quote }).fee;
        }
        let sums = (told.filled, told.value, told.fee);
        assert_eq!(sums, (Amount::new(filled), Amount::new(value), Amount::new(fee)));
        let orders = self.engine.open_orders(order.market);
        match orders.iter().find(|state| state.open.order == number) {
            Some(state) => {
                assert_eq!((told.end, told.waiting), (None, state.open.waiting), "{state:?}");
                assert_eq!(told.lots, state.open.total);
            }
            None => assert!(told.end.is_some(), "{told:?} is not in the book"),
        }
    }

    pub fn send(&mut self, action: Action) -> Result<(), Refusal> {
        let command = self.command(action);
        self.apply(&command)
    }

    pub fn must(&mut self, action: Action) {
        let shown = format!("{action:?}");
        self.send(action)
            .unwrap_or_else(|refusal| panic!("{refusal:?}: {shown}"));
    }

    /// Total and held part of a wallet.
    pub fn wallet(&self, who: Uuid, asset: u32) -> (u128, u128) {
        let key = AccountKey {
            account: Account::wallet(who),
            asset: AssetId(asset),
        };
        let balance = self.engine.balance(&key);
        balance.map_or((0, 0), |balance| (balance.total.units(), balance.held.units()))
    }

    pub fn fees(&self, asset: u32) -> u128 {
        let key = AccountKey {
            account: Account::house(Purpose::Fees),
            asset: AssetId(asset),
        };
        self.engine
            .balance(&key)
            .map_or(0, |balance| balance.total.units())
    }

    /// Price and lots of each trade of the last command.
    pub fn trades(&self) -> Vec<(u64, u64)> {
        let legs = self.batch.rows.iter().filter(|row| row.kind == RowKind::Trade);
        legs.step_by(2)
            .map(|row| row.order.map(|part| (part.price, part.lots)).unwrap())
            .collect()
    }

    /// The replica has the same state, and every balance follows from the rows alone.
    pub fn check(&self) {
        assert_eq!(self.replica.state_hash(), self.engine.state_hash());
        for (key, state) in self.engine.ledger().accounts() {
            let stored = (
                i128::try_from(state.total).unwrap(),
                i128::try_from(state.held).unwrap(),
            );
            assert_eq!(self.keeper.of(state.id.0), stored, "{key:?}");
        }
        let open: usize = self
            .engine
            .markets()
            .iter()
            .map(|market| self.engine.open_orders(market.id).len())
            .sum();
        assert_eq!(self.keeper.open_orders(), open);
    }

    /// Writes what has changed to the projection, and puts an engine that is loaded from it in the place of the replica.
    pub fn restart(&mut self) {
        // The first attempt to store fails.
        let (lost, lost_orders) = (self.engine.drain_changes(), self.engine.drain_order_changes());
        self.engine.mark_changed(&lost);
        self.engine.mark_orders_changed(&lost_orders);
        let (changes, orders) = (self.engine.drain_changes(), self.engine.drain_order_changes());
        assert_eq!(orders.is_empty(), orders == OrderChanges::default());
        assert!(self.engine.drain_order_changes().is_empty());
        let projection = &mut self.projection;
        let balances = changes.accounts.iter().flat_map(AccountBlock::states);
        projection
            .balances
            .extend(balances.map(|state| (state.id.0, (state.total, state.held))));
        let markets = orders.markets.into_iter();
        projection.markets.extend(markets.map(|view| (view.id.0, view)));
        projection.tiers.extend(orders.tiers);
        for (market, order) in orders.closed {
            projection.orders.remove(&(market.0, order.0));
        }
        for state in orders.open {
            projection
                .orders
                .insert((state.market.0, state.open.order.0), state);
        }
        let mut restore = Restore::new(0, from_micros(0));
        restore.set_book_sizes(self.sizes);
        let accounts = projection.accounts.iter().map(|account| {
            let balance = projection.balances.get(&account.id).copied();
            let (total, held) = balance.unwrap_or_default();
            Ok((*account, total, held))
        });
        restore.accounts::<ReplayError>(accounts).unwrap();
        for (owner, tier) in &projection.tiers {
            restore.fee_tier(*owner, *tier);
        }
        for market in projection.markets.values() {
            restore.market(market).unwrap();
        }
        for state in projection.orders.values() {
            // Numbers of people are not stored.
            let mut state = state.clone();
            state.open.owner = u32::MAX;
            restore.order(&state).unwrap();
        }
        self.replica = restore.finish(self.engine.sequence()).unwrap();
        assert!(self.replica.drain_order_changes().is_empty());
        self.check();
    }

    /// After the last order nothing is held.
    pub fn close(&mut self, people: u128) {
        for market in self.engine.markets() {
            for person in 0..people {
                let _ = self.send(Action::CancelAll {
                    market: market.id,
                    owner: user(person),
                });
            }
            assert!(self.engine.open_orders(market.id).is_empty());
        }
        self.check();
        assert!(self.engine.ledger().accounts().all(|(_, state)| state.held == 0));
    }
}

pub fn deposit(to: Uuid, asset: u32, amount: u128) -> Action {
    Action::Transfer(vec![Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(to),
        asset: AssetId(asset),
        amount: Amount::new(amount),
    }])
}

/// A limit order in ticks and lots of [`spec`].
pub fn limit(owner: Uuid, side: Side, ticks: u64, lots: u64, tif: Tif) -> PlaceOrder {
    PlaceOrder {
        market: MARKET,
        owner,
        side,
        kind: OrderKind::Limit {
            price: Amount::new(5 * u128::from(ticks)),
            quantity: Amount::new(10 * u128::from(lots)),
            tif,
        },
        terms: Terms::default(),
    }
}

pub fn buy(owner: u128, ticks: u64, lots: u64) -> Action {
    Action::PlaceOrder(limit(user(owner), Side::Buy, ticks, lots, Tif::Gtc))
}

pub fn sell(owner: u128, ticks: u64, lots: u64) -> Action {
    Action::PlaceOrder(limit(user(owner), Side::Sell, ticks, lots, Tif::Gtc))
}

pub fn cancel(owner: u128, number: u64) -> Action {
    Action::CancelOrder {
        market: MARKET,
        owner: user(owner),
        order: OrderRef::Number(number),
    }
}
