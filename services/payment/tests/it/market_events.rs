//! The read model of orders and trades: the same whether events of markets come one by one or many together.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_contracts::engine::{MarketChange, MarketChanged};
use ferrex_contracts::payment::MarketTerms;
use ferrex_engine::telling::Teller;
use ferrex_engine_core::{
    Action, AmendOrder, Batch, Command, Engine, FeeRate, MarketId, MarketSpec, MarketState, OrderKind,
    OrderRef, PlaceOrder, Reason, SelfTrade, Side, Step, Terms, Tif,
};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_payment::apply_market_events;
use ferrex_postgres::{Db, PgU128};
use ferrex_testkit::{Postgres, TestDb};
use ferrex_time::from_micros;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::parts::{database, db_config};

/// Markets of assets 1 and 2 against asset 3. The last one is none of payment's.
const MARKETS: [u32; 3] = [1, 2, 3];
const PEOPLE: u64 = 6;
const COMMANDS: u64 = 2_500;
const MINUTE: i64 = 60_000_000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn place(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.place(of.len())]
    }

    fn steps(&mut self, from: u64, count: u64, step: u128) -> Amount {
        Amount::new(u128::from(from + self.below(count)) * step)
    }
}

const TICK: u128 = 5;
const LOT: u128 = 10;

fn spec(market: u32) -> MarketSpec {
    MarketSpec {
        base: AssetId(1 + market % 2),
        quote: AssetId(3),
        per: Amount::new(10),
        tick: Amount::new(TICK),
        lot: Amount::new(LOT),
        price_max: Amount::new(TICK * 5_000),
        quantity_min: Amount::new(LOT),
        quantity_max: Amount::new(LOT * 1_000),
        value_min: Amount::new(1),
        band_ppm: 0,
        open_orders_max: 200,
        reference_price: None,
    }
}

/// The engine with everybody in it, and what it told of its markets.
struct Exchange {
    random: Random,
    engine: Engine,
    teller: Teller,
    commands: u64,
    now: i64,
    placed: Vec<(u32, Uuid, u64)>,
    events: Vec<MarketChanged>,
}

impl Exchange {
    fn play(seed: u64) -> Vec<MarketChanged> {
        let mut exchange = Self {
            random: Random(seed),
            engine: Engine::new(0),
            teller: Teller::default(),
            commands: 0,
            now: 1_700_000_000_000_000,
            placed: Vec::new(),
            events: Vec::new(),
        };
        for number in MARKETS {
            let (market, spec) = (MarketId(number), spec(number));
            exchange.submit(Action::CreateMarket { market, spec });
            let state = MarketState::Open;
            exchange.submit(Action::SetMarketState { market, state });
        }
        let person = |number: u64| Uuid::from_u128(0x7000 + u128::from(number));
        let grants =
            (0..PEOPLE).flat_map(|number| (1..=3).map(move |asset| (person(number), AssetId(asset))));
        let steps = grants.map(|(person, asset)| Step::Move {
            debit: Account::house(Purpose::DepositAddresses),
            credit: Account::wallet(person),
            asset,
            amount: Amount::new(10_000_000),
        });
        for step in steps.collect::<Vec<_>>() {
            exchange.submit(Action::Transfer(vec![step]));
        }
        for _ in 0..COMMANDS {
            let action = exchange.action();
            exchange.submit(action);
        }
        exchange.events
    }

    fn submit(&mut self, action: Action) {
        self.commands += 1;
        self.now += i64::try_from(self.random.below(10)).unwrap() * MINUTE;
        let id = Uuid::from_u128(u128::from(self.commands));
        let command = Command {
            id: CommandId::from_uuid(id),
            at: from_micros(self.now),
            reason: Reason::Trading,
            reference: id,
            action,
        };
        let mut batch = Batch::default();
        self.engine.apply(&command, &mut batch);
        for account in &batch.accounts {
            self.teller.learn(account);
        }
        let Some(event) = self.teller.market_event(&batch.rows).unwrap() else {
            return;
        };
        for change in &event.changes {
            if let MarketChange::Placed { order, owner, .. } = change {
                self.placed.push((event.market, *owner, *order));
            }
        }
        self.events.push(event);
    }

    fn action(&mut self) -> Action {
        let random = &mut self.random;
        let market = MarketId(random.pick(&MARKETS));
        let recent = self.placed.len().min(50);
        let (of_market, owner, number) = if recent == 0 {
            (market.0, Uuid::nil(), 0)
        } else {
            self.placed[self.placed.len() - 1 - random.place(recent)]
        };
        let of_market = MarketId(of_market);
        match random.below(100) {
            0..=9 => Action::CancelOrder {
                market: of_market,
                owner,
                order: OrderRef::Number(number),
            },
            10..=21 => Action::AmendOrder(AmendOrder {
                market: of_market,
                owner,
                order: OrderRef::Number(number),
                price: random.one_in(2).then(|| random.steps(90, 20, TICK)),
                quantity: random.one_in(2).then(|| random.steps(1, 12, LOT)),
            }),
            22 => Action::CancelAll { market, owner },
            23..=25 => Action::ExpireOrders {
                market,
                now: from_micros(self.now),
            },
            26 => Action::SetFees {
                market,
                rates: vec![FeeRate {
                    maker_ppm: 1_000,
                    taker_ppm: 20_000,
                }],
            },
            27..=29 => Action::SetMarketState {
                market,
                state: random.pick(&[MarketState::Auction, MarketState::Halted, MarketState::CancelOnly]),
            },
            // Markets would rest too long otherwise.
            30..=37 => Action::SetMarketState {
                market,
                state: MarketState::Open,
            },
            _ => Action::PlaceOrder(self.order(market)),
        }
    }

    fn order(&mut self, market: MarketId) -> PlaceOrder {
        let random = &mut self.random;
        let (price, quantity) = (random.steps(90, 20, TICK), random.steps(1, 12, LOT));
        let side = random.pick(&[Side::Buy, Side::Sell]);
        let kind = match random.below(10) {
            0 => OrderKind::Market {
                quantity,
                protection: price,
            },
            1 if side == Side::Buy => OrderKind::MarketByValue {
                value: random.steps(1, 4_000, 1),
                protection: price,
            },
            _ => OrderKind::Limit {
                price,
                quantity,
                tif: random.pick(&[Tif::Gtc, Tif::Gtc, Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::PostOnly]),
            },
        };
        let minutes = i64::try_from(random.below(600)).unwrap();
        let terms = Terms {
            stop: random.one_in(5).then(|| random.steps(90, 20, TICK)),
            expires_at: random.one_in(4).then(|| from_micros(self.now + minutes * MINUTE)),
            self_trade: random.pick(&[
                SelfTrade::CancelNewest,
                SelfTrade::CancelOldest,
                SelfTrade::CancelBoth,
                SelfTrade::Decrement,
            ]),
            ..Terms::default()
        };
        PlaceOrder {
            market,
            owner: Uuid::from_u128(0x7000 + u128::from(random.below(PEOPLE))),
            side,
            kind,
            terms,
        }
    }
}

/// What staff have registered, and most of the orders as they were asked for.
async fn prepare(connection: &mut PgConnection, events: &[MarketChanged]) {
    sqlx::raw_sql(
        "INSERT INTO payment.network (key, name, chain_id, rpc_urls, confirmations, enabled, created_at, changed_at)
         VALUES ('anvil', 'Anvil', 1, '{http://localhost}', 1, true, now(), now());
         INSERT INTO payment.asset (id, symbol, name, network, contract, decimals, deposit_minimum, withdrawal_minimum,
                                    withdrawal_fee, approval_threshold, deposits_enabled, withdrawals_enabled, created_at,
                                    changed_at)
         SELECT n, 'A' || n, 'An asset', 'anvil', decode(lpad(n::text, 40, '0'), 'hex'), 0, 0, 0, 0, 0, true, true, now(),
                now()
           FROM generate_series(1, 3) AS n",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    for market in &MARKETS[..2] {
        let spec = spec(*market);
        let terms = MarketTerms {
            base: spec.base,
            quote: spec.quote,
            tick: spec.tick,
            lot: spec.lot,
            price_max: spec.price_max,
            quantity_min: spec.quantity_min,
            quantity_max: spec.quantity_max,
            value_min: spec.value_min,
            band_ppm: 0,
            open_orders_max: 200,
            reference_price: None,
            maker_ppm: 0,
            taker_ppm: 0,
        };
        sqlx::query(
            "INSERT INTO payment.market (id, symbol, base, quote, terms, request, created_at)
             VALUES ($1, 'M' || $1, $2, 3, $3, gen_random_uuid(), now())",
        )
        .bind(market.cast_signed())
        .bind(spec.base.0.cast_signed())
        .bind(Json(terms))
        .execute(&mut *connection)
        .await
        .unwrap();
    }
    let ours = |event: &&MarketChanged| event.market != MARKETS[2] && !event.sequence.is_multiple_of(4);
    for event in events.iter().filter(ours) {
        for change in &event.changes {
            if let MarketChange::Placed { owner, stop, .. } = change {
                // Its price is one that no event tells.
                sqlx::query(
                    "WITH named AS (
                         INSERT INTO payment.taken_order_name (user_id, name, id) VALUES ($2, $1::text, $1)
                     )
                     INSERT INTO payment.asked_order (user_id, id, market, client_order_id, side, kind, tif, price,
                                                      quantity, placed_at, stop, self_trade)
                     VALUES ($2, $1, $3, $1::text, 'buy', 'limit', 'gtc', 1, 999999, now(), $4, 'cancel_newest')",
                )
                .bind(event.command.uuid())
                .bind(owner)
                .bind(event.market.cast_signed())
                .bind((*stop > 0).then(|| PgU128(u128::from(*stop) * TICK)))
                .execute(&mut *connection)
                .await
                .unwrap();
            }
        }
    }
}

/// The tables of the read model, row by row.
type Tables = BTreeMap<&'static str, Vec<Value>>;

async fn tables(connection: &mut PgConnection) -> Tables {
    let mut tables = BTreeMap::new();
    for (table, sql) in [
        (
            "placed_order",
            "SELECT to_jsonb(t) FROM placed_order t ORDER BY id",
        ),
        ("asked_order", "SELECT to_jsonb(t) FROM asked_order t"),
        (
            "taken_order_name",
            "SELECT to_jsonb(t) FROM taken_order_name t ORDER BY user_id, name",
        ),
        (
            "trade",
            "SELECT to_jsonb(t) FROM trade t ORDER BY sequence, place",
        ),
        (
            "daily_volume",
            "SELECT to_jsonb(t) FROM daily_volume t ORDER BY user_id, market, day",
        ),
        ("market", "SELECT to_jsonb(t) FROM market t ORDER BY id"),
    ] {
        let rows: Vec<Value> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap();
        tables.insert(table, rows);
    }
    tables
}

/// Applies events in batches of the given sizes, each beginning up to `again` events before the end of the one before, and
/// answers what that made of the tables.
async fn applied(
    db: &Db,
    events: &[MarketChanged],
    mut size: impl FnMut() -> usize,
    mut again: impl FnMut() -> usize,
) -> Tables {
    let mut tx = db.begin().await.unwrap();
    let mut done = 0;
    while done < events.len() {
        let end = (done + size()).min(events.len());
        let batch = &events[done.saturating_sub(again())..end];
        apply_market_events(&mut tx, batch).await.unwrap();
        done = end;
    }
    tables(&mut tx).await
}

async fn prepared(events: &[MarketChanged]) -> (TestDb, Db) {
    let test_db = database(Postgres::shared().await).await;
    let mut connection = Postgres::shared().await.superuser(&test_db).await;
    prepare(&mut connection, events).await;
    let db = Db::connect(&db_config(&test_db, "payment")).await.unwrap();
    (test_db, db)
}

/// A sequence that leaves something out proves nothing about it.
fn tells_of_everything(seed: u64, tables: &Tables) {
    let orders = |what: &str, which: &dyn Fn(&Value) -> bool| {
        let count = tables["placed_order"].iter().filter(|row| which(row)).count();
        assert!(count > 0, "seed {seed}: no order is {what}");
    };
    for status in ["open", "filled", "cancelled", "expired", "unfilled", "self_trade"] {
        orders(status, &|row| row["status"] == status);
    }
    orders("a stop that waits", &|row| row["waiting"] == true);
    orders("a stop that was triggered", &|row| {
        row["stop"].is_number() && row["filled"] != 0
    });
    orders("a buy by value", &|row| row["quantity"].is_null());
    orders("asked for elsewhere", &|row| row["client_order_id"].is_null());
    orders("asked for here and amended", &|row| {
        row["client_order_id"].is_string() && row["price"] != 1
    });
    assert_eq!(tables["asked_order"], [Value::Null; 0], "all were placed");
    let is_open = |row: &&Value| row["status"] == "open" && row["client_order_id"].is_string();
    let open: BTreeSet<String> = (tables["placed_order"].iter().filter(is_open))
        .map(|row| row["client_order_id"].to_string())
        .collect();
    let named = tables["taken_order_name"]
        .iter()
        .map(|row| row["name"].to_string());
    assert_eq!(
        named.collect::<BTreeSet<_>>(),
        open,
        "a name is kept until its order ends"
    );
    let days = tables["daily_volume"].iter().map(|row| row["day"].to_string());
    assert!(days.collect::<BTreeSet<_>>().len() > 5, "seed {seed}");
    assert!(
        tables["trade"].len() > 200,
        "seed {seed}: {}",
        tables["trade"].len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_any_size_make_the_tables_that_single_events_make() {
    for seed in [1, 2] {
        let events = Exchange::play(seed);
        let (_test_db, db) = prepared(&events).await;
        let one_by_one = applied(&db, &events, || 1, || 0).await;

        tells_of_everything(seed, &one_by_one);
        for most in [3, 40, 400, events.len()] {
            let (mut sizes, mut repeats) = (Random(seed + 7), Random(seed + 8));
            let batched = applied(
                &db,
                &events,
                || {
                    if most == events.len() {
                        most
                    } else {
                        1 + sizes.place(most)
                    }
                },
                || if repeats.one_in(3) { repeats.place(5) } else { 0 },
            )
            .await;
            for (table, rows) in &one_by_one {
                assert_eq!(rows.len(), batched[table].len(), "seed {seed}, {most}: {table}");
                for (row, other) in rows.iter().zip(&batched[table]) {
                    assert_eq!(row, other, "seed {seed}, batches up to {most}: {table}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_trades_and_was_never_placed_is_a_fault() {
    let events = Exchange::play(3);
    let (_test_db, db) = prepared(&events).await;
    let ours: Vec<MarketChanged> = events.into_iter().filter(|event| event.market == 1).collect();
    let trades = |event: &MarketChanged| {
        let mut changes = event.changes.iter();
        changes.any(|change| matches!(change, MarketChange::Trade { .. }))
    };
    let first = ours.iter().position(trades).unwrap();
    let mut tx = db.begin().await.unwrap();
    let fault = apply_market_events(&mut tx, &ours[first..]).await.unwrap_err();
    assert_eq!(fault.code, "payment.order.missing");
}
