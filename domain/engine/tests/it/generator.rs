//! Random commands of every kind, aimed at what the oracle says is there.

use ferrex_engine_core::{
    Action, AmendOrder, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, OrderRef, PlaceOrder, Refusal,
    Rest, SelfTrade, Side, Step, Terms, Tif,
};
use ferrex_ids::HoldId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::from_micros;
use uuid::Uuid;

use crate::oracle::Oracle;
use crate::support::{BASE, Desk, OTHER, QUOTE, deposit, spec, user};

pub const PEOPLE: u64 = 8;

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

fn specs() -> [(MarketId, MarketSpec); 2] {
    let first = MarketSpec {
        price_max: Amount::new(5 * 3_000),
        quantity_max: Amount::new(10 * 60),
        open_orders_max: 9,
        ..spec()
    };
    // A band, a least quantity and value, and a coarser grid.
    let second = MarketSpec {
        base: AssetId(OTHER),
        per: Amount::new(100),
        tick: Amount::new(20),
        lot: Amount::new(50),
        price_max: Amount::new(20 * 400),
        quantity_min: Amount::new(50 * 2),
        quantity_max: Amount::new(50 * 40),
        value_min: Amount::new(1_500),
        band_ppm: 100_000,
        open_orders_max: 7,
        reference_price: Some(Amount::new(20 * 100)),
        ..spec()
    };
    [(MarketId(1), first), (MarketId(2), second)]
}

struct Generator {
    random: Random,
    /// The middle of each market in ticks.
    middles: [u64; 2],
    now: i64,
}

impl Generator {
    fn person(&mut self) -> Uuid {
        user(u128::from(self.random.below(PEOPLE)))
    }

    fn client(&mut self) -> Uuid {
        Uuid::from_u128(u128::from(1 + self.random.below(20)))
    }

    fn price(&mut self, place: usize, spec: &MarketSpec) -> Amount {
        let middle = self.middles[place];
        let ticks = match self.random.below(40) {
            0 => 1,
            1 => u64::try_from(spec.price_max.units() / spec.tick.units()).unwrap(),
            2 => 1 + self.random.below(3_000),
            3 => middle + 150,
            _ => (middle + self.random.below(17)).saturating_sub(8).max(1),
        };
        let off = u128::from(self.random.one_in(60));
        Amount::new(u128::from(ticks) * spec.tick.units() + off)
    }

    fn quantity(&mut self, spec: &MarketSpec) -> Amount {
        let lots = match self.random.below(30) {
            0 => 70,
            1 => 60,
            2 => 1,
            _ => 1 + self.random.below(14),
        };
        let off = u128::from(self.random.one_in(60));
        Amount::new(u128::from(lots) * spec.lot.units() + off)
    }

    fn order(&mut self, place: usize, market: MarketId, spec: &MarketSpec) -> PlaceOrder {
        let (price, quantity) = (self.price(place, spec), self.quantity(spec));
        let tif = match self.random.below(10) {
            0 => Tif::Ioc,
            1 => Tif::Fok,
            2 => Tif::PostOnly,
            _ => Tif::Gtc,
        };
        let kind = match self.random.below(12) {
            0 => OrderKind::Market {
                quantity,
                protection: price,
            },
            1 => OrderKind::MarketByValue {
                value: Amount::new(u128::from(self.random.below(60_000))),
                protection: price,
            },
            _ => OrderKind::Limit { price, quantity, tif },
        };
        let mut terms = Terms {
            self_trade: self.random.pick(&[
                SelfTrade::CancelNewest,
                SelfTrade::CancelOldest,
                SelfTrade::CancelBoth,
                SelfTrade::Decrement,
            ]),
            ..Terms::default()
        };
        if self.random.one_in(6) {
            terms.stop = Some(self.price(place, spec));
        }
        if self.random.one_in(6) {
            terms.display = Some(Amount::new(
                u128::from(1 + self.random.below(4)) * spec.lot.units(),
            ));
        }
        if self.random.one_in(8) {
            terms.expires_at = Some(from_micros(
                self.now + i64::try_from(self.random.below(300)).unwrap(),
            ));
        }
        if self.random.one_in(3) {
            terms.client = Some(self.client());
        }
        PlaceOrder {
            market,
            owner: self.person(),
            side: self.random.pick(&[Side::Buy, Side::Sell]),
            kind,
            terms,
        }
    }

    fn reference(&mut self, numbers: u64) -> OrderRef {
        if self.random.one_in(3) {
            return OrderRef::Client(self.client());
        }
        // Mostly the newest numbers, which are open.
        let back = if self.random.one_in(10) { 5_000 } else { 60 };
        OrderRef::Number(numbers.saturating_sub(self.random.below(back)))
    }

    fn action(&mut self, oracle: &Oracle) -> Action {
        let place = usize::try_from(self.random.below(2)).unwrap();
        let (market, spec) = specs()[place];
        let numbers = oracle.markets[&market.0].numbers;
        if self.random.one_in(50) {
            self.middles[place] = match (place, self.random.below(2)) {
                (0, 0) => (self.middles[0] + 40) % 2_500 + 20,
                (0, _) => self.middles[0].saturating_sub(40).max(20),
                (_, 0) => (self.middles[1] + 6).min(380),
                _ => self.middles[1].saturating_sub(6).max(20),
            };
        }
        let market_of_nobody = self.random.one_in(500);
        let market = if market_of_nobody { MarketId(9) } else { market };
        match self.random.below(100) {
            0..=61 => Action::PlaceOrder(self.order(place, market, &spec)),
            62..=75 => {
                let owner = self.person();
                self.amendment(place, market, owner, &spec, oracle)
            }
            76..=88 => {
                let order = self.reference(numbers);
                let open = oracle.markets.get(&market.0).and_then(|book| {
                    let count = book.orders.len() as u64;
                    let at = usize::try_from(self.random.below(count.max(1))).ok()?;
                    book.orders
                        .get(at)
                        .map(|open| (open.owner, OrderRef::Number(open.number)))
                });
                let (owner, order) = match open {
                    Some(open) if !self.random.one_in(4) => open,
                    _ => (self.person(), order),
                };
                Action::CancelOrder { market, owner, order }
            }
            89 => Action::CancelAll {
                market,
                owner: self.person(),
            },
            90..=91 => Action::ExpireOrders {
                market,
                now: from_micros(self.now),
            },
            93 => Action::SetMarketState {
                market,
                state: self.random.pick(&[
                    MarketState::Open,
                    MarketState::Auction,
                    MarketState::Auction,
                    MarketState::Halted,
                    MarketState::CancelOnly,
                ]),
            },
            94 if self.random.one_in(2) => Action::SetFeeTier {
                owner: self.person(),
                tier: u8::try_from(self.random.below(4)).unwrap(),
            },
            95 if self.random.one_in(4) => Action::SetFees {
                market,
                rates: (0..self.random.below(4)).map(|_| self.rate()).collect(),
            },
            95 => Action::CreateMarket { market, spec },
            96 => deposit(self.person(), self.random.pick(&[BASE, OTHER, QUOTE]), 500),
            97 => {
                let (from, to) = (self.person(), self.person());
                let asset = self.random.pick(&[BASE, OTHER, QUOTE]);
                if from == to {
                    return deposit(to, asset, 1);
                }
                Action::Transfer(vec![Step::Move {
                    debit: Account::wallet(from),
                    credit: Account::wallet(to),
                    asset: AssetId(asset),
                    amount: Amount::new(u128::from(1 + self.random.below(3_000))),
                }])
            }
            // Markets would sleep too long otherwise.
            _ => Action::SetMarketState {
                market,
                state: MarketState::Open,
            },
        }
    }

    fn rate(&mut self) -> FeeRate {
        let ppm = |random: &mut Random| u32::try_from(random.below(5_000)).unwrap();
        FeeRate {
            maker_ppm: ppm(&mut self.random),
            taker_ppm: if self.random.one_in(50) {
                1_000_000
            } else {
                ppm(&mut self.random)
            },
        }
    }

    fn amendment(
        &mut self,
        place: usize,
        market: MarketId,
        owner: Uuid,
        spec: &MarketSpec,
        oracle: &Oracle,
    ) -> Action {
        let book = oracle.markets.get(&market.0);
        let count = book.map_or(0, |book| book.orders.len() as u64);
        let at = usize::try_from(self.random.below(count.max(1))).unwrap();
        let open = book.and_then(|book| book.orders.get(at));
        let (owner, order) = match open {
            Some(open) if !self.random.one_in(6) => (open.owner, OrderRef::Number(open.number)),
            _ => (owner, self.reference(count)),
        };
        Action::AmendOrder(AmendOrder {
            market,
            owner,
            order,
            price: (!self.random.one_in(3)).then(|| self.price(place, spec)),
            quantity: self.random.one_in(2).then(|| self.quantity(spec)),
        })
    }
}

/// What people and markets begin with.
fn setup() -> Vec<Action> {
    let mut setup = Vec::new();
    for (market, spec) in specs() {
        setup.push(Action::CreateMarket { market, spec });
        let state = MarketState::Open;
        setup.push(Action::SetMarketState { market, state });
        let rate = |maker_ppm, taker_ppm| FeeRate { maker_ppm, taker_ppm };
        let rates = vec![rate(1_000, 2_000), rate(500, 1_500), rate(0, 1_000)];
        setup.push(Action::SetFees { market, rates });
    }
    for person in 0..PEOPLE {
        for asset in [BASE, QUOTE, OTHER] {
            let funds = if asset == QUOTE { 60_000 } else { 1_500 };
            setup.push(deposit(user(u128::from(person)), asset, funds));
        }
    }
    setup
}

/// An asset that no market trades.
const COIN: AssetId = AssetId(40);

/// Commands one after the other, each decided by the desk and by the oracle with the same answer.
pub struct Stream {
    pub oracle: Oracle,
    seed: u64,
    turn: u64,
    generator: Generator,
    setup: std::vec::IntoIter<Action>,
    holds: bool,
}

impl Stream {
    /// Orders, transfers and holds of every kind.
    pub fn new(seed: u64) -> Self {
        Self {
            holds: true,
            ..Self::of_orders(seed)
        }
    }

    /// What the oracle knows: orders, deposits and transfers.
    pub fn of_orders(seed: u64) -> Self {
        Self {
            oracle: Oracle::default(),
            seed,
            turn: 0,
            generator: Generator {
                random: Random(seed),
                middles: [200, 100],
                now: 1_000,
            },
            setup: setup().into_iter(),
            holds: false,
        }
    }

    /// The next command.
    pub fn next(&mut self, desk: &mut Desk) -> Result<(), Refusal> {
        self.turn += 1;
        if self.holds && self.setup.len() == 0 && self.generator.random.one_in(10) {
            // Of people and an asset that the oracle does not know.
            let command = desk.command(Action::Transfer(self.generator.steps()));
            return desk.apply(&command);
        }
        let action = match self.setup.next() {
            Some(action) => action,
            None => self.generator.action(&self.oracle),
        };
        let command = desk.command(action);
        self.generator.now = desk.now;
        let (got, expected) = (desk.apply(&command), self.oracle.apply(&command));
        assert_eq!(
            got, expected,
            "seed {}, command {}: {command:?}",
            self.seed, self.turn
        );
        got
    }
}

impl Generator {
    /// Deposits, transfers and changes of holds.
    fn steps(&mut self) -> Vec<Step> {
        let count = 1 + self.random.below(3);
        (0..count).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Step {
        let amount = Amount::new(u128::from(1 + self.random.below(400)));
        let person = Account::wallet(user(100 + u128::from(self.random.below(4))));
        let hold = HoldId::from_uuid(Uuid::from_u128(u128::from(1 + self.random.below(2_000))));
        match self.random.below(10) {
            0..=1 => Step::Move {
                debit: Account::house(Purpose::DepositAddresses),
                credit: person,
                asset: COIN,
                amount,
            },
            2 => Step::Move {
                debit: person,
                credit: Account::wallet(user(110 + u128::from(self.random.below(40)))),
                asset: COIN,
                amount,
            },
            3..=5 => Step::Reserve {
                hold,
                debit: person,
                asset: COIN,
                amount,
                expires_at: self
                    .random
                    .one_in(2)
                    .then(|| from_micros(self.now + i64::try_from(self.random.below(500)).unwrap())),
            },
            6..=7 => Step::Post {
                hold,
                credit: Account::house(Purpose::Fees),
                amount,
                rest: self.random.pick(&[Rest::Keep, Rest::Release]),
            },
            8 => Step::Void { hold },
            _ => Step::Expire { hold },
        }
    }
}
