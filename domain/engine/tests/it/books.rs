//! The rules of books one by one.

use ferrex_engine_core::{
    Action, Command, End, OrderKind, OrderRef, OrderReport, Outcome, Refusal, RowKind, SelfTrade, Side, Tif,
};
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::from_micros;
use uuid::Uuid;

use crate::actions::{amend, fees, market, place, queue};
use crate::support::{BASE, Desk, MARKET, QUOTE, buy, cancel, limit, sell, user};

#[test]
fn a_trade_moves_both_assets_and_its_fees_in_one_command() {
    let mut desk = Desk::open(2, 10_000);
    desk.must(fees(1_000, 20_000));
    desk.must(sell(0, 100, 10));
    assert_eq!(desk.wallet(user(0), BASE), (10_000, 100));
    // The limit is better than the price: only the price is paid, and nothing stays held.
    desk.must(buy(1, 120, 4));
    assert_eq!(desk.trades(), [(100, 4)]);
    // 40 units of base cost 100 × 4 × 5 = 2,000; fees are 2 of the seller (maker), 0.8 rounded up of the buyer.
    assert_eq!(desk.wallet(user(0), BASE), (9_960, 60));
    assert_eq!(desk.wallet(user(0), QUOTE), (11_998, 0));
    assert_eq!(desk.wallet(user(1), BASE), (10_039, 0));
    assert_eq!(desk.wallet(user(1), QUOTE), (8_000, 0));
    assert_eq!((desk.fees(BASE), desk.fees(QUOTE)), (1, 2));
    let kinds: Vec<RowKind> = desk.batch.rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [RowKind::Trade, RowKind::Trade, RowKind::OrderPlaced]);
    desk.close(2);
}

#[test]
fn a_repeated_command_has_the_first_answer_and_trades_once() {
    let mut desk = Desk::open(2, 10_000);
    desk.must(sell(0, 100, 10));
    let command = desk.command(buy(1, 100, 3));
    desk.apply(&command).unwrap();
    let (hash, sequence) = (desk.engine.state_hash(), desk.engine.sequence());
    desk.batch.clear();
    let again = desk.engine.apply(&command, &mut desk.batch);
    assert_eq!(again, Outcome::Applied { sequence });
    assert!(desk.batch.is_empty());
    let other = Command {
        action: buy(1, 100, 4),
        ..command
    };
    let refused = desk.engine.apply(&other, &mut desk.batch);
    assert!(matches!(
        refused,
        Outcome::Refused {
            refusal: Refusal::IdReused,
            ..
        }
    ));
    assert_eq!(desk.engine.state_hash(), hash);
    desk.close(2);
}

#[test]
fn prices_then_time_decide_who_trades() {
    let mut desk = Desk::open(4, 100_000);
    for (person, ticks) in [(0, 101), (1, 100), (2, 100), (0, 99)] {
        desk.must(sell(person, ticks, 5));
    }
    desk.must(buy(3, 101, 17));
    let makers: Vec<u64> = desk
        .batch
        .rows
        .iter()
        .filter(|row| row.kind == RowKind::Trade && row.order.unwrap().flags.is_maker())
        .map(|row| row.order.unwrap().order.0)
        .collect();
    assert_eq!(makers, [4, 2, 3, 1]);
    assert_eq!(desk.trades(), [(99, 5), (100, 5), (100, 5), (101, 2)]);
    desk.close(4);
}

#[test]
fn less_keeps_the_place_and_anything_else_loses_it() {
    let mut desk = Desk::open(3, 100_000);
    for person in 0..3 {
        desk.must(sell(person, 100, 10));
    }
    desk.must(amend(0, 1, None, Some(4)));
    assert_eq!(queue(&desk), [1, 2, 3]);
    assert_eq!(desk.wallet(user(0), BASE), (100_000, 40));
    desk.must(amend(0, 1, None, Some(6)));
    assert_eq!(queue(&desk), [2, 3, 1]);
    desk.must(amend(1, 2, Some(101), None));
    desk.must(amend(1, 2, Some(100), None));
    assert_eq!(queue(&desk), [3, 1, 2]);
    assert_eq!(
        desk.send(amend(1, 2, Some(100), Some(10))),
        Err(Refusal::NothingToDo)
    );
    assert_eq!(desk.send(amend(0, 2, Some(99), None)), Err(Refusal::OrderUnknown));
    // What has traded counts: 3 of 10 are gone, so a quantity of 3 ends the order.
    desk.must(buy(0, 100, 3));
    desk.must(amend(2, 3, None, Some(3)));
    assert_eq!(queue(&desk), [1, 2]);
    desk.close(3);
}

#[test]
fn an_amendment_that_crosses_trades_at_once() {
    let mut desk = Desk::open(2, 100_000);
    desk.must(sell(0, 100, 5));
    desk.must(buy(1, 90, 8));
    desk.must(amend(1, 2, Some(110), Some(9)));
    assert_eq!(desk.trades(), [(100, 5)]);
    assert_eq!(desk.wallet(user(1), QUOTE), (100_000 - 2_500, 110 * 4 * 5));
    let kinds: Vec<RowKind> = desk.batch.rows.iter().map(|row| row.kind).collect();
    assert_eq!(
        kinds,
        [
            RowKind::OrderLifted,
            RowKind::Trade,
            RowKind::Trade,
            RowKind::OrderSet
        ]
    );
    desk.close(2);
}

#[test]
fn an_iceberg_shows_a_part_and_goes_to_the_end_with_the_next() {
    let mut desk = Desk::open(3, 100_000);
    let mut iceberg = limit(user(0), Side::Sell, 100, 10, Tif::Gtc);
    iceberg.terms.display = Some(Amount::new(30));
    desk.must(place(iceberg));
    desk.must(sell(1, 100, 4));
    let shown: Vec<_> = desk.engine.book(MARKET).unwrap().depth(Side::Sell).collect();
    assert_eq!(shown, [(100, 7)]);
    desk.must(buy(2, 100, 9));
    assert_eq!(desk.trades(), [(100, 3), (100, 4), (100, 2)]);
    // All of it can be had at once, by an order that wants all or nothing.
    desk.must(place(limit(user(2), Side::Buy, 100, 5, Tif::Fok)));
    assert_eq!(desk.trades(), [(100, 1), (100, 3), (100, 1)]);
    desk.close(3);
}

#[test]
fn what_cannot_happen_at_once_is_refused_or_dropped() {
    let mut desk = Desk::open(2, 100_000);
    desk.must(sell(0, 100, 5));
    let order = |tif, lots| place(limit(user(1), Side::Buy, 100, lots, tif));
    assert_eq!(desk.send(order(Tif::Fok, 6)), Err(Refusal::NotFillable));
    assert_eq!(desk.send(order(Tif::PostOnly, 1)), Err(Refusal::WouldTake));
    desk.must(order(Tif::Ioc, 6));
    assert_eq!(desk.trades(), [(100, 5)]);
    assert!(queue(&desk).is_empty());
    let placed = desk.batch.rows.last().unwrap().order.unwrap();
    assert_eq!(
        (placed.left, placed.flags.end()),
        (0, Some(ferrex_engine_core::End::Unfilled))
    );
    desk.must(order(Tif::PostOnly, 1));
    // One that found nothing at all has taken a number for ever.
    desk.restart();
    desk.must(place(limit(user(1), Side::Buy, 99, 1, Tif::Ioc)));
    desk.restart();
    desk.close(2);
}

#[test]
fn a_market_order_stops_at_its_protection_price() {
    let mut desk = Desk::open(2, 100_000);
    assert_eq!(
        desk.send(market(1, Side::Buy, 5, 4_999)),
        Err(Refusal::InsufficientAvailable)
    );
    let hash = desk.engine.state_hash();
    assert_eq!(desk.send(market(1, Side::Buy, 5, 200)), Err(Refusal::NoLiquidity));
    assert_eq!(desk.engine.state_hash(), hash);
    desk.must(sell(0, 100, 5));
    desk.must(sell(0, 130, 5));
    assert_eq!(desk.send(market(1, Side::Buy, 5, 99)), Err(Refusal::NoLiquidity));
    desk.must(market(1, Side::Buy, 8, 120));
    assert_eq!(desk.trades(), [(100, 5)]);
    assert_eq!(desk.wallet(user(1), QUOTE), (97_500, 0));
    desk.close(2);
}

#[test]
fn h047_a_buy_by_value_spends_no_more_and_dust_stays_with_its_owner() {
    let mut desk = Desk::open(2, 100_000);
    desk.must(sell(0, 100, 5));
    desk.must(sell(0, 101, 5));
    let by_value = |value| {
        let mut order = limit(user(1), Side::Buy, 1, 1, Tif::Ioc);
        order.kind = OrderKind::MarketByValue {
            value: Amount::new(value),
            protection: Amount::new(5 * 200),
        };
        place(order)
    };
    assert_eq!(desk.send(by_value(499)), Err(Refusal::TooSmall));
    // 5 lots at 500, then 2 at 505; 489 of the value buy nothing and are not touched.
    desk.must(by_value(2_500 + 1_010 + 489));
    assert_eq!(desk.trades(), [(100, 5), (101, 2)]);
    assert_eq!(desk.wallet(user(1), QUOTE), (100_000 - 3_510, 0));
    let mut wrong = limit(user(1), Side::Sell, 1, 1, Tif::Ioc);
    wrong.kind = OrderKind::MarketByValue {
        value: Amount::new(1_000),
        protection: Amount::new(5),
    };
    assert_eq!(desk.send(place(wrong)), Err(Refusal::OrderShape));
    desk.close(2);
}

#[test]
fn orders_of_one_person_never_trade_with_each_other() {
    for (mode, own_left, foreign_left, bought) in [
        (SelfTrade::CancelOldest, None, Some(2), 3),
        (SelfTrade::CancelBoth, None, Some(5), 0),
        (SelfTrade::Decrement, Some(1), Some(5), 0),
    ] {
        let mut desk = Desk::open(2, 100_000);
        desk.must(sell(0, 100, 4));
        desk.must(sell(1, 100, 5));
        let mut order = limit(user(0), Side::Buy, 100, 3, Tif::Gtc);
        order.terms.self_trade = mode;
        desk.must(place(order));
        let left = |number| {
            let open = desk.engine.open_orders(MARKET);
            open.iter()
                .find(|state| state.open.order.0 == number)
                .map(|state| state.open.left)
        };
        assert_eq!(
            (left(1), left(2), left(3)),
            (own_left, foreign_left, None),
            "{mode:?}"
        );
        let traded: u64 = desk.trades().iter().map(|(_, lots)| lots).sum();
        assert_eq!(traded, bought, "{mode:?}");
        desk.close(2);
    }
    let mut desk = Desk::open(2, 100_000);
    desk.must(sell(1, 99, 1));
    desk.must(sell(0, 100, 4));
    // After the first trade its own order stops it; before, it is refused.
    desk.must(buy(0, 100, 3));
    assert_eq!(desk.trades(), [(99, 1)]);
    assert_eq!(desk.send(buy(0, 100, 3)), Err(Refusal::SelfTrade));
    desk.close(2);
}

#[test]
fn a_client_id_names_one_open_order_of_its_owner() {
    let mut desk = Desk::open(2, 100_000);
    let named = |person: u128, ticks| {
        let mut order = limit(user(person), Side::Sell, ticks, 1, Tif::Gtc);
        order.terms.client = Some(Uuid::from_u128(77));
        place(order)
    };
    let by_name = |person: u128| Action::CancelOrder {
        market: MARKET,
        owner: user(person),
        order: OrderRef::Client(Uuid::from_u128(77)),
    };
    desk.must(named(0, 100));
    desk.must(named(1, 101));
    assert_eq!(desk.send(named(0, 102)), Err(Refusal::ClientIdTaken));
    desk.must(buy(1, 100, 1));
    // Filled, so the name is free again; the other's is not touched.
    assert_eq!(desk.send(by_name(0)), Err(Refusal::OrderUnknown));
    desk.must(named(0, 102));
    desk.must(by_name(0));
    desk.must(by_name(1));
    desk.close(2);
}

#[test]
fn orders_expire_by_a_command_that_brings_the_time() {
    let mut desk = Desk::open(1, 100_000);
    let until = |at| {
        let mut order = limit(user(0), Side::Sell, 100, 1, Tif::Gtc);
        order.terms.expires_at = Some(from_micros(at));
        place(order)
    };
    let expire = |at| Action::ExpireOrders {
        market: MARKET,
        now: from_micros(at),
    };
    desk.must(until(5_000));
    desk.must(until(4_000));
    desk.must(sell(0, 100, 1));
    assert_eq!(desk.send(until(1_000)), Err(Refusal::ExpiryPast));
    assert_eq!(desk.send(expire(3_999)), Err(Refusal::NothingToDo));
    assert!(!desk.engine.has_due_orders(MARKET, from_micros(3_999)));
    assert!(desk.engine.has_due_orders(MARKET, from_micros(4_000)));
    desk.must(expire(4_000));
    assert_eq!(queue(&desk), [1, 3]);
    desk.must(expire(9_000));
    assert_eq!(queue(&desk), [3]);
    desk.close(1);
}

#[test]
fn what_is_held_by_an_order_can_be_neither_paid_nor_ordered_twice() {
    let mut desk = Desk::open(2, 1_000);
    desk.must(sell(0, 100, 60));
    assert_eq!(desk.send(sell(0, 100, 41)), Err(Refusal::InsufficientAvailable));
    let pay = Action::Transfer(vec![ferrex_engine_core::Step::Move {
        debit: Account::wallet(user(0)),
        credit: Account::house(Purpose::Capital),
        asset: AssetId(BASE),
        amount: Amount::new(401),
    }]);
    assert_eq!(desk.send(pay), Err(Refusal::InsufficientAvailable));
    desk.must(sell(0, 100, 40));
    desk.close(2);
}

#[test]
fn an_order_is_told_with_all_that_its_command_made_of_it() {
    let mut desk = Desk::open(3, 100_000);
    desk.must(fees(1_000, 20_000));
    let told = |desk: &Desk| OrderReport::read(&desk.batch.rows).unwrap();
    // A stop of the third person waits to sell; what comes first trades with the book, then rests, and the stop that it
    // triggers sells to it.
    desk.must(sell(0, 100, 4));
    let mut stop = limit(user(2), Side::Sell, 90, 3, Tif::Gtc);
    stop.terms.stop = Some(Amount::new(5 * 100));
    desk.must(place(stop));
    assert_eq!((told(&desk).waiting, told(&desk).end), (true, None));
    desk.must(buy(1, 100, 6));
    let report = told(&desk);
    // 60 units cost 100 × 6 × 5; as a taker of 40 units the fee is 0.8, as a maker of 20 it is 0.02, each rounded up.
    assert_eq!(
        (report.filled.units(), report.value.units(), report.fee.units()),
        (60, 3_000, 2)
    );
    assert_eq!(
        (report.end, report.lots, report.waiting),
        (Some(End::Filled), 6, false)
    );
    // What is left of an order that may not rest ends with it.
    desk.must(place(limit(user(1), Side::Buy, 95, 5, Tif::Ioc)));
    assert_eq!(
        (told(&desk).filled.units(), told(&desk).end),
        (10, Some(End::Unfilled))
    );
    // A stop whose price is reached already, which meets an order of its own person and rests with what is left.
    desk.must(buy(2, 95, 2));
    let mut stop = limit(user(2), Side::Sell, 92, 5, Tif::Gtc);
    stop.terms.stop = Some(Amount::new(5 * 100));
    stop.terms.self_trade = SelfTrade::Decrement;
    desk.must(place(stop));
    let report = told(&desk);
    assert_eq!(
        (report.end, report.lots, report.waiting, report.filled.units()),
        (None, 3, false, 0)
    );
    // A command that places no order tells of none.
    desk.must(buy(1, 80, 1));
    desk.must(cancel(1, 7));
    assert_eq!(OrderReport::read(&desk.batch.rows), None);
    desk.close(3);
}
