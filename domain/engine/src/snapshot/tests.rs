//! What the engine never writes, written: with a checksum and a state hash that are right, each value is refused for itself.

use ferrex_ids::HoldId;
use ferrex_ledger::{Account, AccountId, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::{Duration, Timestamp, from_micros};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::*;
use crate::{
    Action, Batch, Command, FeeRate, Frozen, MarketId, MarketSpec, MarketState, OrderKind, OrderState,
    PlaceOrder, Reason, Side, Step, Terms, Tif,
};

const BASE: AssetId = AssetId(1);
const QUOTE: AssetId = AssetId(2);
const ALICE: Uuid = Uuid::from_u128(0xa11ce);
const BOB: Uuid = Uuid::from_u128(0xb0b);
/// In ticks, in lots.
const PRICE_MAX: u64 = 5_000;
const LOTS_MAX: u64 = 1_000;
/// Places in the first market: an iceberg with 8 lots left of 10 of which it shows at most 3, a plain order, a stop that waits.
const ICEBERG: usize = 0;
const PLAIN: usize = 1;
const STOP: usize = 2;

fn spec() -> MarketSpec {
    let one = Amount::new(1);
    MarketSpec {
        base: BASE,
        quote: QUOTE,
        per: one,
        tick: one,
        lot: one,
        price_max: Amount::new(PRICE_MAX.into()),
        quantity_min: one,
        quantity_max: Amount::new(LOTS_MAX.into()),
        value_min: one,
        band_ppm: 0,
        open_orders_max: 100,
        reference_price: None,
    }
}

fn order(owner: Uuid, side: Side, price: u128, quantity: u128, terms: Terms) -> Action {
    Action::PlaceOrder(PlaceOrder {
        market: MarketId(1),
        owner,
        side,
        kind: OrderKind::Limit {
            price: Amount::new(price),
            quantity: Amount::new(quantity),
            tif: Tif::Gtc,
        },
        terms,
    })
}

fn hold(number: u128) -> HoldId {
    HoldId::from_uuid(Uuid::from_u128(number))
}

fn reserve(number: u128) -> Action {
    Action::Transfer(vec![Step::Reserve {
        hold: hold(number),
        debit: Account::wallet(ALICE),
        asset: BASE,
        amount: Amount::new(5),
        expires_at: Some(from_micros(1_000)),
    }])
}

fn deposit(to: Uuid, asset: AssetId) -> Action {
    Action::Transfer(vec![Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(to),
        asset,
        amount: Amount::new(100_000),
    }])
}

/// A state that has something of everything.
fn story() -> (Frozen, LastRow) {
    let display = Terms {
        display: Some(Amount::new(3)),
        ..Terms::default()
    };
    let stop = Terms {
        stop: Some(Amount::new(200)),
        ..Terms::default()
    };
    let mut actions = vec![deposit(ALICE, BASE), deposit(BOB, QUOTE)];
    for market in [1, 2].map(MarketId) {
        let (spec, state) = (spec(), MarketState::Open);
        actions.push(Action::CreateMarket { market, spec });
        actions.push(Action::SetMarketState { market, state });
    }
    for (owner, tier) in [(ALICE, 1), (BOB, 2)] {
        actions.push(Action::SetFeeTier { owner, tier });
    }
    actions.extend((1..=4).map(reserve));
    actions.extend((3..=4).map(|number| Action::Transfer(vec![Step::Void { hold: hold(number) }])));
    actions.extend([
        order(ALICE, Side::Sell, 100, 10, display),
        order(ALICE, Side::Sell, 101, 5, Terms::default()),
        order(BOB, Side::Buy, 210, 4, stop),
        order(BOB, Side::Buy, 100, 2, Terms::default()),
    ]);
    let (mut engine, mut batch) = (Engine::new(0), Batch::default());
    for (number, action) in (1..).zip(actions) {
        let command = Command {
            id: CommandId::from_uuid(Uuid::from_u128(number)),
            at: from_micros(100),
            reason: Reason::Trading,
            reference: ALICE,
            action,
        };
        assert!(engine.apply(&command, &mut batch).is_applied(), "{command:?}");
    }
    let row = batch.rows.last().expect("commands write rows");
    let last = LastRow {
        id: row.id,
        command: row.command,
        fingerprint: row.fingerprint,
    };
    (engine.freeze(), last)
}

/// What is said of the story with a change.
fn read_with(change: impl FnOnce(&mut Frozen)) -> Result<Snapshot, SnapshotError> {
    let (mut state, last) = story();
    change(&mut state);
    Snapshot::read(&state.to_snapshot(last))
}

fn year_10_000() -> Timestamp {
    from_micros(253_402_300_800 * 1_000_000)
}

/// So many tiers of these fees in the first market.
fn charge(state: &mut Frozen, tiers: usize, (maker_ppm, taker_ppm): (u32, u32)) {
    state.markets[0].0.fees = vec![FeeRate { maker_ppm, taker_ppm }; tiers];
}

/// The orders of the first market, by their numbers.
fn orders(state: &mut Frozen) -> &mut Vec<OrderState> {
    let orders = &mut state.markets[0].1;
    orders.sort_by_key(|order| order.open.order);
    orders
}

/// What is refused, and a change that makes it.
type Case = (&'static str, fn(&mut Frozen));

#[test]
fn h059_each_value_that_cannot_be_is_refused_for_itself() {
    let read = read_with(|state| {
        let orders = orders(state);
        let seen = |place: usize| {
            let open = &orders[place].open;
            (open.left, open.shown, open.display, open.waiting)
        };
        assert_eq!(seen(ICEBERG), (8, 1, 3, false));
        assert_eq!(seen(PLAIN), (5, 5, 0, false));
        assert_eq!(seen(STOP), (4, 4, 0, true));
        assert_eq!((state.open_holds.len(), state.closed_holds.len()), (2, 2));
    });
    read.expect("the story itself is right");
    let cases: [Case; 28] = [
        ("a hold", |state| state.open_holds.swap(0, 1)),
        ("a hold", |state| state.open_holds[0].left = 0),
        ("a hold", |state| state.open_holds[0].account = AccountId(1)),
        ("a hold's expiry", |state| {
            state.open_holds[0].expires_at = Some(year_10_000());
        }),
        ("a closed hold", |state| state.closed_holds.swap(0, 1)),
        ("a closed hold", |state| state.closed_holds[0].0 = hold(1)),
        ("a tier", |state| state.tiers.swap(0, 1)),
        ("a tier", |state| state.tiers[0].1 = 0),
        ("a market", |state| state.markets.swap(0, 1)),
        ("a market", |state| state.markets[0].0.id = MarketId(0)),
        ("a market", |state| state.markets[0].0.spec.lot = Amount::ZERO),
        ("a last price", |state| {
            state.markets[0].0.last_price = PRICE_MAX + 1;
        }),
        ("the number of fees", |state| charge(state, 65, (0, 0))),
        ("a fee", |state| charge(state, 1, (1_000_001, 0))),
        ("a fee", |state| charge(state, 1, (0, 1_000_001))),
        ("an order's place", |state| {
            let orders = orders(state);
            orders[1].open.order = orders[0].open.order;
        }),
        ("an order's place", |state| {
            let orders = orders(state);
            orders[1].open.priority = orders[0].open.priority;
        }),
        ("an order's account", |state| {
            orders(state)[PLAIN].account = AccountId(0);
        }),
        ("a limit", |state| orders(state)[PLAIN].open.limit = PRICE_MAX + 1),
        // Each of these is wrong in one way only.
        ("an order", |state| {
            let open = &mut orders(state)[ICEBERG].open;
            (open.shown, open.display) = (9, 100);
        }),
        ("an order", |state| orders(state)[PLAIN].open.total = 4),
        ("an order", |state| orders(state)[PLAIN].open.shown = 4),
        ("an order", |state| orders(state)[ICEBERG].open.shown = 4),
        ("an order", |state| orders(state)[STOP].open.shown = 3),
        ("an order", |state| orders(state)[PLAIN].open.tif = Tif::Ioc),
        ("an order", |state| orders(state)[PLAIN].open.market = true),
        ("an order", |state| orders(state)[STOP].open.stop = 0),
        ("an order", |state| {
            orders(state)[PLAIN].open.value = u128::from(PRICE_MAX * LOTS_MAX) + 1;
        }),
    ];
    for (number, (wrong, change)) in cases.into_iter().enumerate() {
        match read_with(change).unwrap_err() {
            SnapshotError::Value { what, .. } => assert_eq!(what, wrong, "case {number}"),
            other => panic!("case {number}, {wrong}: {other:?}"),
        }
    }
}

#[test]
fn values_at_their_bounds_are_taken() {
    let last_of_9999 = year_10_000() - Duration::microseconds(1);
    let read = read_with(|state| {
        state.open_holds[0].expires_at = Some(last_of_9999);
        charge(state, 64, (1_000_000, 1_000_000));
        state.markets[0].0.last_price = PRICE_MAX;
    });
    let engine = read.unwrap().engine;
    let held = engine.ledger().find_hold(hold(1)).expect("it is open");
    assert_eq!(held.expires_at, Some(last_of_9999));
    // Of a stop that buys for a value, which holds no less than that.
    let read = read_with(|state| {
        orders(state)[STOP].open.value = u128::from(PRICE_MAX * LOTS_MAX);
    });
    assert!(!matches!(read, Err(SnapshotError::Value { .. })), "{read:?}");
}

/// Bytes between prefix and checksum, with a prefix and a checksum that are right.
fn sealed(prefix: &[u8], body: &[u8]) -> Vec<u8> {
    let length = (prefix.len() + body.len() + TAIL) as u64;
    let mut bytes = [prefix, body].concat();
    bytes[PREFIX - 8..PREFIX].copy_from_slice(&length.to_le_bytes());
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

#[test]
fn h059_what_follows_the_end_and_more_than_there_is_room_for_are_refused() {
    let (state, last) = story();
    let bytes = state.to_snapshot(last);
    let (prefix, body) = bytes[..bytes.len() - TAIL].split_at(PREFIX);
    assert_eq!(sealed(prefix, body), bytes);
    let refused = |body: &[u8], what| {
        let error = Snapshot::read(&sealed(prefix, body)).unwrap_err();
        assert_eq!(error, what);
    };
    let (what, at) = ("the end", PREFIX + body.len());
    refused(&[body, &[0]].concat(), SnapshotError::Value { what, at });
    // Behind shard, last row, start of the window and state hash.
    let count = 2 + 32 + 16 + 32;
    let mut many = body.to_vec();
    let room = (body.len() - count - 8) as u64 / 8;
    many[count..count + 8].copy_from_slice(&(room + 1).to_le_bytes());
    let (what, at) = ("the number of accounts", PREFIX + count + 8);
    refused(&many, SnapshotError::Value { what, at });
}
