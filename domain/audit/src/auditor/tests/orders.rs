//! Books with one market: what its rows must be like, and what is found when one of them is not.

use super::*;
use crate::OpenOrderFact;
use crate::rules::{LIFTED, MARKET_CREATED, ORDER_ENDED, ORDER_PLACED, ORDER_SET, TIER_SET, TRADE};

const MARKET_SET: i64 = 13;
const FEES_SET: i64 = 14;

const BASE: i64 = 1;
const QUOTE: i64 = 2;

const BASE_ADDRESSES: i64 = 1;
const ALICE_BASE: i64 = 2;
const QUOTE_ADDRESSES: i64 = 3;
const BOB_QUOTE: i64 = 4;
const BASE_FEES: i64 = 5;
const QUOTE_FEES: i64 = 6;
const SUSPENSE: i64 = 7;
const ALICE_QUOTE: i64 = 8;
const BOB_BASE: i64 = 9;

// Places in the story.
const CREATED: usize = 2;
const FEES_ROW: usize = 4;
const TIER: usize = 5;
const STATE: usize = 6;
const ASK: usize = 7;
const TAKER_PAYS: usize = 8;
const MAKER_PAYS: usize = 9;
const BUY: usize = 10;
const BID: usize = 11;
const BID_PAYS: usize = 12;
const SELLER_PAYS: usize = 13;
const BID_SET: usize = 15;
const ASK_LIFTED: usize = 16;
const ASK_SET: usize = 17;
const BID_ENDED: usize = 18;

/// A row whose id and command are still to be given.
fn line(kind: i64, reason: i64, debit: i64, credit: i64, asset: i64, amount: u64) -> RowFact {
    RowFact {
        asset,
        ..row(0, kind, reason, debit, credit, amount)
    }
}

fn of_order(order: i64, row: RowFact) -> RowFact {
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

fn admin(kind: i64) -> RowFact {
    of_order(0, line(kind, 13, 0, 0, 0, 0))
}

/// A row of a person's order; `debit` pays or sets aside, `credit` is paid.
fn of_trader(kind: i64, order: i64, debit: i64, credit: i64, amount: u64) -> RowFact {
    let asset = match debit {
        ALICE_BASE | BOB_BASE => BASE,
        _ => QUOTE,
    };
    of_order(order, line(kind, 12, debit, credit, asset, amount))
}

/// One leg of a trade, paid by an order that rested or by one that came.
fn leg(maker: bool, fee: u64, row: RowFact) -> RowFact {
    let order = row.order.map(|order| OrderFact {
        maker,
        fee: units(fee),
        ..order
    });
    RowFact { order, ..row }
}

/// Commands one after the other, their rows numbered.
fn journal(commands: &[Vec<RowFact>]) -> Vec<RowFact> {
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

struct Story {
    accounts: Vec<AccountFact>,
    rows: Vec<RowFact>,
    projection: Projection,
}

/// Alice and Bob have something, and the operator has made a market.
fn opening() -> Vec<Vec<RowFact>> {
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
fn story_of(commands: Vec<Vec<RowFact>>, [alice, bob, fees]: [(u64, u64); 3], held: u64) -> Story {
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
fn story() -> Story {
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
fn auction() -> Story {
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

fn audit_of(story: Story) -> Report {
    audit_books(&story.accounts, &story.rows, story.projection, story.rows.len())
}

/// Audits the story with something changed.
fn audit_story(change: impl FnOnce(&mut Story)) -> Report {
    let mut story = story();
    change(&mut story);
    audit_of(story)
}

/// Audits the story with one row changed.
fn audit_trading_with(place: usize, change: impl FnOnce(&mut RowFact)) -> Vec<Invariant> {
    broken(&audit_story(|story| change(&mut story.rows[place])))
}

/// Audits the story with what one row has about its order changed.
fn audit_order_with(place: usize, change: impl FnOnce(&mut OrderFact)) -> Vec<Invariant> {
    audit_trading_with(place, |row| change(row.order.as_mut().unwrap()))
}

#[test]
fn clean_markets_are_clean() {
    let report = audit_story(|_| {});
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.rows, report.commands, report.refused), (20, 15, 1));
}

#[test]
fn an_auction_is_clean() {
    let report = audit_of(auction());
    assert!(report.is_clean(), "{report}");
}

#[test]
fn i01_an_admin_row_that_moves_something_is_found() {
    for place in [FEES_ROW, TIER, STATE] {
        assert_eq!(
            audit_trading_with(place, |row| row.amount = units(1)),
            [Invariant::I01]
        );
        assert_eq!(
            audit_trading_with(place, |row| row.debit = BOB_QUOTE),
            [Invariant::I01]
        );
        assert_eq!(
            audit_trading_with(place, |row| row.credit = BOB_QUOTE),
            [Invariant::I01]
        );
    }
}

#[test]
fn i01_a_trading_row_that_is_refused_or_has_a_hold_is_found() {
    for place in [TIER, ASK, MAKER_PAYS, BUY, ASK_LIFTED, BID_SET, BID_ENDED] {
        assert_eq!(audit_trading_with(place, |row| row.refusal = 3), [Invariant::I01]);
        assert_eq!(
            audit_trading_with(place, |row| row.hold = Some(uuid(9))),
            [Invariant::I01]
        );
    }
}

#[test]
fn i01_a_trade_of_nothing_is_found() {
    let nothing = |place| audit_trading_with(place, |row| row.amount = units(0));
    assert_eq!(nothing(SELLER_PAYS), [Invariant::I01, Invariant::I02]);
}

#[test]
fn i01_a_trade_of_another_asset_is_found() {
    assert_eq!(
        audit_trading_with(TAKER_PAYS, |row| row.credit = BOB_BASE),
        [Invariant::I01, Invariant::I02]
    );
    assert_eq!(
        audit_trading_with(SELLER_PAYS, |row| row.asset = QUOTE),
        [Invariant::I01, Invariant::I02]
    );
}

#[test]
fn i01_a_fee_that_exceeds_its_trade_is_found() {
    let fee = |fee| audit_order_with(TAKER_PAYS, |order| order.fee = units(fee));
    assert_eq!(fee(400), [Invariant::I02]);
    assert_eq!(fee(401), [Invariant::I01, Invariant::I02]);
}

#[test]
fn i01_a_fee_without_a_fees_account_is_found() {
    let report = audit_story(|story| story.accounts[5].purpose = 20);
    assert_eq!(broken(&report), [Invariant::I01, Invariant::I02, Invariant::I03]);
    assert!(
        details(&report).contains(&"row 9 has a fee that cannot be"),
        "{report}"
    );
}

#[test]
fn i02_a_fee_that_is_not_what_was_booked_is_found() {
    assert_eq!(
        audit_order_with(TAKER_PAYS, |order| order.fee = units(5)),
        [Invariant::I02]
    );
    assert_eq!(
        audit_order_with(SELLER_PAYS, |order| order.fee = units(1)),
        [Invariant::I02]
    );
}

#[test]
fn i02_a_trade_of_another_amount_is_found() {
    assert_eq!(
        audit_trading_with(BID_PAYS, |row| row.amount = units(161)),
        [Invariant::I02]
    );
}

#[test]
fn i02_an_open_order_that_is_not_as_its_rows_say_is_found() {
    let changed = |change: fn(&mut OpenOrderFact)| {
        let report = audit_story(|story| change(&mut story.projection.orders[0]));
        assert_eq!(broken(&report), [Invariant::I02]);
        report.findings
    };
    let other = "order 1 of market 1 is not as its rows say";
    let held = changed(|order| order.held = units(49));
    assert_eq!(
        (held.len(), held[0].asset, held[0].detail.as_str()),
        (1, Some(BASE), other)
    );
    let account = changed(|order| order.account = ALICE_QUOTE);
    assert_eq!(
        (account.len(), account[0].asset, account[0].detail.as_str()),
        (1, Some(QUOTE), other)
    );
    let missing = "order 1 of market 1 is not stored";
    let market = changed(|order| order.market = 2);
    assert_eq!(
        (market.len(), market[1].asset, market[1].detail.as_str()),
        (2, None, missing)
    );
    let report = audit_story(|story| story.projection.orders.clear());
    assert_eq!(details(&report), [missing]);
}

#[test]
fn i03_a_market_without_fees_accounts_is_found() {
    for account in [0, ALICE_BASE, SUSPENSE, 99] {
        assert_eq!(
            audit_trading_with(CREATED, |row| row.debit = account),
            [Invariant::I03]
        );
        assert_eq!(
            audit_trading_with(CREATED, |row| row.credit = account),
            [Invariant::I03]
        );
    }
}

#[test]
fn i03_a_market_with_one_fees_account_or_an_amount_is_found() {
    assert_eq!(
        audit_trading_with(CREATED, |row| row.credit = row.debit),
        [Invariant::I03]
    );
    assert_eq!(
        audit_trading_with(CREATED, |row| row.amount = units(1)),
        [Invariant::I01]
    );
}

#[test]
fn i03_a_trade_with_the_house_is_found() {
    assert_eq!(
        audit_trading_with(TAKER_PAYS, |row| row.credit = SUSPENSE),
        [Invariant::I02, Invariant::I03]
    );
}

#[test]
fn i03_a_row_that_its_reason_has_not_is_found() {
    assert_eq!(audit_trading_with(ASK, |row| row.reason = 13), [Invariant::I03]);
    assert_eq!(audit_trading_with(TIER, |row| row.reason = 12), [Invariant::I03]);
}

#[test]
fn i05_an_order_of_an_account_that_is_no_wallet_of_its_asset_is_found() {
    // What a wrong row does not set aside, the later rows of the order cannot take.
    let of = |account| audit_trading_with(ASK, |row| row.debit = account);
    let all = [Invariant::I05, Invariant::I06];
    assert_eq!(of(BASE_FEES), all);
    assert_eq!(of(ALICE_QUOTE), all);
    assert_eq!(of(0), all);
}

#[test]
fn i05_an_order_beyond_what_its_owner_has_is_found() {
    assert_eq!(
        audit_trading_with(ASK_SET, |row| row.amount = units(941)),
        [Invariant::I02, Invariant::I05]
    );
    assert_eq!(
        audit_trading_with(ASK_SET, |row| row.amount = units(940)),
        [Invariant::I02]
    );
}

#[test]
fn i06_a_trading_row_without_an_order_is_found() {
    for place in [FEES_ROW, STATE, ASK] {
        assert_eq!(
            audit_trading_with(place, |row| row.order = None),
            [Invariant::I06]
        );
    }
}

#[test]
fn i06_a_maker_that_pays_what_it_has_not_set_aside_is_found() {
    assert_eq!(
        audit_order_with(TAKER_PAYS, |order| order.maker = true),
        [Invariant::I06]
    );
    assert_eq!(
        audit_order_with(MAKER_PAYS, |order| order.maker = false),
        [Invariant::I06]
    );
    assert_eq!(
        audit_order_with(BID_PAYS, |order| order.order = 1),
        [Invariant::I06]
    );
    assert_eq!(
        audit_order_with(BID_PAYS, |order| order.market = 2),
        [Invariant::I06]
    );
    let report = audit_story(|story| story.rows[BID_PAYS].amount = units(401));
    assert_eq!(broken(&report), [Invariant::I02, Invariant::I06]);
    assert_eq!(details(&report)[0], "row 13 takes from order 3 what it has not");
}

#[test]
fn i06_an_order_that_is_placed_again_is_found() {
    let report = audit_story(|story| {
        story.rows[BID].order = story.rows[ASK].order;
    });
    assert_eq!(details(&report)[0], "row 12 places order 1 again");
    let report = audit_story(|story| {
        let again = RowFact {
            id: 21,
            ..of_trader(ORDER_PLACED, 3, BOB_QUOTE, BOB_BASE, 0)
        };
        story.rows.push(again);
    });
    assert_eq!(details(&report), ["row 21 places order 3 again"]);
}

#[test]
fn i03_an_order_that_buys_for_somebody_else_is_found() {
    for place in [ASK, BID] {
        for account in [0, 99, BASE_FEES, SUSPENSE] {
            let broken = audit_trading_with(place, |row| row.credit = account);
            assert_eq!(broken, [Invariant::I03], "account {account}");
        }
    }
    let report = audit_story(|story| story.rows[ASK].credit = BOB_QUOTE);
    assert_eq!(
        details(&report),
        ["row 8 places an order that buys for account 4"]
    );
}

#[test]
fn i06_what_happens_to_an_order_that_was_never_placed_is_found() {
    for place in [ASK_LIFTED, ASK_SET, BID_SET, BID_ENDED] {
        let report = audit_story(|story| {
            let row = &mut story.rows[place];
            row.amount = units(0);
            row.order.as_mut().unwrap().order = 9;
        });
        let id = place + 1;
        let detail = format!("row {id} gives back what order 9 has not");
        assert!(details(&report).contains(&detail.as_str()), "{report}");
    }
}

#[test]
fn i06_an_order_that_gives_back_more_or_less_than_all_is_found() {
    let amount = |place, amount| audit_trading_with(place, |row| row.amount = units(amount));
    for amount_of in [59, 61] {
        assert_eq!(amount(ASK_LIFTED, amount_of), [Invariant::I06]);
    }
    for amount_of in [199, 201] {
        assert_eq!(amount(BID_ENDED, amount_of), [Invariant::I02, Invariant::I06]);
    }
}

#[test]
fn i06_an_order_that_gives_back_to_another_account_is_found() {
    for place in [BID_ENDED, BID_SET] {
        assert_eq!(
            audit_trading_with(place, |row| row.debit = ALICE_QUOTE),
            [Invariant::I02, Invariant::I06]
        );
    }
}
