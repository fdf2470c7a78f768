//! Orders survive a restart: what was set aside stays so, and what rested still trades.

use ferrex_contracts::engine::{JournalCommitted, MarketChange, MarketChanged, OrderEnd, Side as Told};
use ferrex_contracts::payment::Direction;
use ferrex_engine::Config;
use ferrex_engine_core::{
    Action, Command, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, OrderRef, Outcome, PlaceOrder,
    Reason, Refusal, Side, Step, Terms, Tif,
};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_testkit::eventually;
use ferrex_time::{Clock as _, SystemClock};
use uuid::Uuid;

use crate::relay::embedded_bus;
use crate::support::*;

pub const MARKET: MarketId = MarketId(1);
pub const MONEY: AssetId = AssetId(8);

pub fn asks(reason: Reason, action: Action) -> Command {
    let id = new_id();
    Command {
        id: CommandId::from_uuid(id),
        at: SystemClock.now(),
        reason,
        reference: id,
        action,
    }
}

pub fn funds(user: Uuid, asset: AssetId, amount: u128) -> Command {
    let step = Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(user),
        asset,
        amount: Amount::new(amount),
    };
    command(Reason::Deposit, vec![step])
}

/// Coins are bought with money: 1 a coin is a tick, 10 coins are a lot.
pub fn market() -> [Command; 3] {
    let spec = MarketSpec {
        base: COIN,
        quote: MONEY,
        per: Amount::new(1),
        tick: Amount::new(1),
        lot: Amount::new(10),
        price_max: Amount::new(1_000),
        quantity_min: Amount::new(10),
        quantity_max: Amount::new(10_000),
        value_min: Amount::new(1),
        band_ppm: 0,
        open_orders_max: 10,
        reference_price: None,
    };
    let rates = vec![FeeRate {
        maker_ppm: 10_000,
        taker_ppm: 20_000,
    }];
    [
        Action::CreateMarket { market: MARKET, spec },
        Action::SetFees {
            market: MARKET,
            rates,
        },
        Action::SetMarketState {
            market: MARKET,
            state: MarketState::Open,
        },
    ]
    .map(|action| asks(Reason::MarketAdmin, action))
}

pub fn limit(owner: Uuid, side: Side, price: u128, quantity: u128, name: Uuid) -> Command {
    let kind = OrderKind::Limit {
        price: Amount::new(price),
        quantity: Amount::new(quantity),
        tif: Tif::Gtc,
    };
    let terms = Terms {
        client: Some(name),
        ..Terms::default()
    };
    let order = PlaceOrder {
        market: MARKET,
        owner,
        side,
        kind,
        terms,
    };
    asks(Reason::Trading, Action::PlaceOrder(order))
}

pub fn cancel(owner: Uuid, name: Uuid) -> Command {
    let action = Action::CancelOrder {
        market: MARKET,
        owner,
        order: OrderRef::Client(name),
    };
    asks(Reason::Trading, action)
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_orders_go_on_where_the_journal_ends() {
    let db = database().await;
    let pool = look(&db).await;
    let (alice, bob, early, late) = (new_id(), new_id(), new_id(), new_id());
    let brisk = Config {
        projection_ms: 20,
        ..Config::default()
    };
    let never_again = Config {
        projection_ms: 3_600_000,
        ..Config::default()
    };

    let first = start_with(&db, brisk, None).await;
    let mut commands = Vec::from(market());
    commands.extend([
        funds(alice, COIN, 1_000),
        funds(bob, MONEY, 10_000),
        limit(alice, Side::Sell, 20, 100, early),
        // 40 trade at once, 10 × 9 rest.
        limit(bob, Side::Buy, 25, 40, new_id()),
    ]);
    let mut outcomes = Vec::new();
    for command in &commands {
        outcomes.push(submit(&first.client, command).await);
    }
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Applied { .. })),
        "{outcomes:?}"
    );
    assert_eq!(wallet(&first.client, alice).await, (960, 60));
    // The taker pays 2 % of the coins it gets.
    let fee = 1;
    assert_eq!(wallet(&first.client, bob).await, (40 - fee, 0));
    projection_is_current(&pool).await;
    first.crash().await;

    let second = start_with(&db, never_again.clone(), None).await;
    let placed = limit(alice, Side::Sell, 30, 200, late);
    submit(&second.client, &placed).await;
    assert_eq!(wallet(&second.client, alice).await, (960, 260));
    second.crash().await;

    let third = start_with(&db, never_again, None).await;
    for (command, outcome) in commands.iter().zip(&outcomes) {
        assert_eq!(
            submit(&third.client, command).await,
            *outcome,
            "a repeat has the first answer"
        );
    }
    assert_eq!(
        wallet(&third.client, alice).await,
        (960, 260),
        "both orders are there"
    );
    // One that was projected trades, one of the tail is cancelled.
    submit(&third.client, &limit(bob, Side::Buy, 20, 60, new_id())).await;
    assert_eq!(wallet(&third.client, alice).await, (900, 200));
    submit(&third.client, &cancel(alice, late)).await;
    assert_eq!(
        wallet(&third.client, alice).await,
        (900, 0),
        "the hold goes with the order"
    );
    let again = submit(&third.client, &cancel(alice, early)).await;
    assert!(
        matches!(
            again,
            Outcome::Refused {
                refusal: Refusal::OrderUnknown,
                ..
            }
        ),
        "{again:?}"
    );
    third.stop().await;
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM engine.open_order")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(open, 0);
    assert_audit_is_clean(&db).await;
}

async fn told<M: serde::de::DeserializeOwned>(pool: &sqlx::PgPool, topic: &str) -> Vec<M> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        r#"SELECT body FROM bus.record WHERE topic = $1 ORDER BY at, partition, "offset""#,
    )
    .bind(topic)
    .fetch_all(pool)
    .await
    .unwrap();
    rows.iter()
        .map(|body| serde_json::from_slice(body).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_what_happens_in_a_market_is_told_and_its_money_adds_up() {
    let db = database().await;
    let pool = look(&db).await;
    let bus = embedded_bus(&db).await;
    let running = start_with(&db, Config::default(), Some(bus)).await;
    let (alice, bob, name) = (new_id(), new_id(), new_id());
    let mut commands = Vec::from(market());
    commands.extend([
        funds(alice, COIN, 1_000),
        funds(bob, MONEY, 10_000),
        limit(alice, Side::Sell, 20, 100, name),
        limit(bob, Side::Buy, 25, 40, new_id()),
        cancel(alice, name),
    ]);
    let mut sequences = Vec::new();
    for command in &commands {
        sequences.push(submit(&running.client, command).await.sequence());
    }
    let events: Vec<MarketChanged> = eventually(SOON, async || {
        let events = told::<MarketChanged>(&pool, "engine.market.v1").await;
        if events.len() >= 6 {
            Ok(events)
        } else {
            Err(events)
        }
    })
    .await;
    assert_eq!(events.len(), 6, "deposits are none of a market's business");
    let with_command = |place: usize| {
        let event = &events[if place < 3 { place } else { place - 2 }];
        assert_eq!(
            (event.command, event.sequence, event.market),
            (commands[place].id, sequences[place], MARKET.0)
        );
        &event.changes[..]
    };
    assert!(matches!(
        with_command(0),
        [MarketChange::Created {
            base: COIN,
            quote: MONEY,
            ..
        }]
    ));
    assert!(matches!(with_command(1), [MarketChange::Fees { .. }]));
    assert!(matches!(with_command(2), [MarketChange::State { .. }]));
    let [
        MarketChange::Placed {
            order: 1,
            owner,
            client,
            left: 10,
            held,
            end: None,
            ..
        },
    ] = with_command(5)
    else {
        panic!("{events:?}")
    };
    assert_eq!((*owner, *client, held.units()), (alice, Some(name), 100));
    // A trade at the maker's price, once, with each side's fee: 1 % of 800 and 2 % of 40, rounded up.
    let [
        trade,
        MarketChange::Placed {
            order: 2,
            left: 0,
            end: Some(OrderEnd::Filled),
            ..
        },
    ] = with_command(6)
    else {
        panic!("{events:?}")
    };
    let MarketChange::Trade {
        price: 20,
        lots: 4,
        taker: Some(Told::Buy),
        buy,
        sell,
    } = trade
    else {
        panic!("{trade:?}")
    };
    assert_eq!(
        (buy.person, buy.order, buy.pays.units(), buy.fee.units(), buy.left),
        (Some(bob), 2, 800, 1, 0)
    );
    assert_eq!(
        (
            sell.person,
            sell.order,
            sell.pays.units(),
            sell.fee.units(),
            sell.left
        ),
        (Some(alice), 1, 40, 8, 6)
    );
    assert!(matches!(
        with_command(7),
        [MarketChange::Ended {
            order: 1,
            why: OrderEnd::Cancelled
        }]
    ));

    // The journal's event has the same money: what each person gained or lost, and the house's fees.
    let journal = told::<JournalCommitted>(&pool, "engine.journal.v1").await;
    let traded = journal
        .iter()
        .find(|event| event.command == commands[6].id)
        .unwrap();
    assert_eq!(traded.reason, Reason::Trading.code());
    let change = |account: Account, asset: AssetId| -> i128 {
        let entries = traded
            .entries
            .iter()
            .filter(|entry| entry.account == account && entry.asset == asset);
        entries
            .map(|entry| {
                let units = i128::try_from(entry.amount.units()).unwrap();
                if entry.direction == Direction::Credit {
                    units
                } else {
                    -units
                }
            })
            .sum()
    };
    let fees = Account::house(Purpose::Fees);
    for (asset, of_alice, of_bob, of_house) in [(MONEY, 792, -800, 8), (COIN, -40, 39, 1)] {
        let got = [Account::wallet(alice), Account::wallet(bob), fees].map(|account| change(account, asset));
        assert_eq!(got, [of_alice, of_bob, of_house]);
    }
    finish(running, &db).await;
}
