//! The crates, with the stream in their own commands.

use std::collections::HashMap;

use anyhow::bail;
use ferrex_matching::Side;
use lobster::{OrderEvent, OrderType};
use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, CommandEffects, CommandKind, CommandMeta, CommandOutcome, CommandReport,
    LimitOrder, LimitOrderPatch, NewOrder, OrderFlags, OrderId, OrderKind, Price, Quantity, QuantityPolicy,
    SequenceNumber, SubmitCmd, TimeInForce, Timestamp,
};

use super::Prepared;
use super::stream::{Command, Stream, Totals};

/// `matchcore` names an order after the sequence number of its command.
pub(super) struct Matchcore {
    book: matchcore::OrderBook,
    commands: Vec<matchcore::Command>,
}

impl Matchcore {
    pub fn new(stream: &Stream) -> Self {
        let (mut sequence, mut names) = (0, vec![OrderId(0)]);
        let mut all: Vec<matchcore::Command> = stream
            .filling
            .iter()
            .chain(&stream.commands)
            .map(|command| {
                if matches!(command, Command::Place { .. }) {
                    names.push(OrderId(sequence));
                }
                let meta = CommandMeta {
                    sequence_number: SequenceNumber(sequence),
                    timestamp: Timestamp(sequence),
                };
                sequence += 1;
                matchcore::Command {
                    meta,
                    kind: kind(*command, &names),
                }
            })
            .collect();
        let mut book = matchcore::OrderBook::new("BASE/QUOTE");
        let commands = all.split_off(stream.filling.len());
        for command in &all {
            book.execute(command);
        }
        Self { book, commands }
    }
}

fn kind(command: Command, names: &[OrderId]) -> CommandKind {
    match command {
        Command::Place {
            side,
            price,
            lots,
            rests,
            ..
        } => {
            let side = match side {
                Side::Buy => matchcore::Side::Buy,
                Side::Sell => matchcore::Side::Sell,
            };
            let tif = if rests { TimeInForce::Gtc } else { TimeInForce::Ioc };
            CommandKind::Submit(SubmitCmd {
                order: NewOrder::Limit(LimitOrder::new(
                    Price(price.into()),
                    QuantityPolicy::Standard {
                        quantity: Quantity(lots),
                    },
                    OrderFlags::new(side, false, tif),
                )),
            })
        }
        Command::Cancel { order } => CommandKind::Cancel(CancelCmd {
            order_id: names[order as usize],
            order_kind: OrderKind::Limit,
        }),
        Command::Move { order, price, .. } => CommandKind::Amend(AmendCmd {
            order_id: names[order as usize],
            patch: AmendPatch::Limit(LimitOrderPatch::new().with_price(Price(price.into()))),
        }),
    }
}

fn add(totals: &mut Totals, effects: &CommandEffects) {
    let trades = effects
        .target_order()
        .match_result()
        .map_or(&[][..], |result| result.trades());
    for trade in trades {
        totals.add(trade.price().0, trade.quantity().0);
    }
}

impl Prepared for Matchcore {
    fn run(&mut self) -> anyhow::Result<Totals> {
        let mut totals = Totals::default();
        for command in &self.commands {
            match self.book.execute(command) {
                CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) => {
                    add(&mut totals, &effects);
                }
                CommandOutcome::Applied(CommandReport::Cancel) => {}
                CommandOutcome::Rejected(failure) => bail!("matchcore refuses: {failure}"),
            }
        }
        Ok(totals)
    }
}

/// `lobster` cannot move an order: it is cancelled and placed again, under a new id as its arena demands.
pub(super) struct Lobster {
    book: lobster::OrderBook,
    commands: Vec<OrderType>,
}

impl Lobster {
    pub fn new(stream: &Stream) -> Self {
        let mut making = LobsterMaking::default();
        let mut book = lobster::OrderBook::new(100_000, 16, false);
        for command in &stream.filling {
            for order in making.orders(*command) {
                book.execute(order);
            }
        }
        let commands = stream
            .commands
            .iter()
            .flat_map(|command| making.orders(*command))
            .collect();
        Self { book, commands }
    }
}

#[derive(Default)]
struct LobsterMaking {
    placed: u32,
    last_id: u128,
    /// Present id and side of each order.
    known: HashMap<u32, (u128, lobster::Side)>,
}

impl LobsterMaking {
    fn limit(&mut self, number: u32, side: lobster::Side, qty: u64, price: u32) -> OrderType {
        self.last_id += 1;
        self.known.insert(number, (self.last_id, side));
        OrderType::Limit {
            id: self.last_id,
            side,
            qty,
            price: price.into(),
        }
    }

    fn orders(&mut self, command: Command) -> Vec<OrderType> {
        match command {
            Command::Place {
                side,
                price,
                lots,
                rests,
                ..
            } => {
                let side = match side {
                    Side::Buy => lobster::Side::Bid,
                    Side::Sell => lobster::Side::Ask,
                };
                self.placed += 1;
                let limit = self.limit(self.placed, side, lots, price);
                if rests {
                    vec![limit]
                } else {
                    // What does not trade at once is taken back.
                    vec![limit, OrderType::Cancel { id: self.last_id }]
                }
            }
            Command::Cancel { order } => vec![OrderType::Cancel {
                id: self.known[&order].0,
            }],
            Command::Move { order, price, left } => {
                let (id, side) = self.known[&order];
                vec![OrderType::Cancel { id }, self.limit(order, side, left, price)]
            }
        }
    }
}

impl Prepared for Lobster {
    fn run(&mut self) -> anyhow::Result<Totals> {
        let mut totals = Totals::default();
        for order in &self.commands {
            if let OrderEvent::PartiallyFilled { fills, .. } | OrderEvent::Filled { fills, .. } =
                self.book.execute(*order)
            {
                for fill in fills {
                    totals.add(fill.price, fill.qty);
                }
            }
        }
        Ok(totals)
    }
}
