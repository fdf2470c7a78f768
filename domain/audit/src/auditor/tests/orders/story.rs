//! Books with one market, where two people trade.

use super::super::*;
use crate::OpenOrderFact;
use crate::rules::{LIFTED, MARKET_CREATED, ORDER_ENDED, ORDER_PLACED, ORDER_SET, TIER_SET, TRADE};

pub(super) const MARKET_SET: i64 = 13;
pub(super) const FEES_SET: i64 = 14;

pub(super) const BASE: i64 = 1;
pub(super) const QUOTE: i64 = 2;

pub(super) const BASE_ADDRESSES: i64 = 1;
pub(super) const ALICE_BASE: i64 = 2;
pub(super) const QUOTE_ADDRESSES: i64 = 3;
pub(super) const BOB_QUOTE: i64 = 4;
pub(super) const BASE_FEES: i64 = 5;
pub(super) const QUOTE_FEES: i64 = 6;
pub(super) const SUSPENSE: i64 = 7;
pub(super) const ALICE_QUOTE: i64 = 8;
pub(super) const BOB_BASE: i64 = 9;

// Places in the story.
pub(super) const CREATED: usize = 2;
pub(super) const FEES_ROW: usize = 4;
pub(super) const TIER: usize = 5;
pub(super) const STATE: usize = 6;
pub(super) const ASK: usize = 7;
pub(super) const TAKER_PAYS: usize = 8;
pub(super) const MAKER_PAYS: usize = 9;
pub(super) const BUY: usize = 10;
pub(super) const BID: usize = 11;
pub(super) const BID_PAYS: usize = 12;
pub(super) const SELLER_PAYS: usize = 13;
pub(super) const BID_SET: usize = 15;
pub(super) const ASK_LIFTED: usize = 16;
pub(super) const ASK_SET: usize = 17;
pub(super) const BID_ENDED: usize = 18;

/// A row whose id and command are still to be given.
pub(super) fn line(kind: i64, reason: i64, debit: i64, credit: i64, asset: i64, amount: u64) -> RowFact {
    RowFact {
        asset,
        ..row(0, kind, reason, debit, credit, amount)
    }
}

pub(super) fn of_order(order: i64, row: RowFact) -> RowFact {
    RowFact {
        order: Some(OrderFact {
            market: 1,
            order,
            maker: false,
            fee: units(0),
        }),
        ..row
    }
}

pub(super) fn admin(kind: i64) -> RowFact {
    of_order(0, line(kind, 13, 0, 0, 0, 0))
}

/// A row of a person's order; `debit` pays or sets aside, `credit` is paid.
pub(super) fn of_trader(kind: i64, order: i64, debit: i64, credit: i64, amount: u64) -> RowFact {
    let asset = match debit {
        ALICE_BASE | BOB_BASE => BASE,
        _ => QUOTE,
    };
    of_order(order, line(kind, 12, debit, credit, asset, amount))
}

/// One leg of a trade, paid by an order that rested or by one that came.
pub(super) fn leg(maker: bool, fee: u64, row: RowFact) -> RowFact {
    let order = row.order.map(|order| OrderFact {
        maker,
        fee: units(fee),
        ..order
    });
    RowFact { order, ..row }
}

/// Commands one after the other, their rows numbered.
pub(super) fn journal(commands: &[Vec<RowFact>]) -> Vec<RowFact> {
    let mut rows = Vec::new();
    for (command, fingerprint) in commands.iter().zip(1..) {
        let own = uuid(0xc000 + u128::try_from(fingerprint).unwrap());
        for row in command {
            let id = i64::try_from(rows.len()).unwrap() + 1;
            rows.push(RowFact {
                id,
                command: own,
                fingerprint,
                reference: own,
                last: false,
                ..*row
            });
        }
        rows.last_mut().unwrap().last = true;
    }
    rows
}

pub(super) struct Story {
    pub(super) accounts: Vec<AccountFact>,
    pub(super) rows: Vec<RowFact>,
    pub(super) projection: Projection,
}

/// Alice and Bob have something, and the operator has made a market.
pub(super) fn opening() -> Vec<Vec<RowFact>> {
    vec![
        vec![line(MOVE, 1, BASE_ADDRESSES, ALICE_BASE, BASE, 1000)],
        vec![line(MOVE, 1, QUOTE_ADDRESSES, BOB_QUOTE, QUOTE, 5000)],
        vec![RowFact {
            debit: BASE_FEES,
            credit: QUOTE_FEES,
            ..admin(MARKET_CREATED)
        }],
        vec![line(MOVE, 10, QUOTE_ADDRESSES, SUSPENSE, QUOTE, 7)],
        vec![admin(FEES_SET)],
        vec![admin(TIER_SET)],
        vec![admin(MARKET_SET)],
    ]
}

/// The opening and what follows it; stored is what Alice, Bob and the fees accounts have of base and quote asset,
/// and what Alice's order 1 has set aside.
pub(super) fn story_of(commands: Vec<Vec<RowFact>>, [alice, bob, fees]: [(u64, u64); 3], held: u64) -> Story {
    let rows = journal(&[opening(), commands].concat());
    let (owner_a, owner_b) = (Some(0xa1), Some(0xb0));
    let projection = Projection {
        journal_id: i64::try_from(rows.len()).unwrap(),
        balances: vec![
            balance(BASE_ADDRESSES, 1000, 0),
            balance(ALICE_BASE, alice.0, held),
            balance(QUOTE_ADDRESSES, 5007, 0),
            balance(BOB_QUOTE, bob.1, 0),
            balance(BASE_FEES, fees.0, 0),
            balance(QUOTE_FEES, fees.1, 0),
            balance(SUSPENSE, 7, 0),
            balance(ALICE_QUOTE, alice.1, 0),
            balance(BOB_BASE, bob.0, 0),
        ],
        holds: vec![],
        orders: vec![OpenOrderFact {
            market: 1,
            order: 1,
            account: ALICE_BASE,
            held: units(held),
        }],
    };
    let accounts = vec![
        account(BASE_ADDRESSES, None, 10, BASE),
        account(ALICE_BASE, owner_a, 1, BASE),
        account(QUOTE_ADDRESSES, None, 10, QUOTE),
        account(BOB_QUOTE, owner_b, 1, QUOTE),
        account(BASE_FEES, None, 21, BASE),
        account(QUOTE_FEES, None, 21, QUOTE),
        account(SUSPENSE, None, 22, QUOTE),
        account(ALICE_QUOTE, owner_a, 1, QUOTE),
        account(BOB_BASE, owner_b, 1, BASE),
    ];
    Story {
        accounts,
        rows,
        projection,
    }
}

/// Alice offers 100 at 10, of which Bob buys 40. Bob bids for 50 at 8, of which Alice sells him 20. Bob amends the
/// rest of his bid to 25 in its place and cancels it; Alice amends the rest of her offer to 50 at another price.
pub(super) fn trading_day() -> Story {
    let commands = vec![
        vec![of_trader(ORDER_PLACED, 1, ALICE_BASE, ALICE_QUOTE, 100)],
        vec![
            leg(false, 4, of_trader(TRADE, 2, BOB_QUOTE, ALICE_QUOTE, 400)),
            leg(true, 1, of_trader(TRADE, 1, ALICE_BASE, BOB_BASE, 40)),
            of_trader(ORDER_PLACED, 2, BOB_QUOTE, BOB_BASE, 0),
        ],
        vec![of_trader(ORDER_PLACED, 3, BOB_QUOTE, BOB_BASE, 400)],
        vec![
            leg(true, 2, of_trader(TRADE, 3, BOB_QUOTE, ALICE_QUOTE, 160)),
            leg(false, 0, of_trader(TRADE, 4, ALICE_BASE, BOB_BASE, 20)),
            of_trader(ORDER_PLACED, 4, ALICE_BASE, ALICE_QUOTE, 0),
        ],
        vec![of_trader(ORDER_SET, 3, BOB_QUOTE, 0, 200)],
        vec![
            of_trader(LIFTED, 1, ALICE_BASE, 0, 60),
            of_trader(ORDER_SET, 1, ALICE_BASE, 0, 50),
        ],
        vec![of_trader(ORDER_ENDED, 3, BOB_QUOTE, 0, 200)],
        vec![RowFact {
            reason: 12,
            ..refusal(0)
        }],
    ];
    story_of(commands, [(940, 554), (59, 4440), (1, 6)], 50)
}

/// Both orders rest until the operator opens the market; Bob bids 12, pays 10, and gets the rest back.
pub(super) fn auction() -> Story {
    let operator = |row| RowFact { reason: 13, ..row };
    let commands = vec![
        vec![of_trader(ORDER_PLACED, 1, ALICE_BASE, ALICE_QUOTE, 100)],
        vec![of_trader(ORDER_PLACED, 2, BOB_QUOTE, BOB_BASE, 480)],
        vec![
            admin(MARKET_SET),
            operator(leg(true, 4, of_trader(TRADE, 2, BOB_QUOTE, ALICE_QUOTE, 400))),
            operator(leg(true, 1, of_trader(TRADE, 1, ALICE_BASE, BOB_BASE, 40))),
            operator(of_trader(ORDER_ENDED, 2, BOB_QUOTE, 0, 80)),
        ],
    ];
    story_of(commands, [(960, 396), (39, 4600), (1, 4)], 60)
}

pub(super) fn audit_of(story: Story) -> Report {
    audit_books(&story.accounts, &story.rows, story.projection, story.rows.len())
}

/// Audits the story with something changed.
pub(super) fn audit_story(change: impl FnOnce(&mut Story)) -> Report {
    let mut story = trading_day();
    change(&mut story);
    audit_of(story)
}

/// Audits the story with one row changed.
pub(super) fn audit_trading_with(place: usize, change: impl FnOnce(&mut RowFact)) -> Vec<Invariant> {
    broken(&audit_story(|story| change(&mut story.rows[place])))
}

/// Audits the story with what one row has about its order changed.
pub(super) fn audit_order_with(place: usize, change: impl FnOnce(&mut OrderFact)) -> Vec<Invariant> {
    audit_trading_with(place, |row| change(row.order.as_mut().unwrap()))
}
