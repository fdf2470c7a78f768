//! Commands that are the same at every run, and an engine with people, money and a market.

use anyhow::ensure;
use ferrex_engine_core::{
    Action, Batch, Command, Engine, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, Outcome,
    PlaceOrder, Reason, Side, Step, Terms, Tif,
};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::from_micros;
use uuid::Uuid;

pub const MARKET: MarketId = MarketId(1);
pub const BASE: AssetId = AssetId(1);
pub const QUOTE: AssetId = AssetId(2);
/// How many people there are; those with even numbers sell, the others buy.
pub const PEOPLE: u32 = 1_000;
/// Smallest units of a lot and of a tick.
pub const LOT: u128 = 1_000_000;
pub const TICK: u128 = 100;
/// The middle of the prices, in ticks.
pub const MIDDLE: u32 = 10_000;
const RICH: u128 = 1 << 100;
const BEGIN_MS: u64 = 1_790_000_000_000;

/// Numbers that look random and are the same at every run.
pub struct Draw(u64);

impl Draw {
    /// One below `below`. SplitMix64, so that no crate's next version changes the streams.
    pub fn below(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        u32::try_from(mixed % u64::from(below)).unwrap_or(0)
    }
}

/// Makes commands, each with an id of its own.
pub struct Making {
    pub draw: Draw,
    count: u64,
}

impl Making {
    pub fn new() -> Self {
        Self {
            draw: Draw(20_260),
            count: 0,
        }
    }

    /// A UUIDv7; a thousand share a millisecond.
    pub fn id(&mut self) -> Uuid {
        self.count += 1;
        let (ms, random) = (BEGIN_MS + self.count / 1_000, self.draw.below(u32::MAX));
        let bits = u128::from(ms) << 80 | 0x7 << 76 | 0x2 << 62 | u128::from(self.count) << 32;
        Uuid::from_u128(bits | u128::from(random))
    }

    pub fn command(&mut self, reason: Reason, action: Action) -> Command {
        let id = self.id();
        Command {
            id: CommandId::from_uuid(id),
            at: from_micros(i64::try_from((BEGIN_MS + self.count / 1_000) * 1_000).unwrap_or(i64::MAX)),
            reason,
            reference: id,
            action,
        }
    }

    /// A limit order; `place` in ticks above or, for a buy, below the middle.
    pub fn order(&mut self, side: Side, person: u32, ticks: u32, lots: u32) -> Command {
        let kind = OrderKind::Limit {
            price: price(ticks),
            quantity: Amount::new(LOT * u128::from(lots)),
            tif: Tif::Gtc,
        };
        let owner = user(person / 2 * 2 + u32::from(side == Side::Buy));
        let place = PlaceOrder {
            market: MARKET,
            owner,
            side,
            kind,
            terms: Terms::default(),
        };
        self.command(Reason::Trading, Action::PlaceOrder(place))
    }
}

pub fn user(person: u32) -> Uuid {
    Uuid::from_u128(u128::from(person + 1) << 64 | u128::from(person + 1))
}

pub fn price(ticks: u32) -> Amount {
    Amount::new(TICK * u128::from(ticks))
}

/// An engine in which everybody has much of both assets, and the market is open.
pub fn engine(making: &mut Making) -> anyhow::Result<Engine> {
    let mut engine = Engine::new(1);
    let mut first = Vec::new();
    for person in 0..PEOPLE {
        let steps = [BASE, QUOTE].map(|asset| Step::Move {
            debit: Account::house(Purpose::HotWallet),
            credit: Account::wallet(user(person)),
            asset,
            amount: Amount::new(RICH),
        });
        first.push(making.command(Reason::Deposit, Action::Transfer(steps.into())));
    }
    let rates = vec![FeeRate {
        maker_ppm: 1_000,
        taker_ppm: 2_000,
    }];
    for action in [
        Action::CreateMarket {
            market: MARKET,
            spec: spec(),
        },
        Action::SetFees {
            market: MARKET,
            rates,
        },
        Action::SetMarketState {
            market: MARKET,
            state: MarketState::Open,
        },
    ] {
        first.push(making.command(Reason::MarketAdmin, action));
    }
    apply(&mut engine, &first)?;
    Ok(engine)
}

/// Has the engine do commands that nobody counts.
pub fn apply(engine: &mut Engine, commands: &[Command]) -> anyhow::Result<()> {
    let mut out = Batch::default();
    for command in commands {
        let outcome = engine.apply(command, &mut out);
        ensure!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        out.clear();
    }
    Ok(())
}

fn spec() -> MarketSpec {
    MarketSpec {
        base: BASE,
        quote: QUOTE,
        per: Amount::new(LOT),
        tick: Amount::new(TICK),
        lot: Amount::new(LOT),
        price_max: price(2 * MIDDLE),
        quantity_min: Amount::new(LOT),
        quantity_max: Amount::new(LOT * 1_000),
        value_min: Amount::new(1),
        band_ppm: 0,
        open_orders_max: 10_000,
        reference_price: None,
    }
}
