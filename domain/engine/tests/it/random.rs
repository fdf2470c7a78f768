//! Random commands of every kind: the engine and the oracle give the same refusals, trades, balances and queues.

use ferrex_engine_core::{Action, MarketId, MarketState, Refusal, RowKind};
use ferrex_ledger::AccountId;
use ferrex_time::from_micros;
use uuid::Uuid;

use crate::generator::{PEOPLE, Stream};
use crate::oracle::{Oracle, Trade};
use crate::support::{BASE, Desk, OTHER, QUOTE, SIZES, orders, user};

/// The trades of the last command, from their two rows each.
fn trades(desk: &Desk) -> Vec<Trade> {
    let legs: Vec<_> = desk
        .batch
        .rows
        .iter()
        .filter(|row| row.kind == RowKind::Trade)
        .map(|row| row.order.unwrap())
        .collect();
    legs.chunks(2)
        .map(|pair| {
            let (quote, base) = (pair[0], pair[1]);
            assert_eq!((quote.order, quote.other), (base.other, base.order));
            Trade {
                market: quote.market.0,
                price: quote.price,
                lots: quote.lots,
                buy_order: quote.order.0,
                sell_order: base.order.0,
                buyer_fee: base.fee,
                seller_fee: quote.fee,
            }
        })
        .collect()
}

fn compare_balances(desk: &Desk, oracle: &Oracle) {
    for person in 0..PEOPLE {
        let who = user(u128::from(person));
        for asset in [BASE, QUOTE, OTHER] {
            let expected = (oracle.total(who, asset), oracle.held(who, asset));
            assert_eq!(
                desk.wallet(who, asset),
                expected,
                "person {person}, asset {asset}"
            );
        }
    }
    for asset in [BASE, QUOTE, OTHER] {
        assert_eq!(desk.fees(asset), oracle.total(Uuid::nil(), asset));
    }
}

fn compare_queues(desk: &Desk, oracle: &Oracle) {
    for (id, market) in &oracle.markets {
        let states = desk.engine.open_orders(MarketId(*id));
        let mut orders: Vec<_> = market.orders.iter().collect();
        orders.sort_by_key(|order| order.time);
        assert_eq!(states.len(), orders.len());
        for (state, order) in states.iter().zip(orders) {
            let (open, held) = (state.open, crate::oracle::hold(market, order));
            assert_eq!(
                (
                    open.order.0,
                    open.limit,
                    open.total,
                    open.left,
                    open.shown,
                    open.waiting
                ),
                (
                    order.number,
                    order.limit,
                    order.total,
                    order.left,
                    order.shown,
                    order.waiting
                ),
            );
            assert_eq!(
                (state.owner, state.client, state.held),
                (order.owner, order.client, held.1)
            );
            assert_ne!(state.account, AccountId(0));
        }
    }
}

/// Plays `count` commands; answers how often each refusal came.
fn play(seed: u64, count: u64) -> std::collections::BTreeMap<u16, u64> {
    let (mut desk, mut stream) = (Desk::new(SIZES), Stream::of_orders(seed));
    let mut refusals = std::collections::BTreeMap::new();
    let mut traded = 0u64;
    for turn in 0..count {
        let _ = stream.next(&mut desk);
        let oracle = &stream.oracle;
        let (got, expected) = (trades(&desk), &oracle.trades);
        assert_eq!(&got, expected, "seed {seed}, command {turn}");
        traded += got.len() as u64;
        if let Err(refusal) = desk_refusal(&desk) {
            *refusals.entry(refusal).or_default() += 1;
        }
        if turn % 8 == 0 {
            compare_balances(&desk, oracle);
        }
        if turn % 32 == 0 {
            compare_queues(&desk, oracle);
        }
        if turn % 2_048 == 0 {
            desk.check();
            desk.restart();
            desk.engine.forget_before(from_micros(0), 1_000);
            desk.replica.forget_before(from_micros(0), 1_000);
        }
    }
    println!("seed {seed}: {traded} trades in {count} commands, refusals {refusals:?}");
    assert!(
        traded * 20 > count,
        "seed {seed}: {traded} trades are too few to mean anything"
    );
    // One that nobody trades in at first may have been created, and be halted.
    for market in desk.engine.markets() {
        let market = market.id;
        desk.must(Action::SetMarketState {
            market,
            state: MarketState::CancelOnly,
        });
    }
    desk.close(u128::from(PEOPLE));
    refusals
}

fn desk_refusal(desk: &Desk) -> Result<(), u16> {
    match desk.batch.rows.last() {
        Some(row) if row.kind == RowKind::Refused => Err(row.refusal),
        _ => Ok(()),
    }
}

#[test]
fn the_engine_and_the_oracle_agree_on_random_commands() {
    let count = orders();
    let seeds = count.div_ceil(250_000);
    let mut seen = std::collections::BTreeMap::new();
    for seed in 1..=seeds {
        for (refusal, times) in play(seed, count / seeds) {
            *seen.entry(refusal).or_insert(0) += times;
        }
    }
    // Every refusal that orders can have was among them.
    let missing: Vec<Refusal> = (20..40)
        .filter(|code| !seen.contains_key(code))
        .filter_map(Refusal::from_code)
        .collect();
    assert!(
        missing.is_empty(),
        "{missing:?} never came up in {count} commands"
    );
    assert!(seen.contains_key(&Refusal::InsufficientAvailable.code()));
}
