//! The engine, as its owner runs it: commands in, rows of the journal out, emptied batch by batch.

use anyhow::ensure;
use ferrex_engine_core::{
    Action, AmendOrder, Batch, Command, Engine, FeeRate, MarketId, MarketSpec, MarketState, OrderKind,
    OrderRef, Outcome, PlaceOrder, Reason, RowKind, Side, Step, Terms, Tif,
};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::{Timestamp, from_micros};
use uuid::Uuid;

use super::Prepared;
use super::stream::{self, LOTS_MAX, MIDDLE, PEOPLE, Stream, Totals};

const MARKET: MarketId = MarketId(1);
const BASE: AssetId = AssetId(1);
const QUOTE: AssetId = AssetId(2);
/// Smallest units a lot and a tick. With one lot for a tick's price the value of a trade is price times lots times the tick.
const LOT: u128 = 1_000_000;
const TICK: u128 = 100;
const RICH: u128 = 1 << 100;
const FIRST_MS: u64 = 1_790_000_000_000;
/// Commands in one batch of the journal.
const BATCH: usize = 256;

/// The engine and the stream, each command with its id. They become the engine's own commands one at a time, as they do where
/// requests are decoded.
pub(super) struct Ours {
    engine: Engine,
    making: Making,
    commands: Vec<(CommandId, stream::Command)>,
}

impl Ours {
    pub fn new(stream: &Stream) -> anyhow::Result<Self> {
        let (mut engine, mut out) = (Engine::new(1), Batch::default());
        let mut making = Making::new();
        let mut first = Vec::new();
        for person in (0..2 * PEOPLE).map(user) {
            for asset in [BASE, QUOTE] {
                first.push(making.next(Reason::Deposit, deposit(person, asset)));
            }
        }
        let market = [
            Action::CreateMarket {
                market: MARKET,
                spec: spec(),
            },
            Action::SetFees {
                market: MARKET,
                rates: vec![FeeRate {
                    maker_ppm: 1_000,
                    taker_ppm: 2_000,
                }],
            },
            Action::SetMarketState {
                market: MARKET,
                state: MarketState::Open,
            },
        ];
        first.extend(market.map(|action| making.next(Reason::MarketAdmin, action)));
        first.extend(stream.filling.iter().map(|command| {
            let id = making.id();
            making.order(id, command)
        }));
        for command in &first {
            let outcome = engine.apply(command, &mut out);
            ensure!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        }
        let commands = stream
            .commands
            .iter()
            .map(|command| (making.id(), *command))
            .collect();
        Ok(Self {
            engine,
            making,
            commands,
        })
    }
}

impl Prepared for Ours {
    fn run(&mut self) -> anyhow::Result<Totals> {
        let (mut totals, mut out) = (Totals::default(), Batch::default());
        for batch in self.commands.chunks(BATCH) {
            for (id, command) in batch {
                let command = self.making.order(*id, command);
                let outcome = self.engine.apply(&command, &mut out);
                ensure!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
            }
            // Two rows a trade; the second has the base asset.
            for row in out
                .rows
                .iter()
                .filter(|row| row.kind == RowKind::Trade && row.asset == BASE.0)
            {
                if let Some(part) = &row.order {
                    totals.add(part.price, part.lots);
                }
            }
            out.clear();
        }
        Ok(totals)
    }
}

fn spec() -> MarketSpec {
    MarketSpec {
        base: BASE,
        quote: QUOTE,
        per: Amount::new(LOT),
        tick: Amount::new(TICK),
        lot: Amount::new(LOT),
        price_max: Amount::new(TICK * u128::from(2 * MIDDLE)),
        quantity_min: Amount::new(LOT),
        quantity_max: Amount::new(LOT * u128::from(LOTS_MAX)),
        value_min: Amount::new(1),
        band_ppm: 0,
        open_orders_max: 10_000,
        reference_price: None,
    }
}

/// Buyers come first, then sellers.
fn user(person: u32) -> Uuid {
    Uuid::from_u128(u128::from(person) + 1)
}

fn deposit(person: Uuid, asset: AssetId) -> Action {
    Action::Transfer(vec![Step::Move {
        debit: Account::house(Purpose::HotWallet),
        credit: Account::wallet(person),
        asset,
        amount: Amount::new(RICH),
    }])
}

struct Making {
    count: u64,
    at: Timestamp,
    /// Whose an order is, by its number less one.
    owners: Vec<Uuid>,
}

impl Making {
    fn new() -> Self {
        Self {
            count: 0,
            at: from_micros(FIRST_MS.cast_signed() * 1_000),
            owners: Vec::new(),
        }
    }

    /// A thousand commands share a millisecond.
    fn id(&mut self) -> CommandId {
        self.count += 1;
        CommandId::new_at(FIRST_MS + self.count / 1_000)
    }

    const fn command(&self, id: CommandId, reason: Reason, action: Action) -> Command {
        Command {
            id,
            at: self.at,
            reason,
            reference: id.uuid(),
            action,
        }
    }

    fn next(&mut self, reason: Reason, action: Action) -> Command {
        let id = self.id();
        self.command(id, reason, action)
    }

    fn order(&mut self, id: CommandId, asked: &stream::Command) -> Command {
        let action = match *asked {
            stream::Command::Place {
                side,
                person,
                price,
                lots,
                rests,
                ..
            } => {
                let owner = user(person + if side == Side::Buy { 0 } else { PEOPLE });
                self.owners.push(owner);
                Action::PlaceOrder(PlaceOrder {
                    market: MARKET,
                    owner,
                    side,
                    kind: OrderKind::Limit {
                        price: price_of(price),
                        quantity: Amount::new(LOT * u128::from(lots)),
                        tif: if rests { Tif::Gtc } else { Tif::Ioc },
                    },
                    terms: Terms::default(),
                })
            }
            stream::Command::Cancel { order } => Action::CancelOrder {
                market: MARKET,
                owner: self.owner(order),
                order: OrderRef::Number(order.into()),
            },
            stream::Command::Move { order, price, .. } => Action::AmendOrder(AmendOrder {
                market: MARKET,
                owner: self.owner(order),
                order: OrderRef::Number(order.into()),
                price: Some(price_of(price)),
                quantity: None,
            }),
        };
        self.command(id, Reason::Trading, action)
    }

    fn owner(&self, order: u32) -> Uuid {
        self.owners[order as usize - 1]
    }
}

fn price_of(ticks: u32) -> Amount {
    Amount::new(TICK * u128::from(ticks))
}
