//! Orders survive a restart by projection and by tail: what was set aside stays so, and what rested still trades.

use ferrex_engine::Config;
use ferrex_engine_core::{
    Action, Command, FeeRate, MarketId, MarketSpec, MarketState, OrderKind, OrderRef, Outcome, PlaceOrder,
    Reason, Refusal, Side, Step, Terms, Tif,
};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::{Clock as _, SystemClock};
use uuid::Uuid;

use crate::support::*;

const MARKET: MarketId = MarketId(1);
const MONEY: AssetId = AssetId(8);

fn asks(reason: Reason, action: Action) -> Command {
    let id = new_id();
    Command {
        id: CommandId::from_uuid(id),
        at: SystemClock.now(),
        reason,
        reference: id,
        action,
    }
}

fn funds(user: Uuid, asset: AssetId, amount: u128) -> Command {
    let step = Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(user),
        asset,
        amount: Amount::new(amount),
    };
    command(Reason::Deposit, vec![step])
}

/// Coins are bought with money: 1 a coin is a tick, 10 coins are a lot.
fn market() -> [Command; 3] {
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

fn limit(owner: Uuid, side: Side, price: u128, quantity: u128, name: Uuid) -> Command {
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

fn cancel(owner: Uuid, name: Uuid) -> Command {
    let action = Action::CancelOrder {
        market: MARKET,
        owner,
        order: OrderRef::Client(name),
    };
    asks(Reason::Trading, action)
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_orders_go_on_from_projection_and_tail() {
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
