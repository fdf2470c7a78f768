//! A cancel and the signer at the same withdrawal. Who comes first is decided by rows that the test holds locked, not by
//! chance.

use axum::http::StatusCode;
use ferrex_testkit::eventually;
use serde_json::Value;

use crate::parts::Person;
use crate::withdrawals::{PAYEE, paid, rich, settle};
use crate::world::{SOON, World, let_go};

/// As many of the last kind of round as make both outcomes likely.
const ROUNDS: u64 = 16;

async fn cancel(world: &World, anna: Person, id: &str) -> (StatusCode, Value) {
    world
        .call(anna, "POST", &format!("/v1/withdrawals/{id}/cancel"), None)
        .await
}

/// Waits until somebody waits for a lock with a statement like this.
async fn until_blocked(world: &World, statement: &str) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND query LIKE '%{statement}%'"
    );
    eventually(SOON, async || world.count(&sql).await > 0).await;
}

/// What the payment's claim on the hot wallet locks first. Not against references to the row.
const NETWORK: &str = "SELECT FROM payment.network FOR NO KEY UPDATE";
const AT_NETWORK: &str = "FROM network WHERE key";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h033_f044_of_a_cancel_and_the_signer_exactly_one_wins() {
    let (world, anna) = rich().await;
    // The wallet's row exists from the first payment on.
    let first = world.withdraw(anna, PAYEE, "1").await;
    settle(&world, anna, &first).await;
    let mut settled = 1;

    // The signer works: too late.
    let wallet = world.hold("SELECT FROM signer.wallet FOR UPDATE").await;
    let late = world.withdraw(anna, PAYEE, "1").await;
    until_blocked(&world, "SELECT next_nonce FROM wallet").await;
    let (status, answer) = cancel(&world, anna, &late).await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (
            StatusCode::CONFLICT,
            Some("payment.withdrawal.too_late_to_cancel")
        )
    );
    let_go(wallet).await;
    settle(&world, anna, &late).await;
    settled += 1;

    // Everything is checked, the signer is not asked yet: in time.
    let network = world.hold(NETWORK).await;
    let early = world.withdraw(anna, PAYEE, "1").await;
    until_blocked(&world, AT_NETWORK).await;
    let (status, answer) = cancel(&world, anna, &early).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let_go(network).await;
    world.until_status(anna, &early, "cancelled").await;

    // Both at once: whoever has the withdrawal's row first.
    let mut cancelled = 1;
    for _ in 0..ROUNDS {
        let network = world.hold(NETWORK).await;
        let id = world.withdraw(anna, PAYEE, "0.1").await;
        until_blocked(&world, AT_NETWORK).await;
        let ((), (status, answer)) = tokio::join!(let_go(network), cancel(&world, anna, &id));
        if status == StatusCode::OK {
            cancelled += 1;
            world.until_status(anna, &id, "cancelled").await;
        } else {
            assert_eq!(status, StatusCode::CONFLICT, "{answer}");
            settled += 1;
            settle(&world, anna, &id).await;
        }
    }
    assert_eq!(cancelled + settled, ROUNDS + 3);
    let tenths = u128::from(2 * 10 + (settled - 2));
    assert_eq!(paid(&world).await, (tenths * 10u128.pow(17)).to_string());
    assert_eq!(
        world.count("SELECT count(*) FROM signer.signature").await,
        settled.cast_signed()
    );
    world.finish().await;
}
