//! What can happen to a payment between its signature and its confirmation.

use std::sync::atomic::Ordering;

use ferrex_contracts::payment::GetWithdrawal;
use ferrex_testkit::eventually;
use serde_json::{Value, json};

use crate::withdrawals::{PAYEE, hold_blocks, paid, pool, rich, rich_with, settle, until_in_pool};
use crate::world::{CONFIRMATIONS, SOON, World, wei};
use crate::{liar, token_calls};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h021_f031_a_broadcast_without_an_answer_is_looked_for_and_never_signed_again() {
    let world = World::bare(|_| {}).await;
    let (node, lies) = liar::start(world.anvil.clone()).await;
    world.put_network(&[&node]).await;
    world.create_coin().await;
    world.fund(100).await;
    let anna = world.person("anna").await;
    world.give(anna, 20).await;
    lies.lose_broadcast_answers.store(true, Ordering::SeqCst);
    let id = world.withdraw(anna, PAYEE, "2").await;
    settle(&world, anna, &id).await;
    assert!(lies.broadcasts.load(Ordering::SeqCst) >= 1);
    assert_eq!(paid(&world).await, wei(2).to_string());
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h022_f030_a_service_killed_around_the_broadcast_goes_on_with_the_same_bytes() {
    let (mut world, anna) = rich().await;
    hold_blocks(&world).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    let first = until_in_pool(&world).await;
    world.instance.take().unwrap().kill().await;
    world
        .anvil
        .rpc("anvil_dropTransaction", json!([first["hash"]]))
        .await;
    world.instance = Some(world.launch().await);
    let again = until_in_pool(&world).await;
    assert_eq!(again["hash"], first["hash"]);
    settle(&world, anna, &id).await;
    assert_eq!(paid(&world).await, wei(2).to_string());
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h026_f033_payments_dropped_from_the_pool_are_sent_again_and_leave_no_gap() {
    let (world, anna) = rich().await;
    hold_blocks(&world).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.withdraw(anna, PAYEE, "1").await);
    }
    eventually(SOON, async || pool(&world).await.len() == 3).await;
    let lowest = pool(&world)
        .await
        .into_iter()
        .min_by_key(|tx| tx["nonce"].as_str().unwrap().to_owned())
        .unwrap();
    world
        .anvil
        .rpc("anvil_dropTransaction", json!([lowest["hash"]]))
        .await;
    eventually(SOON, async || {
        let hashes: Vec<Value> = pool(&world)
            .await
            .into_iter()
            .map(|tx| tx["hash"].clone())
            .collect();
        hashes.len() == 3 && hashes.contains(&lowest["hash"])
    })
    .await;
    for id in &ids {
        settle(&world, anna, id).await;
    }
    assert_eq!(paid(&world).await, wei(3).to_string());
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 3);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h028_f036_a_payment_that_is_stuck_is_replaced_with_the_same_nonce_and_settled_once() {
    let (world, anna) = rich_with(|config| config.payment_replace_ms = 1_000).await;
    hold_blocks(&world).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    let first = until_in_pool(&world).await;
    let second = eventually(SOON, async || {
        pool(&world)
            .await
            .into_iter()
            .find(|tx| tx["hash"] != first["hash"])
    })
    .await;
    assert_eq!(second["nonce"], first["nonce"]);
    settle(&world, anna, &id).await;
    assert_eq!(paid(&world).await, wei(2).to_string());
    let view = world
        .ask(&GetWithdrawal {
            withdrawal: id.parse().unwrap(),
        })
        .await
        .unwrap();
    assert!(view.transactions.len() >= 2);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h029_f037_a_payment_that_is_mined_but_reverted_returns_the_money_and_the_house_bears_the_fee() {
    let (world, anna) = rich().await;
    hold_blocks(&world).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    until_in_pool(&world).await;
    // The payee became a contract that refuses, after all checks.
    world
        .anvil
        .rpc("anvil_setCode", json!([PAYEE, token_calls::REVERTS]))
        .await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    let body = world.until_status(anna, &id, "failed").await;
    assert!(body["transaction"].is_string());
    assert_eq!(world.balance(anna, "ETH").await, ["20", "0", "0", "0"]);
    world.until_told("payment.withdrawal.failed", 1).await;
    assert!(world.told("payment.withdrawal.settled").is_empty());
    // Reason 6 is the release; the only money it moves is the chain's charge.
    let charged = "SELECT count(*) FROM engine.journal WHERE reason = 6 AND amount > 0 AND kind = 1";
    assert_eq!(world.count(charged).await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h030_the_old_candidate_wins_and_settles() {
    let (world, anna) = rich_with(|config| config.payment_replace_ms = 1_000).await;
    hold_blocks(&world).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    let first = until_in_pool(&world).await;
    let raw = world
        .anvil
        .rpc("eth_getRawTransactionByHash", json!([first["hash"]]))
        .await;
    let raw = if raw.is_null() {
        raw_of(&world, &first).await
    } else {
        raw
    };
    eventually(SOON, async || {
        pool(&world)
            .await
            .into_iter()
            .find(|tx| tx["hash"] != first["hash"])
    })
    .await;
    // The pool forgets the replacements at the moment the block is made.
    eventually(SOON, async || {
        for tx in pool(&world).await {
            world
                .anvil
                .rpc("anvil_dropTransaction", json!([tx["hash"]]))
                .await;
        }
        let _ = world.anvil.try_rpc("eth_sendRawTransaction", json!([raw])).await;
        world.anvil.mine(1).await;
        !world
            .anvil
            .rpc("eth_getTransactionReceipt", json!([first["hash"]]))
            .await
            .is_null()
    })
    .await;
    let body = settle(&world, anna, &id).await;
    assert_eq!(body["transaction"], first["hash"]);
    assert_eq!(paid(&world).await, wei(2).to_string());
    world.finish().await;
}

async fn raw_of(world: &World, tx: &Value) -> Value {
    let hash = tx["hash"].as_str().unwrap().trim_start_matches("0x");
    let sql = format!("SELECT encode(raw, 'hex') FROM payment.outgoing_transaction WHERE hash = '\\x{hash}'");
    let mut connection = world.superuser().await;
    let raw: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(&mut connection)
        .await
        .unwrap();
    json!(format!("0x{raw}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f038_a_payment_reorganised_away_is_sent_again_byte_for_byte() {
    let (world, anna) = rich().await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    let body = eventually(SOON, async || {
        let body = world.get(anna, &format!("/v1/withdrawals/{id}")).await;
        if body["waiting_for"] == "confirmations" {
            Ok(body)
        } else {
            Err(body)
        }
    })
    .await;
    let hash = body["transaction"].clone();
    world.anvil.reorg(1).await;
    let body = settle(&world, anna, &id).await;
    assert_eq!(body["transaction"], hash);
    assert_eq!(paid(&world).await, wei(2).to_string());
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f038_i17_a_settled_payment_that_a_deep_reorganisation_loses_is_sent_again_and_booked_once() {
    let (world, anna) = rich().await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    let body = settle(&world, anna, &id).await;
    let hash = body["transaction"].clone();
    let mined_at = "SELECT height FROM payment.outgoing_transaction";
    let settled = "SELECT count(DISTINCT command) FROM engine.journal WHERE reason = 5";
    for lost in 1..=2 {
        world.anvil.mine(u64::from(CONFIRMATIONS)).await;
        world.until_read().await;
        let depth = world.anvil.height().await - world.count(mined_at).await.cast_unsigned() + 1;
        assert!(depth > u64::from(CONFIRMATIONS));
        world.anvil.reorg(depth).await;
        // Off the chain, and back by itself.
        eventually(SOON, async || {
            let reorganised = world
                .count("SELECT count(*) FROM payment.chain_reorganisation")
                .await;
            let back = world
                .count("SELECT count(height) FROM payment.outgoing_transaction")
                .await;
            if (reorganised, back) == (lost, 1) {
                Ok(())
            } else {
                Err((reorganised, back))
            }
        })
        .await;
    }
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_read().await;
    eventually(SOON, async || {
        world
            .count("SELECT count(*) FROM payment.outgoing_transaction WHERE confirmed")
            .await
            == 1
    })
    .await;
    let body = world.get(anna, &format!("/v1/withdrawals/{id}")).await;
    assert_eq!(
        (body["status"].as_str(), &body["transaction"]),
        (Some("settled"), &hash)
    );
    assert_eq!(paid(&world).await, wei(2).to_string());
    assert_eq!(world.balance(anna, "ETH").await, ["17.999", "0", "0", "0"]);
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 1);
    assert_eq!(world.count(settled).await, 1);
    assert_eq!(world.told("payment.withdrawal.settled").len(), 1);
    let halted = "SELECT count(*) FROM payment.network WHERE halted_because IS NOT NULL";
    assert_eq!(world.count(halted).await, 0);
    world.finish().await;
}
