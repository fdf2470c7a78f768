//! What is counted.

use anyhow::ensure;
use ferrex_engine_core::{
    Action, AmendOrder, Batch, Command, Engine, OrderRef, Outcome, Reason, Rest, Side, Step,
};
use ferrex_ids::HoldId;
use ferrex_ledger::Account;
use ferrex_matching::{Book, Event, NEVER, OrderNo, Place, SelfTrade, Sizes, Tif};
use ferrex_money::Amount;

use crate::making::{BASE, MARKET, MIDDLE, Making, PEOPLE, QUOTE, apply, engine, price, user};

/// Commands of a stream.
const COMMANDS: u32 = 4_000;
/// Commands in one batch of the journal.
const BATCH: usize = 256;

/// Prepares and does a stream; answers how many commands it had.
type Stream = fn() -> anyhow::Result<u32>;

/// By name.
pub const STREAMS: [(&str, Stream); 11] = [
    ("transfer", transfers),
    ("refusal", refusals),
    ("repeat", repeats),
    ("hold", holds),
    ("post", posts),
    ("void", voids),
    ("order-rests", orders_that_rest),
    ("order-trades", orders_that_trade),
    ("order-moves", orders_that_move),
    ("order-cancel", orders_that_are_cancelled),
    ("book", book),
];

/// The engine as its owner runs it, rows and all; answers how many were applied.
#[inline(never)]
fn measured_engine(engine: &mut Engine, commands: &[Command], out: &mut Batch) -> u32 {
    let mut applied = 0;
    for batch in commands.chunks(BATCH) {
        for command in batch {
            applied += u32::from(matches!(engine.apply(command, out), Outcome::Applied { .. }));
        }
        out.clear();
    }
    applied
}

fn measure(engine: &mut Engine, commands: &[Command], applied: u32) -> anyhow::Result<u32> {
    let done = measured_engine(engine, commands, &mut Batch::default());
    ensure!(done == applied, "{done} were applied instead of {applied}");
    Ok(u32::try_from(commands.len())?)
}

fn transfer(making: &mut Making, units: u128) -> Command {
    let payer = making.draw.below(PEOPLE);
    let payee = (payer + 1 + making.draw.below(PEOPLE - 1)) % PEOPLE;
    let step = Step::Move {
        debit: Account::wallet(user(payer)),
        credit: Account::wallet(user(payee)),
        asset: BASE,
        amount: Amount::new(units),
    };
    making.command(Reason::Transfer, Action::Transfer(vec![step]))
}

fn transfers() -> anyhow::Result<u32> {
    let mut making = Making::new();
    let mut engine = engine(&mut making)?;
    let commands: Vec<_> = (0..COMMANDS).map(|_| transfer(&mut making, 7)).collect();
    measure(&mut engine, &commands, COMMANDS)
}

fn refusals() -> anyhow::Result<u32> {
    let mut making = Making::new();
    let mut engine = engine(&mut making)?;
    let commands: Vec<_> = (0..COMMANDS)
        .map(|_| transfer(&mut making, u128::MAX / 2))
        .collect();
    measure(&mut engine, &commands, 0)
}

fn repeats() -> anyhow::Result<u32> {
    let mut making = Making::new();
    let mut engine = engine(&mut making)?;
    let commands: Vec<_> = (0..COMMANDS).map(|_| transfer(&mut making, 7)).collect();
    apply(&mut engine, &commands)?;
    measure(&mut engine, &commands, COMMANDS)
}

/// An engine, commands that make holds, and the holds.
fn with_holds() -> anyhow::Result<(Making, Engine, Vec<Command>, Vec<HoldId>)> {
    let mut making = Making::new();
    let engine = engine(&mut making)?;
    let holds: Vec<_> = (0..COMMANDS).map(|_| HoldId::from_uuid(making.id())).collect();
    let reserve = |hold: &HoldId| {
        let step = Step::Reserve {
            hold: *hold,
            debit: Account::wallet(user(making.draw.below(PEOPLE))),
            asset: QUOTE,
            amount: Amount::new(9),
            expires_at: None,
        };
        making.command(Reason::WithdrawalHold, Action::Transfer(vec![step]))
    };
    let commands = holds.iter().map(reserve).collect();
    Ok((making, engine, commands, holds))
}

fn holds() -> anyhow::Result<u32> {
    let (_, mut engine, commands, _) = with_holds()?;
    measure(&mut engine, &commands, COMMANDS)
}

/// Does something to each of the holds.
fn of_holds(step: impl Fn(&mut Making, HoldId) -> Step) -> anyhow::Result<u32> {
    let (mut making, mut engine, reserves, holds) = with_holds()?;
    apply(&mut engine, &reserves)?;
    let commands: Vec<_> = holds
        .into_iter()
        .map(|hold| {
            let step = step(&mut making, hold);
            making.command(Reason::WithdrawalSettlement, Action::Transfer(vec![step]))
        })
        .collect();
    measure(&mut engine, &commands, COMMANDS)
}

fn posts() -> anyhow::Result<u32> {
    of_holds(|making, hold| Step::Post {
        hold,
        credit: Account::wallet(user(PEOPLE + making.draw.below(PEOPLE))),
        amount: Amount::new(9),
        rest: Rest::Keep,
    })
}

fn voids() -> anyhow::Result<u32> {
    of_holds(|_, hold| Step::Void { hold })
}

/// Sells that lie above the middle.
fn sells(making: &mut Making) -> Vec<Command> {
    (0..COMMANDS)
        .map(|_| {
            let (person, away) = (making.draw.below(PEOPLE), making.draw.below(500));
            making.order(Side::Sell, person, MIDDLE + away, 1)
        })
        .collect()
}

fn orders_that_rest() -> anyhow::Result<u32> {
    let mut making = Making::new();
    let mut engine = engine(&mut making)?;
    let sells = sells(&mut making);
    measure(&mut engine, &sells, COMMANDS)
}

/// An engine with resting sells, numbered from 1 on.
fn with_sells() -> anyhow::Result<(Making, Engine, Vec<Command>)> {
    let mut making = Making::new();
    let mut engine = engine(&mut making)?;
    let sells = sells(&mut making);
    apply(&mut engine, &sells)?;
    Ok((making, engine, sells))
}

fn orders_that_trade() -> anyhow::Result<u32> {
    let (mut making, mut engine, _) = with_sells()?;
    let buys: Vec<_> = (0..COMMANDS)
        .map(|_| {
            let person = making.draw.below(PEOPLE);
            making.order(Side::Buy, person, MIDDLE + 500, 1)
        })
        .collect();
    measure(&mut engine, &buys, COMMANDS)
}

/// Does something to each of the resting sells.
fn of_sells(action: impl Fn(&mut Making, uuid::Uuid, OrderRef) -> Option<Action>) -> anyhow::Result<u32> {
    let (mut making, mut engine, sells) = with_sells()?;
    let commands: Vec<_> = sells
        .iter()
        .zip(1..)
        .filter_map(|(sell, number)| {
            let Action::PlaceOrder(place) = &sell.action else {
                return None;
            };
            let action = action(&mut making, place.owner, OrderRef::Number(number))?;
            Some(making.command(Reason::Trading, action))
        })
        .collect();
    measure(&mut engine, &commands, COMMANDS)
}

fn orders_that_move() -> anyhow::Result<u32> {
    of_sells(|making, owner, order| {
        Some(Action::AmendOrder(AmendOrder {
            market: MARKET,
            owner,
            order,
            // Where none of them lies, so that each moves.
            price: Some(price(MIDDLE + 500 + making.draw.below(500))),
            quantity: None,
        }))
    })
}

fn orders_that_are_cancelled() -> anyhow::Result<u32> {
    of_sells(|_, owner, order| {
        Some(Action::CancelOrder {
            market: MARKET,
            owner,
            order,
        })
    })
}

/// What happens to a book that knows no money.
enum Deed {
    Place(Place),
    Cancel(OrderNo),
    Move(OrderNo, u64),
}

#[inline(never)]
fn measured_book(book: &mut Book, deeds: &[Deed], events: &mut Vec<Event>) -> usize {
    let mut seen = 0;
    for deed in deeds {
        match deed {
            Deed::Place(place) => {
                let _ = book.place(place, false, events);
            }
            Deed::Cancel(order) => {
                if let Some(slot) = book.find(*order) {
                    book.cancel(slot, ferrex_matching::End::Cancelled, events);
                }
            }
            Deed::Move(order, limit) => {
                if let Some(slot) = book.find(*order) {
                    let total = book.view(slot).total;
                    // A move of one that may not move is refused, which is work too.
                    let _ = book.amend(slot, *limit, total, false, events);
                }
            }
        }
        seen += events.len();
        events.clear();
    }
    seen
}

/// The mix of `ferrex-bench matching`: of 100 commands 12 place, 6 cancel and 82 move an order.
fn book() -> anyhow::Result<u32> {
    let mut making = Making::new();
    let mut book = Book::new(Sizes::default());
    let mut placed = 1_000;
    for _ in 0..placed {
        book.place(&place(&mut making), false, &mut Vec::new())?;
    }
    let deeds: Vec<_> = (0..COMMANDS)
        .map(|_| match making.draw.below(100) {
            0..12 => {
                placed += 1;
                Deed::Place(place(&mut making))
            }
            draw => {
                let order = OrderNo(u64::from(1 + making.draw.below(placed)));
                // Whichever side it is on, it stays near the middle.
                let limit = u64::from(MIDDLE - 500 + making.draw.below(1_000));
                if draw < 18 {
                    Deed::Cancel(order)
                } else {
                    Deed::Move(order, limit)
                }
            }
        })
        .collect();
    let seen = measured_book(&mut book, &deeds, &mut Vec::new());
    ensure!(seen > 0, "nothing happened in the book");
    Ok(COMMANDS)
}

/// An order near the middle, or a bit over it.
fn place(making: &mut Making) -> Place {
    let side = if making.draw.below(2) == 0 {
        Side::Buy
    } else {
        Side::Sell
    };
    let away = making.draw.below(520);
    let limit = match side {
        Side::Buy => MIDDLE + 20 - away,
        Side::Sell => MIDDLE - 20 + away,
    };
    Place {
        // Sellers are even and buyers odd, so that nobody meets an order of their own.
        owner: making.draw.below(PEOPLE) * 2 + u32::from(side == Side::Buy),
        side,
        limit: limit.into(),
        lots: u64::from(1 + making.draw.below(100)),
        value: 0,
        market: false,
        tif: Tif::Gtc,
        display: 0,
        stop: 0,
        expires_at: NEVER,
        self_trade: SelfTrade::CancelNewest,
    }
}
