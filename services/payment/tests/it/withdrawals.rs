use axum::http::StatusCode;
use ferrex_contracts::Decision;
use ferrex_contracts::payment::DecideWithdrawal;
use ferrex_testkit::{Anvil, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, World, by, wei};

/// Pays nobody else in these tests.
pub const PAYEE: &str = "0x1111111111111111111111111111111111111111";

pub async fn rich() -> (World, crate::world::Person) {
    rich_with(|_| {}).await
}

pub async fn rich_with(change: impl FnOnce(&mut ferrex_payment::Config)) -> (World, crate::world::Person) {
    let world = World::with(change).await;
    world.fund(100).await;
    let anna = world.person("anna").await;
    world.give(anna, 20).await;
    (world, anna)
}

/// Hashes of what waits in the chain's pool.
pub async fn pool(world: &World) -> Vec<Value> {
    let content = world.anvil.rpc("txpool_content", json!([])).await;
    let pending = content["pending"].as_object().cloned().unwrap_or_default();
    pending
        .values()
        .flat_map(|by_nonce| by_nonce.as_object().unwrap().values().cloned())
        .collect()
}

pub async fn until_in_pool(world: &World) -> Value {
    eventually(SOON, async || pool(world).await.into_iter().next()).await
}

pub async fn hold_blocks(world: &World) {
    world.anvil.rpc("evm_setAutomine", json!([false])).await;
}

pub async fn paid(world: &World) -> String {
    world.anvil.balance(PAYEE).await.to_string()
}

pub async fn settle(world: &World, anna: crate::world::Person, id: &str) -> Value {
    eventually(SOON, async || {
        world.anvil.mine(1).await;
        let body = world.get(anna, &format!("/v1/withdrawals/{id}")).await;
        if body["status"] == "settled" {
            Ok(body)
        } else {
            Err(body["status"].clone())
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_is_held_signed_confirmed_settled_and_told() {
    let (world, anna) = rich().await;
    let preview = json!({ "asset": "ETH", "network": "anvil", "address": PAYEE, "amount": "2" });
    let (status, quote) = world
        .call(anna, "POST", "/v1/withdrawals/preview", Some(preview))
        .await;
    assert_eq!(
        (status, quote["total"].as_str()),
        (StatusCode::OK, Some("2.001")),
        "{quote}"
    );
    hold_blocks(&world).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    assert_eq!(world.balance(anna, "ETH").await, ["17.999", "2.001", "0", "0"]);
    until_in_pool(&world).await;
    let body = settle(&world, anna, &id).await;
    assert_eq!(paid(&world).await, wei(2).to_string());
    assert_eq!(world.balance(anna, "ETH").await, ["17.999", "0", "0", "0"]);
    let statuses: Vec<&str> = body["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        (statuses.first(), statuses.last()),
        (Some(&"requested"), Some(&"settled"))
    );
    let told = world.until_told("payment.withdrawal.settled", 1).await;
    assert_eq!(told[0]["transaction"], body["transaction"]);
    let history = eventually(SOON, async || {
        let history = world.get(anna, "/v1/history").await;
        (history["items"][0]["kind"] == "withdrawal").then_some(history)
    })
    .await;
    let line = &history["items"][0];
    assert_eq!(
        (line["change"].as_str(), line["fee"].as_str()),
        (Some("-2.001"), Some("0.001"))
    );
    assert_eq!(history["items"][1]["held_change"], "2.001");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a052_of_a_hundred_withdrawals_of_everything_at_once_exactly_one_is_taken() {
    let (world, anna) = rich().await;
    let keys: Vec<String> = (0..100).map(|_| world.key()).collect();
    let calls = keys.iter().map(|key| world.try_withdraw(anna, PAYEE, "4", key));
    // Five times four coins and the fee do not fit into twenty: four fit.
    let answers = futures::future::join_all(calls).await;
    let taken = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::CREATED)
        .count();
    let refused = answers
        .iter()
        .filter(|(status, _)| *status == StatusCode::CONFLICT)
        .count();
    assert_eq!((taken, refused), (4, 96));
    let ben = world.person("ben").await;
    world.give(ben, 1).await;
    let keys: Vec<String> = (0..100).map(|_| world.key()).collect();
    let calls = keys
        .iter()
        .map(|key| world.try_withdraw(ben, PAYEE, "0.999", key));
    let answers = futures::future::join_all(calls).await;
    assert_eq!(
        answers
            .iter()
            .filter(|(status, _)| *status == StatusCode::CREATED)
            .count(),
        1
    );
    eventually(SOON, async || {
        world.anvil.mine(1).await;
        world
            .count("SELECT count(*) FROM payment.withdrawal WHERE status = 'settled'")
            .await
            == 5
    })
    .await;
    assert_eq!(
        paid(&world).await,
        (wei(16) + crate::world::alloy(999 * 10u128.pow(15))).to_string()
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h023_two_services_and_a_decision_given_twice_pay_once() {
    let (world, anna) = rich().await;
    let second = world.launch().await;
    let id = world.withdraw(anna, PAYEE, "6").await;
    world.until_status(anna, &id, "awaiting_approval").await;
    let told = world.until_told("payment.withdrawal.awaits_approval", 1).await;
    let decide = DecideWithdrawal {
        withdrawal: id.parse().unwrap(),
        decision: Decision::Approve,
        content_hash: told[0]["content_hash"].as_str().unwrap().to_owned(),
        by: by(),
    };
    let stale = DecideWithdrawal {
        content_hash: "00".into(),
        ..decide.clone()
    };
    assert_eq!(
        world.ask(&stale).await.unwrap_err().code,
        "payment.withdrawal.content_changed",
        "h035"
    );
    let (one, two) = tokio::join!(world.ask(&decide), world.ask(&decide));
    assert_eq!(
        (one.unwrap().withdrawal, two.unwrap().withdrawal),
        (decide.withdrawal, decide.withdrawal)
    );
    settle(&world, anna, &id).await;
    assert_eq!(paid(&world).await, wei(6).to_string());
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 1);
    second.kill().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h031_f039_without_enough_in_the_hot_wallet_a_withdrawal_waits_visibly_and_can_be_cancelled() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    world.give(anna, 20).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    let other = world.withdraw(anna, PAYEE, "1").await;
    let path = format!("/v1/withdrawals/{id}");
    eventually(SOON, async || {
        let body = world.get(anna, &path).await;
        let reason = body["waiting_for"].as_str().unwrap_or_default().to_owned();
        if reason.contains("hot wallet is being filled") {
            Ok(())
        } else {
            Err(body)
        }
    })
    .await;
    let (status, body) = world.call(anna, "POST", &format!("{path}/cancel"), None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    world.until_status(anna, &id, "cancelled").await;
    world.fund(10).await;
    settle(&world, anna, &other).await;
    assert_eq!(paid(&world).await, wei(1).to_string());
    world.until_told("payment.withdrawal.cancelled", 1).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h038_f041_a_withdrawal_to_one_of_our_addresses_is_paid_inside_the_house() {
    let (world, anna) = rich().await;
    let ben = world.person("ben").await;
    let theirs = world.address(ben).await;
    let id = world.withdraw(anna, &theirs, "2").await;
    let body = world.until_status(anna, &id, "settled").await;
    assert_eq!(
        (body["fee"].as_str(), body["internal"].as_bool()),
        (Some("0"), Some(true))
    );
    assert_eq!(world.balance(ben, "ETH").await[0], "2");
    assert_eq!(world.balance(anna, "ETH").await[0], "18");
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 0);
    for own in [world.address(anna).await, world.hot_wallet().await] {
        let (status, answer) = world.try_withdraw(anna, &own, "1", &world.key()).await;
        assert_eq!(
            (status, &answer["errors"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("address"))
        );
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h039_a075_addresses_are_refused_with_the_reason_before_anything_is_held() {
    let (world, anna) = rich().await;
    let contract = world
        .anvil
        .deploy_token(Anvil::ACCOUNTS[0].address, "XXX", 6, wei(1))
        .await;
    for (address, reason) in [
        (
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "another kind of network",
        ),
        ("0x70997970C51812dc3A010C7d01b50e0d17dc79c8", "checksum"),
        ("0x7099", "40 characters"),
        ("0x0000000000000000000000000000000000000000", "zero address"),
        ("0x000000000000000000000000000000000000dEaD", "burn"),
        (&contract, "contract"),
    ] {
        let (status, answer) = world.try_withdraw(anna, address, "1", &world.key()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let error = &answer["errors"][0];
        assert!(
            error["field"] == "address" && error["message"].as_str().unwrap().contains(reason),
            "{answer}"
        );
    }
    assert_eq!(world.balance(anna, "ETH").await, ["20", "0", "0", "0"]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a010_a062_level_code_and_freeze_are_asked_for() {
    let (world, anna) = rich().await;
    let body = |code: Value| json!({ "asset": "ETH", "network": "anvil", "address": PAYEE, "amount": "1", "second_factor": code });
    for code in [json!(null), json!(""), json!([]), json!(true), json!(123_456)] {
        let (status, answer) = world
            .call_with(anna, "POST", "/v1/withdrawals", Some(body(code)), Some("k"))
            .await;
        assert_eq!(
            (status, &answer["errors"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("second_factor"))
        );
    }
    let wrong = body(json!("000000"));
    let (status, answer) = world
        .call_with(anna, "POST", "/v1/withdrawals", Some(wrong), Some("k"))
        .await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("core.second_factor.wrong"))
    );
    world.freeze(anna, true).await;
    let (status, answer) = world.try_withdraw(anna, PAYEE, "1", "k").await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("payment.account.frozen"))
    );
    world.freeze(anna, false).await;
    // Frozen while it waits for staff: approved, it still does not reach the signer.
    let id = world.withdraw(anna, PAYEE, "6").await;
    let told = world.until_told("payment.withdrawal.awaits_approval", 1).await;
    world.freeze(anna, true).await;
    let decide = DecideWithdrawal {
        withdrawal: id.parse().unwrap(),
        decision: Decision::Approve,
        content_hash: told[0]["content_hash"].as_str().unwrap().to_owned(),
        by: by(),
    };
    world.ask(&decide).await.unwrap();
    eventually(SOON, async || {
        let body = world.get(anna, &format!("/v1/withdrawals/{id}")).await;
        body["waiting_for"]
            .as_str()
            .is_some_and(|reason| reason.contains("stopped by staff"))
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 0);
    world.freeze(anna, false).await;
    world.payment().withdrawals().rearm(None).await.unwrap();
    settle(&world, anna, &id).await;
    world.finish().await;
}
