//! Books with one market: what its rows must be like, and what is found when one of them is not.

mod story;

use self::story::*;
use super::*;
use crate::OpenOrderFact;
use crate::rules::ORDER_PLACED;

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
