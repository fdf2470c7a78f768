//! The crates, with the stream in their own commands.

use std::collections::HashMap;

use anyhow::bail;
use ferrex_matching::Side;
use lobster::{OrderEvent, OrderType};
use matchcore::{
    CancelCmd, CommandEffects, CommandKind, CommandMeta, CommandOutcome, CommandReport, LimitOrder, NewOrder,
    OrderFlags, OrderId, OrderKind, Price, Quantity, QuantityPolicy, SequenceNumber, SubmitCmd, TimeInForce,
    Timestamp,
};

use super::Prepared;
use super::stream::{Command, Stream, Totals};

/// `matchcore` names an order after the sequence number of its command. One that can trade at all trades at any price there,
/// whatever its own is, so it is given what trades at its price first and what is left as another order; one that moves is
/// cancelled and placed again.
pub(super) struct Matchcore {
    book: matchcore::OrderBook,
    commands: Vec<matchcore::Command>,
}

impl Matchcore {
    pub fn new(stream: &Stream) -> Self {
        let mut making = MatchcoreMaking::default();
        let mut book = matchcore::OrderBook::new("BASE/QUOTE");
        for command in &stream.filling {
            for command in making.commands(*command) {
                book.execute(&command);
            }
        }
        let commands = stream
            .commands
            .iter()
            .flat_map(|command| making.commands(*command))
            .collect();
        Self { book, commands }
    }
}

#[derive(Default)]
struct MatchcoreMaking {
    sequence: u64,
    placed: u32,
    /// Present name and side of each order.
    known: HashMap<u32, (OrderId, matchcore::Side)>,
}

impl MatchcoreMaking {
    fn command(&mut self, kind: CommandKind) -> matchcore::Command {
        let meta = CommandMeta {
            sequence_number: SequenceNumber(self.sequence),
            timestamp: Timestamp(self.sequence),
        };
        self.sequence += 1;
        matchcore::Command { meta, kind }
    }

    fn submit(
        &mut self,
        side: matchcore::Side,
        price: u32,
        lots: u64,
        tif: TimeInForce,
    ) -> matchcore::Command {
        let policy = QuantityPolicy::Standard {
            quantity: Quantity(lots),
        };
        let flags = OrderFlags::new(side, false, tif);
        self.command(CommandKind::Submit(SubmitCmd {
            order: NewOrder::Limit(LimitOrder::new(Price(price.into()), policy, flags)),
        }))
    }

    /// An order that trades `takes` of its lots at once; what is left rests under the name that is noted.
    fn order(
        &mut self,
        (number, side): (u32, matchcore::Side),
        price: u32,
        (lots, takes): (u64, u64),
        rests: bool,
    ) -> Vec<matchcore::Command> {
        let left = lots - takes;
        let mut commands = Vec::new();
        if takes > 0 {
            commands.push(self.submit(side, price, takes, TimeInForce::Ioc));
        }
        if left > 0 && rests {
            self.known.insert(number, (OrderId(self.sequence), side));
            commands.push(self.submit(side, price, left, TimeInForce::Gtc));
        }
        if takes == 0 && !rests {
            commands.push(self.submit(side, price, lots, TimeInForce::Ioc));
        }
        commands
    }

    fn cancel(&mut self, order_id: OrderId) -> matchcore::Command {
        self.command(CommandKind::Cancel(CancelCmd {
            order_id,
            order_kind: OrderKind::Limit,
        }))
    }

    fn commands(&mut self, command: Command) -> Vec<matchcore::Command> {
        match command {
            Command::Place {
                side,
                price,
                lots,
                rests,
                takes,
                ..
            } => {
                let side = match side {
                    Side::Buy => matchcore::Side::Buy,
                    Side::Sell => matchcore::Side::Sell,
                };
                self.placed += 1;
                self.order((self.placed, side), price, (lots, takes), rests)
            }
            Command::Cancel { order } => vec![self.cancel(self.known[&order].0)],
            Command::Move {
                order,
                price,
                left,
                takes,
            } => {
                let (id, side) = self.known[&order];
                let mut commands = vec![self.cancel(id)];
                commands.extend(self.order((order, side), price, (left, takes), true));
                commands
            }
        }
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
                CommandOutcome::Applied(CommandReport::Submit(effects)) => add(&mut totals, &effects),
                CommandOutcome::Applied(_) => {}
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
            Command::Move {
                order, price, left, ..
            } => {
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
