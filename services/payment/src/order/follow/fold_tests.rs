use ferrex_contracts::engine::{FeeRate, OrderEnd, Side, Tif};
use ferrex_contracts::payment::MarketTerms;
use ferrex_ids::CommandId;
use ferrex_money::AssetId;
use ferrex_time::from_micros;

use super::*;

const ANNA: Uuid = Uuid::from_u128(1);
const BEN: Uuid = Uuid::from_u128(2);

/// Markets 1 and 2, told of up to row 10; a tick is 5 and a lot 10.
fn markets() -> BTreeMap<u32, Followed> {
    let amount = Amount::new;
    let terms = MarketTerms {
        base: AssetId(1),
        quote: AssetId(2),
        tick: amount(5),
        lot: amount(10),
        price_max: amount(u128::MAX),
        quantity_min: amount(1),
        quantity_max: amount(u128::MAX),
        value_min: amount(1),
        band_ppm: 0,
        open_orders_max: 9,
        reference_price: None,
        maker_ppm: 0,
        taker_ppm: 0,
    };
    let market = Followed { terms, sequence: 10 };
    BTreeMap::from([(1, market.clone()), (2, market)])
}

fn event(market: u32, sequence: u64, changes: Vec<MarketChange>) -> MarketChanged {
    MarketChanged {
        sequence,
        command: CommandId::from_uuid(Uuid::from_u128(sequence.into())),
        at: from_micros(0),
        market,
        changes,
    }
}

fn placed(order: u64, end: Option<OrderEnd>) -> MarketChange {
    MarketChange::Placed {
        order,
        owner: ANNA,
        client: None,
        side: Side::Buy,
        price: 7,
        lots: 3,
        left: 3,
        stop: 0,
        tif: Tif::Gtc,
        by_market: false,
        by_value: false,
        expires_at: None,
        held: Amount::ZERO,
        end,
    }
}

/// A trade of one lot, after which the buyer's order has `left`.
fn trade(buyer: u64, left: u64, seller: u64) -> MarketChange {
    let side = |order, person, pays, left| TradeSide {
        order,
        person: Some(person),
        pays: Amount::new(pays),
        fee: Amount::new(1),
        left,
    };
    MarketChange::Trade {
        price: 7,
        lots: 1,
        taker: Some(Side::Buy),
        buy: side(buyer, ANNA, 35, left),
        sell: side(seller, BEN, 10, 5),
    }
}

const fn set(order: u64) -> MarketChange {
    MarketChange::Set {
        order,
        price: 8,
        lots: 4,
        left: 2,
        held: Amount::ZERO,
    }
}

const fn ended(order: u64, why: OrderEnd) -> MarketChange {
    MarketChange::Ended { order, why }
}

/// What events come to with order 1 of market 1 in the table.
fn told(events: &[MarketChanged], is_open: bool) -> Result<Told<'_>, Fault> {
    let markets = markets();
    let known = Known {
        owner: ANNA,
        id: Uuid::from_u128(101),
        is_open,
    };
    fold(
        &markets,
        &fresh(&markets, events),
        HashMap::from([((1, 1), known)]),
    )
}

fn status_of(changes: Vec<MarketChange>, is_open: bool) -> Option<&'static str> {
    let events = [event(1, 11, vec![placed(2, None)]), event(1, 12, changes)];
    told(&events, is_open).unwrap().orders[0].status
}

#[test]
fn an_event_is_fresh_once_and_only_in_a_market_that_is_known() {
    let events = [(1, 10), (2, 12), (1, 11), (2, 12), (2, 11), (3, 20), (1, 13)];
    let events = events.map(|(market, sequence)| event(market, sequence, Vec::new()));
    let markets = markets();
    let fresh = fresh(&markets, &events);
    let fresh: Vec<(u32, u64)> = fresh.iter().map(|event| (event.market, event.sequence)).collect();
    assert_eq!(fresh, [(2, 12), (1, 11), (1, 13)]);
}

#[test]
fn orders_are_looked_up_unless_they_were_placed_before() {
    let events = [
        event(1, 11, vec![trade(3, 0, 1), placed(3, None)]),
        event(1, 12, vec![set(3), ended(4, OrderEnd::Cancelled)]),
        event(2, 13, vec![trade(4, 0, 3)]),
        event(2, 14, vec![placed(4, None)]),
        event(
            1,
            15,
            vec![
                MarketChange::Lifted {
                    order: 5,
                    triggered: true,
                },
                MarketChange::Lifted {
                    order: 6,
                    triggered: false,
                },
            ],
        ),
    ];
    let events: Vec<&MarketChanged> = events.iter().collect();
    let expected = BTreeSet::from([(1, 1), (1, 4), (1, 5), (2, 3), (2, 4)]);
    assert_eq!(mentioned(&events), expected);
}

#[test]
fn a_fill_to_the_end_fills_only_what_is_open() {
    let fill = || trade(1, 0, 2);
    assert_eq!(status_of(vec![fill()], true), Some("filled"));
    assert_eq!(status_of(vec![trade(1, 1, 2)], true), None);
    assert_eq!(status_of(vec![fill()], false), None, "the table's status stays");
    assert_eq!(status_of(vec![set(1), fill()], false), Some("filled"));
    assert_eq!(status_of(vec![fill(), set(1)], true), Some("open"));
    let cancelled = ended(1, OrderEnd::Cancelled);
    assert_eq!(
        status_of(vec![cancelled.clone(), fill()], true),
        Some("cancelled")
    );
    assert_eq!(status_of(vec![fill(), cancelled], true), Some("cancelled"));
}

#[test]
fn what_is_told_of_an_order_adds_up_over_events() {
    let events = [
        event(1, 11, vec![trade(2, 2, 1), placed(2, None)]),
        event(2, 12, vec![placed(2, None)]),
        event(1, 13, vec![trade(2, 1, 1), set(2), ended(2, OrderEnd::Cancelled)]),
        event(1, 14, vec![placed(3, Some(OrderEnd::Unfilled))]),
    ];
    let told = told(&events, true).unwrap();
    let [known, first, other, unfilled] = &told.orders[..] else {
        panic!("{:?}", told.orders)
    };
    assert_eq!(
        (known.id, known.status, known.filled, known.fee),
        (Uuid::from_u128(101), None, Amount::new(20), Amount::new(2))
    );
    assert_eq!(
        (first.status, first.filled_value),
        (Some("cancelled"), Amount::new(70))
    );
    assert_eq!(first.placed.as_ref().unwrap().price, Amount::new(35));
    assert_eq!(
        (first.price, first.quantity),
        (Some(Amount::new(40)), Some(Amount::new(40)))
    );
    assert_eq!(
        (other.status, other.price, other.filled),
        (Some("open"), None, Amount::ZERO)
    );
    assert_eq!(unfilled.status, Some("unfilled"));
    let trades: Vec<_> = told
        .trades
        .iter()
        .map(|trade| (trade.event.sequence, trade.place, trade.buy_order))
        .collect();
    assert_eq!(trades, [(11, 0, first.id), (13, 0, first.id)]);
}

#[test]
fn a_market_has_the_last_of_what_it_is_told() {
    let rates = vec![FeeRate {
        maker_ppm: 1,
        taker_ppm: 2,
    }];
    let state = |state| MarketChange::State { state };
    let events = [
        event(
            1,
            11,
            vec![
                state(MarketState::Open),
                MarketChange::Fees { rates: rates.clone() },
            ],
        ),
        event(2, 12, vec![MarketChange::Other]),
        event(
            1,
            13,
            vec![trade(1, 3, 2), placed(2, None), state(MarketState::Auction)],
        ),
    ];
    let told = told(&events, true).unwrap();
    let first = ToldMarket {
        sequence: 13,
        state: Some(MarketState::Auction),
        fees: Some(&rates),
        last_price: Some(Amount::new(35)),
    };
    let second = ToldMarket {
        sequence: 12,
        ..ToldMarket::default()
    };
    assert_eq!(told.markets, BTreeMap::from([(1, first), (2, second)]));
}

#[test]
fn a_trade_of_an_order_that_was_not_placed_is_a_fault() {
    let late = [
        event(1, 11, vec![trade(1, 1, 2)]),
        event(1, 12, vec![placed(2, None)]),
    ];
    assert_eq!(told(&late, true).unwrap_err().code, "payment.order.missing");
    let others = [event(2, 11, vec![trade(1, 1, 2), placed(2, None)])];
    assert_eq!(told(&others, true).unwrap_err().code, "payment.order.missing");
    let unknown = [event(
        1,
        11,
        vec![
            set(8),
            ended(8, OrderEnd::Expired),
            trade(1, 1, 2),
            placed(2, None),
        ],
    )];
    assert!(
        told(&unknown, true).is_ok(),
        "what else is told of an unknown order is passed over"
    );
}

#[test]
fn more_than_128_bits_is_a_fault() {
    let mut events = [
        event(1, 11, vec![trade(1, 3, 2), placed(2, None)]),
        event(1, 12, vec![trade(2, 2, 1)]),
    ];
    for event in &mut events {
        let MarketChange::Trade { buy, .. } = &mut event.changes[0] else {
            panic!("a trade is first")
        };
        buy.pays = Amount::new(1 << 127);
    }
    assert_eq!(told(&events, true).unwrap_err().code, "payment.order.overflow");
    assert!(told(&events[..1], true).is_ok());
}
