//! Chosen streams of commands that random ones seldom make.

use ferrex_engine_core::{
    Action, AmendOrder, FeeRate, MarketSpec, MarketState, OrderKind, OrderRef, Refusal, RowKind, SelfTrade,
    Side, Sizes, Tif,
};
use ferrex_money::Amount;
use ferrex_time::from_micros;

use crate::generator::Random;
use crate::support::{BASE, Desk, MARKET, QUOTE, buy, deposit, limit, sell, spec, user};

fn market(owner: u128, side: Side, lots: u64, protection: u64) -> Action {
    let mut order = limit(user(owner), side, 1, 1, Tif::Ioc);
    order.kind = OrderKind::Market {
        quantity: Amount::new(10 * u128::from(lots)),
        protection: Amount::new(5 * u128::from(protection)),
    };
    Action::PlaceOrder(order)
}

#[test]
fn one_order_sweeps_a_thousand_levels() {
    let mut desk = Desk::open(2, 1 << 40);
    for level in 0..1_000 {
        // Not in order, and beyond the flat part of the ladder.
        desk.must(sell(0, 1 + level * 7 % 1_000 * 4, 2));
    }
    desk.restart();
    desk.must(market(1, Side::Buy, 1_999, 5_000));
    let trades = desk.trades();
    assert_eq!(trades.len(), 1_000);
    assert!(trades.is_sorted());
    let spent: u128 = trades
        .iter()
        .map(|(price, lots)| 5 * u128::from(price * lots))
        .sum();
    assert_eq!(desk.wallet(user(1), QUOTE), ((1 << 40) - spent, 0));
    assert_eq!(desk.wallet(user(1), BASE), ((1 << 40) + 19_990, 0));
    assert_eq!(desk.engine.open_orders(MARKET).len(), 1);
    desk.close(2);
}

#[test]
fn an_avalanche_of_stops_is_cut_and_goes_on_with_the_next_command() {
    let mut desk = Desk::open(3, 1 << 40);
    desk.must(buy(1, 2_000, 1));
    for level in 1..=700 {
        desk.must(buy(1, 2_000 - level, 1));
        let mut stop = limit(user(2), Side::Sell, 2_000 - level, 1, Tif::Gtc);
        stop.terms.stop = Some(Amount::new(5 * (2_001 - u128::from(level))));
        desk.must(Action::PlaceOrder(stop));
    }
    // The first trade triggers the first stop, whose trade triggers the second …
    desk.must(sell(0, 2_000, 1));
    let triggered = |desk: &Desk| {
        let rows = desk.batch.rows.iter();
        rows.filter(|row| row.kind == RowKind::OrderLifted)
            .map(|row| row.order.unwrap().order.0)
            .collect::<Vec<_>>()
    };
    let first = triggered(&desk);
    assert_eq!(first.len(), 256);
    assert!(first.is_sorted());
    assert_eq!(desk.trades().len(), 257);
    desk.restart();
    let now = from_micros(0);
    assert!(desk.engine.has_due_orders(MARKET, now));
    desk.must(Action::ExpireOrders { market: MARKET, now });
    assert_eq!(triggered(&desk).len(), 256);
    // Any order goes on with it.
    desk.must(buy(0, 1, 1));
    assert_eq!(triggered(&desk).len(), 700 - 512);
    assert!(!desk.engine.has_due_orders(MARKET, now));
    assert_eq!(desk.wallet(user(2), BASE), ((1 << 40) - 7_000, 0));
    desk.close(3);
}

#[test]
fn stops_wait_for_the_last_price_and_the_nearest_goes_first() {
    let mut desk = Desk::open(4, 1 << 40);
    let stop = |owner, side, at: u64, limit_at| {
        let mut order = limit(user(owner), side, limit_at, 1, Tif::Gtc);
        order.terms.stop = Some(Amount::new(5 * u128::from(at)));
        Action::PlaceOrder(order)
    };
    // Before the first trade nothing triggers.
    desk.must(stop(0, Side::Buy, 110, 120));
    desk.must(stop(1, Side::Buy, 105, 120));
    desk.must(stop(2, Side::Sell, 90, 80));
    for ticks in [104, 106, 111, 112] {
        desk.must(sell(3, ticks, 1));
    }
    desk.must(buy(0, 104, 1));
    assert_eq!(desk.trades(), [(104, 1)]);
    // 106 triggers the stop at 105, which trades at 111 and so triggers the one at 110.
    desk.must(buy(0, 106, 1));
    assert_eq!(desk.trades(), [(106, 1), (111, 1), (112, 1)]);
    // One whose price is reached already goes at once; it is held for its limit until then.
    desk.must(buy(3, 85, 1));
    desk.must(stop(2, Side::Sell, 200, 80));
    assert_eq!(desk.trades(), [(85, 1)]);
    // Its trade has reached the other sell stop, at 90, which finds no bid and rests at its limit.
    let open = desk.engine.orders_of(MARKET, user(2));
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].open.waiting, open[0].open.limit, open[0].held),
        (false, 80, 10)
    );
    desk.close(4);
}

#[test]
fn a_triggered_buy_by_value_spends_what_it_has_set_aside_and_no_more() {
    let mut desk = Desk::open(3, 100_000);
    let mut order = limit(user(0), Side::Buy, 1, 1, Tif::Ioc);
    order.kind = OrderKind::MarketByValue {
        value: Amount::new(1_204),
        protection: Amount::new(5 * 150),
    };
    order.terms.stop = Some(Amount::new(5 * 100));
    desk.must(Action::PlaceOrder(order));
    // Rounded down to what ticks and lots can make.
    assert_eq!(desk.wallet(user(0), QUOTE), (100_000, 1_200));
    desk.restart();
    desk.must(sell(1, 100, 1));
    desk.must(sell(1, 110, 5));
    desk.must(buy(2, 100, 1));
    assert_eq!(desk.trades(), [(100, 1), (110, 2)]);
    assert_eq!(desk.wallet(user(0), QUOTE), (98_900, 0));
    desk.close(3);
}

#[test]
fn a_storm_of_amendments_keeps_books_and_money_together() {
    let mut desk = Desk::open(4, 1 << 30);
    let mut random = Random(11);
    for number in 0..40 {
        let (side, at) = if number % 2 == 0 {
            (Side::Buy, 900)
        } else {
            (Side::Sell, 1_100)
        };
        let mut order = limit(user(number % 4), side, at, 20, Tif::Gtc);
        order.terms.self_trade = SelfTrade::Decrement;
        if number % 5 == 0 {
            order.terms.display = Some(Amount::new(30));
        }
        desk.must(Action::PlaceOrder(order));
    }
    let mut changed = 0;
    for turn in 0..20_000u64 {
        let number = 1 + random.below(40);
        let owner = user(u128::from((number - 1) % 4));
        let amend = AmendOrder {
            market: MARKET,
            owner,
            order: OrderRef::Number(number),
            price: Some(Amount::new(5 * u128::from(990 + random.below(20)))),
            quantity: Some(Amount::new(10 * u128::from(100 + turn / 10 + random.below(50)))),
        };
        changed += u64::from(desk.send(Action::AmendOrder(amend)).is_ok());
        if turn % 1_000 == 0 {
            desk.restart();
        }
    }
    assert!(changed > 200, "{changed} amendments happened");
    desk.close(4);
}

#[test]
fn h047_dust_is_never_lost() {
    let mut desk = Desk::new(Sizes::default());
    // One unit of either asset is a lot and a tick.
    let one = Amount::new(1);
    let dust = MarketSpec {
        per: one,
        tick: one,
        lot: one,
        price_max: Amount::new(1_000),
        quantity_min: one,
        quantity_max: Amount::new(1_000),
        ..spec()
    };
    desk.must(Action::CreateMarket {
        market: MARKET,
        spec: dust,
    });
    desk.must(Action::SetMarketState {
        market: MARKET,
        state: MarketState::Open,
    });
    let rates = vec![FeeRate {
        maker_ppm: 1,
        taker_ppm: 333_333,
    }];
    desk.must(Action::SetFees {
        market: MARKET,
        rates,
    });
    for person in 0..2 {
        desk.must(deposit(user(person), BASE, 1_000));
        desk.must(deposit(user(person), QUOTE, 1_000));
    }
    for lots in 1..=7u64 {
        for (owner, side) in [(0, Side::Sell), (1, Side::Buy)] {
            let mut order = limit(user(owner), side, 1, 1, Tif::Gtc);
            order.kind = OrderKind::Limit {
                price: one,
                quantity: Amount::new(u128::from(lots)),
                tif: Tif::Gtc,
            };
            desk.must(Action::PlaceOrder(order));
        }
        // A millionth of a unit is a whole one, a third of 7 is three.
        let row = |asset| {
            let rows = desk.batch.rows.iter();
            rows.filter(|row| row.kind == RowKind::Trade && row.asset == asset)
                .map(|row| (row.amount, row.order.unwrap().fee))
                .collect::<Vec<_>>()
        };
        assert_eq!(row(QUOTE), [(u128::from(lots), 1)]);
        assert_eq!(row(BASE), [(u128::from(lots), u128::from(lots).div_ceil(3))]);
    }
    for asset in [BASE, QUOTE] {
        let all = desk.wallet(user(0), asset).0 + desk.wallet(user(1), asset).0 + desk.fees(asset);
        assert_eq!(all, 2_000);
    }
    assert_eq!(desk.fees(QUOTE), 7);
    desk.close(2);
}

#[test]
fn prices_at_both_ends_trade_like_any_other() {
    let mut desk = Desk::open(2, 1 << 60);
    let most = 5_000;
    for _ in 0..3 {
        desk.must(buy(0, 1, 3));
        desk.must(sell(1, most, 3));
    }
    assert_eq!(desk.send(buy(0, most + 1, 1)), Err(Refusal::TooLarge));
    desk.must(buy(0, most, 4));
    assert_eq!(desk.trades(), [(most, 3), (most, 1)]);
    desk.must(sell(1, 1, 8));
    assert_eq!(desk.trades(), [(1, 3), (1, 3), (1, 2)]);
    desk.restart();
    desk.must(market(1, Side::Sell, 100, 1));
    assert_eq!(desk.trades(), [(1, 1)]);
    assert_eq!(desk.send(market(1, Side::Sell, 1, 1)), Err(Refusal::NoLiquidity));
    desk.close(2);
}

#[test]
fn the_largest_market_there_can_be_trades_without_overflow() {
    let mut desk = Desk::new(Sizes::default());
    let one = Amount::new(1);
    let widest = MarketSpec {
        per: one,
        tick: one,
        lot: one,
        price_max: Amount::new(1 << 54),
        quantity_min: one,
        quantity_max: Amount::new(1 << 54),
        ..spec()
    };
    desk.must(Action::CreateMarket {
        market: MARKET,
        spec: widest,
    });
    desk.must(Action::SetMarketState {
        market: MARKET,
        state: MarketState::Open,
    });
    let rates = vec![FeeRate {
        maker_ppm: 1_000_000,
        taker_ppm: 1_000_000,
    }];
    desk.must(Action::SetFees {
        market: MARKET,
        rates,
    });
    desk.must(deposit(user(0), BASE, 1 << 54));
    desk.must(deposit(user(1), QUOTE, 1 << 108));
    for (owner, side) in [(0, Side::Sell), (1, Side::Buy)] {
        let mut order = limit(user(owner), side, 1, 1, Tif::Gtc);
        order.kind = OrderKind::Limit {
            price: Amount::new(1 << 54),
            quantity: Amount::new(1 << 54),
            tif: Tif::Gtc,
        };
        desk.must(Action::PlaceOrder(order));
    }
    assert_eq!(desk.trades(), [(1 << 54, 1 << 54)]);
    // A fee of everything leaves everything with the house.
    assert_eq!((desk.fees(BASE), desk.fees(QUOTE)), (1 << 54, 1 << 108));
    desk.close(2);
}
