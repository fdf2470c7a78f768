//! Auctions and the other states of a market.

use ferrex_engine_core::{Action, MarketState, Refusal, Side, Tif};

use crate::actions::{amend, market, place, state};
use crate::support::{Desk, MARKET, buy, cancel, limit, sell, user};

#[test]
fn an_auction_trades_at_the_one_price_that_moves_most() {
    // Bids and asks as (ticks, lots), the last price before, and the price that follows.
    type Book = &'static [(u64, u64)];
    let cases: [(Book, Book, u64, u64, u64); 6] = [
        (&[(102, 10), (100, 10)], &[(98, 15), (101, 10)], 100, 100, 15),
        // The same volume at each: the smaller surplus decides.
        (&[(105, 10)], &[(100, 10), (103, 5)], 104, 100, 10),
        // Bids are left over at each price: the highest.
        (&[(105, 20)], &[(100, 10)], 101, 105, 10),
        // Asks are left over: the lowest.
        (&[(105, 10)], &[(100, 20)], 104, 100, 10),
        // Nothing is left over: the one nearest to the last price, and of two the lower.
        (&[(105, 10)], &[(99, 10)], 103, 105, 10),
        (&[(105, 10)], &[(99, 10)], 102, 99, 10),
    ];
    for (bids, asks, last, price, volume) in cases {
        let mut desk = Desk::open(3, 1_000_000);
        desk.must(sell(2, last, 1));
        desk.must(buy(0, last, 1));
        desk.must(state(MarketState::Auction));
        for (ticks, lots) in bids {
            desk.must(buy(0, *ticks, *lots));
        }
        for (ticks, lots) in asks {
            desk.must(sell(1, *ticks, *lots));
            assert!(desk.trades().is_empty());
        }
        desk.must(state(MarketState::Open));
        let trades = desk.trades();
        assert!(
            trades.iter().all(|(at, _)| *at == price),
            "{trades:?} instead of {price}"
        );
        assert_eq!(trades.iter().map(|(_, lots)| lots).sum::<u64>(), volume);
        assert!(desk.engine.book(MARKET).unwrap().clearing_price(0).is_none());
        desk.restart();
        desk.close(3);
    }
}

#[test]
fn an_auction_takes_resting_orders_that_do_not_meet_their_own() {
    let mut desk = Desk::open(2, 1_000_000);
    desk.must(state(MarketState::Auction));
    desk.must(sell(0, 100, 5));
    assert_eq!(desk.send(buy(0, 100, 5)), Err(Refusal::SelfTrade));
    desk.must(buy(0, 99, 5));
    assert_eq!(desk.send(amend(0, 2, Some(100), None)), Err(Refusal::SelfTrade));
    for tif in [Tif::Ioc, Tif::Fok, Tif::PostOnly] {
        let order = limit(user(1), Side::Buy, 100, 5, tif);
        assert_eq!(desk.send(place(order)), Err(Refusal::NotInAuction));
    }
    assert_eq!(
        desk.send(market(1, Side::Buy, 1, 100)),
        Err(Refusal::NotInAuction)
    );
    desk.close(2);
}

#[test]
fn the_state_of_a_market_says_what_may_happen() {
    let mut desk = Desk::open(2, 100_000);
    for _ in 0..2 {
        desk.must(sell(0, 100, 1));
    }
    desk.must(state(MarketState::CancelOnly));
    assert_eq!(desk.send(sell(0, 100, 1)), Err(Refusal::CancelOnly));
    assert_eq!(desk.send(amend(0, 1, Some(99), None)), Err(Refusal::CancelOnly));
    desk.must(cancel(0, 1));
    desk.must(state(MarketState::Halted));
    assert_eq!(desk.send(sell(0, 100, 1)), Err(Refusal::Halted));
    assert_eq!(desk.send(cancel(0, 2)), Err(Refusal::Halted));
    let all = Action::CancelAll {
        market: MARKET,
        owner: user(0),
    };
    assert_eq!(desk.send(all), Err(Refusal::Halted));
    desk.must(state(MarketState::Open));
    desk.close(2);
}
