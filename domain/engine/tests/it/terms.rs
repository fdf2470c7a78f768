//! What a market, its fees and the terms of an order may be.

use ferrex_engine_core::{
    Action, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, Outcome, Refusal, Side, Sizes, Terms, Tif,
};
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::from_micros;

use crate::actions::{market, place, state};
use crate::support::{BASE, Desk, MARKET, QUOTE, buy, deposit, limit, sell, spec, user};

#[test]
fn a_band_refuses_limits_and_binds_protection_prices() {
    let mut desk = Desk::new(Sizes::default());
    desk.must(Action::CreateMarket {
        market: MARKET,
        spec: MarketSpec {
            band_ppm: 100_000,
            reference_price: Some(Amount::new(5 * 100)),
            ..spec()
        },
    });
    desk.must(state(MarketState::Open));
    for person in 0..2 {
        desk.must(deposit(user(person), BASE, 100_000));
        desk.must(deposit(user(person), QUOTE, 100_000));
    }
    assert_eq!(desk.send(buy(0, 111, 1)), Err(Refusal::PriceOutsideBand));
    assert_eq!(desk.send(buy(0, 89, 1)), Err(Refusal::PriceOutsideBand));
    desk.must(sell(0, 110, 1));
    desk.must(buy(0, 90, 1));
    // A trade at 110 moves the band.
    desk.must(buy(1, 110, 1));
    desk.must(sell(0, 121, 1));
    assert_eq!(desk.send(sell(0, 122, 1)), Err(Refusal::PriceOutsideBand));
    // The bid at 90 is out of reach now.
    assert_eq!(desk.send(market(1, Side::Sell, 1, 1)), Err(Refusal::NoLiquidity));
    desk.close(2);
}

#[test]
fn fee_tiers_lower_what_a_person_pays() {
    let mut desk = Desk::open(2, 1_000_000);
    let rate = |maker_ppm, taker_ppm| FeeRate { maker_ppm, taker_ppm };
    desk.must(Action::SetFees {
        market: MARKET,
        rates: vec![rate(10_000, 20_000), rate(0, 5_000)],
    });
    let taker_fee = |desk: &mut Desk| {
        desk.must(sell(0, 100, 100));
        let before = desk.fees(BASE);
        desk.must(buy(1, 100, 100));
        desk.fees(BASE) - before
    };
    assert_eq!(taker_fee(&mut desk), 20);
    for tier in [1, 9] {
        let owner = user(1);
        desk.must(Action::SetFeeTier { owner, tier });
        assert_eq!(taker_fee(&mut desk), 5);
    }
    desk.restart();
    let excessive = Action::SetFees {
        market: MARKET,
        rates: vec![rate(0, 1_000_001)],
    };
    assert_eq!(desk.send(excessive), Err(Refusal::FeeRates));
    desk.close(2);
}

#[test]
fn a_market_whose_ticks_and_lots_make_fractions_is_refused() {
    let mut desk = Desk::new(Sizes::default());
    let mut create = |spec| {
        let market = MarketId(1);
        desk.send(Action::CreateMarket { market, spec })
    };
    // A lot of 5 units at a tick of 5 for 10 would cost two and a half.
    let refused = [
        (
            MarketSpec {
                lot: Amount::new(5),
                ..spec()
            },
            Refusal::TickOfLot,
        ),
        (
            MarketSpec {
                quote: AssetId(BASE),
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                per: Amount::ZERO,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                tick: Amount::ZERO,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                lot: Amount::ZERO,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                open_orders_max: 0,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                quantity_min: Amount::ZERO,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                price_max: Amount::new(7),
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                price_max: Amount::ZERO,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                quantity_max: Amount::new(15),
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                band_ppm: 1_000_000,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        (
            MarketSpec {
                base: AssetId(1 << 31),
                ..spec()
            },
            Refusal::AssetOutOfRange,
        ),
        // More than one command cancels.
        (
            MarketSpec {
                open_orders_max: 10_001,
                ..spec()
            },
            Refusal::MarketSpec,
        ),
        // A trade of this size would not fit 128 bits with its fee.
        (
            MarketSpec {
                per: Amount::new(1),
                tick: Amount::new(1 << 70),
                price_max: Amount::new(1 << 90),
                quantity_max: Amount::new(10 << 30),
                ..spec()
            },
            Refusal::MarketSpec,
        ),
    ];
    for (spec, refusal) in refused {
        assert_eq!(create(spec), Err(refusal), "{spec:?}");
    }
    create(MarketSpec {
        open_orders_max: 10_000,
        ..spec()
    })
    .unwrap();
    assert_eq!(create(spec()), Err(Refusal::MarketExists));
    for market in [0, MarketId::MAX + 1] {
        let market = MarketId(market);
        assert_eq!(
            desk.send(Action::CreateMarket { market, spec: spec() }),
            Err(Refusal::MarketSpec)
        );
    }
    assert_eq!(desk.send(buy(0, 1, 1)), Err(Refusal::Halted));
}

#[test]
fn terms_that_exclude_each_other_are_refused() {
    let mut desk = Desk::open(1, 100_000);
    let order = |tif, terms| {
        let mut order = limit(user(0), Side::Sell, 100, 1, tif);
        order.terms = terms;
        place(order)
    };
    let some = Some(Amount::new(10));
    let cases = [
        (
            Tif::Ioc,
            Terms {
                display: some,
                ..Terms::default()
            },
        ),
        (
            Tif::Fok,
            Terms {
                expires_at: Some(from_micros(9_999)),
                ..Terms::default()
            },
        ),
        (
            Tif::PostOnly,
            Terms {
                stop: some,
                ..Terms::default()
            },
        ),
        (
            Tif::Fok,
            Terms {
                stop: some,
                ..Terms::default()
            },
        ),
    ];
    for (tif, terms) in cases {
        assert_eq!(desk.send(order(tif, terms)), Err(Refusal::OrderShape));
    }
    let zero = Terms {
        stop: Some(Amount::ZERO),
        ..Terms::default()
    };
    assert_eq!(desk.send(order(Tif::Gtc, zero)), Err(Refusal::ZeroAmount));
}

#[test]
fn a_buy_for_a_value_is_for_one_lot_of_a_tick_up_to_the_largest_order() {
    let mut desk = Desk::open(1, 100_000);
    let buy = |value| {
        let mut order = limit(user(0), Side::Buy, 1, 1, Tif::Ioc);
        order.kind = OrderKind::MarketByValue {
            value: Amount::new(value),
            protection: Amount::new(5),
        };
        place(order)
    };
    // 5,000 ticks at most for 100,000 lots at most, 5 units each.
    let most = 5 * 5_000 * 100_000;
    assert_eq!(desk.send(buy(most + 5)), Err(Refusal::TooLarge));
    assert_eq!(desk.send(buy(most)), Err(Refusal::InsufficientAvailable));
    assert_eq!(desk.send(buy(5)), Err(Refusal::NoLiquidity));
    assert_eq!(desk.send(buy(4)), Err(Refusal::TooSmall));
    desk.close(1);
}

#[test]
fn an_asset_is_never_issued_beyond_what_a_balance_holds() {
    let mut desk = Desk::new(Sizes::default());
    let issue = |from, to, amount| {
        Action::Transfer(vec![ferrex_engine_core::Step::Move {
            debit: Account::house(from),
            credit: Account::wallet(user(to)),
            asset: AssetId(BASE),
            amount: Amount::new(amount),
        }])
    };
    let send = |desk: &mut Desk, action| {
        let command = desk.command(action);
        desk.engine.apply(&command, &mut desk.batch)
    };
    let half = 1 << 127;
    assert!(send(&mut desk, issue(Purpose::HotWallet, 0, half)).is_applied());
    // Neither balance would overflow, but both people together would have too much for one of them to receive.
    let refused = send(&mut desk, issue(Purpose::ColdWallet, 1, half));
    assert!(matches!(
        refused,
        Outcome::Refused {
            refusal: Refusal::BalanceOverflow,
            ..
        }
    ));
    assert!(send(&mut desk, issue(Purpose::ColdWallet, 1, half - 1)).is_applied());
    let back = Action::Transfer(vec![ferrex_engine_core::Step::Move {
        debit: Account::wallet(user(0)),
        credit: Account::house(Purpose::HotWallet),
        asset: AssetId(BASE),
        amount: Amount::new(1),
    }]);
    assert!(send(&mut desk, back).is_applied());
    assert!(send(&mut desk, issue(Purpose::ColdWallet, 1, 1)).is_applied());
}
