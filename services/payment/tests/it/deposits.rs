use axum::http::StatusCode;
use ferrex_testkit::{Anvil, eventually};
use serde_json::json;

use crate::token_calls;
use crate::world::{CONFIRMATIONS, SOON, World, alloy, wei};

const PAYER: &str = Anvil::ACCOUNTS[1].address;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_is_pending_with_confirmations_then_credited_and_told() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    assert_eq!(world.address(anna).await, address, "the same address each time");
    world.anvil.pay(PAYER, &address, wei(2)).await;
    world.until_read().await;
    let list = world.get(anna, "/v1/deposits").await;
    let seen = &list["items"][0];
    assert_eq!(
        (seen["status"].as_str(), seen["confirmations"].as_u64()),
        (Some("confirming"), Some(1))
    );
    assert_eq!(seen["confirmations_needed"], CONFIRMATIONS);
    assert_eq!(
        world.balance(anna, "ETH").await,
        ["0", "0", "2", "0"],
        "pending is not spendable"
    );
    world.until_told("payment.deposit.seen", 1).await;
    assert!(world.told("payment.deposit.credited").is_empty());
    world.anvil.mine(u64::from(CONFIRMATIONS) - 1).await;
    world.until_available(anna, "ETH", "2").await;
    world.until_told("payment.deposit.credited", 1).await;
    let history = eventually(SOON, async || {
        let history = world.get(anna, "/v1/history").await;
        (history["items"].as_array().unwrap().len() == 1).then_some(history)
    })
    .await;
    let line = &history["items"][0];
    assert_eq!(
        (line["kind"].as_str(), line["change"].as_str()),
        (Some("deposit"), Some("2"))
    );
    assert_eq!(line["transaction"], seen["transaction"]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h001_f008_a_reorganisation_of_any_depth_takes_back_what_it_removed() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    // Blocks below, so that the deepest reorganisation stays above the first followed block.
    world.anvil.mine(20).await;
    for depth in 1..=12u64 {
        world.anvil.pay(PAYER, &address, wei(1)).await;
        if depth > 1 {
            world.anvil.mine(depth - 1).await;
        }
        let deep_enough = depth >= u64::from(CONFIRMATIONS);
        let expected = if deep_enough {
            ["1", "0", "0", "0"]
        } else {
            ["0", "0", "1", "0"]
        };
        eventually(SOON, async || {
            let balance = world.balance(anna, "ETH").await;
            if balance == expected {
                Ok(())
            } else {
                Err((depth, balance))
            }
        })
        .await;
        world.anvil.reorg(depth).await;
        eventually(SOON, async || {
            let balance = world.balance(anna, "ETH").await;
            if balance == ["0", "0", "0", "0"] {
                Ok(())
            } else {
                Err((depth, balance))
            }
        })
        .await;
        let gone =
            "SELECT count(*) FROM payment.deposit WHERE status IN ('dropped', 'reversed') AND height IS NULL";
        eventually(SOON, async || world.count(gone).await == depth.cast_signed()).await;
    }
    assert_eq!(
        world
            .count("SELECT count(*) FROM payment.chain_reorganisation")
            .await,
        12
    );
    world.until_told("payment.deposit.reversed", 10).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h001_money_spent_before_the_reorganisation_becomes_a_debt_that_the_next_deposit_repays() {
    let world = World::start().await;
    let (anna, ben) = (world.person("anna").await, world.person("ben").await);
    world.anvil.mine(20).await;
    world.give(anna, 3).await;
    let body = json!({ "to": "ben", "asset": "ETH", "amount": "2" });
    let (status, answer) = world
        .call_with(anna, "POST", "/v1/transfers", Some(body.clone()), Some("a"))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    world.anvil.reorg(u64::from(CONFIRMATIONS) + 1).await;
    eventually(SOON, async || {
        let balance = world.balance(anna, "ETH").await;
        if balance == ["0", "0", "0", "2"] {
            Ok(())
        } else {
            Err(balance)
        }
    })
    .await;
    let told = world.until_told("payment.deposit.reversed", 1).await;
    assert_eq!(told[0]["owed"], "2000000000000000000");
    assert_eq!(world.balance(ben, "ETH").await[0], "2", "who was paid keeps it");
    let (status, answer) = world
        .call_with(anna, "POST", "/v1/transfers", Some(body), Some("b"))
        .await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::CONFLICT, Some("payment.account.owing"))
    );
    let address = world.address(anna).await;
    world.anvil.pay(PAYER, &address, wei(5)).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_available(anna, "ETH", "3").await;
    assert_eq!(world.balance(anna, "ETH").await[3], "0");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h002_f010_the_same_transaction_in_another_block_is_credited_again_as_the_same_deposit() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    world.anvil.mine(20).await;
    let hash = world.anvil.pay(PAYER, &address, wei(1)).await;
    let raw = world
        .anvil
        .rpc("eth_getRawTransactionByHash", json!([hash]))
        .await;
    world.anvil.mine(4).await;
    world.until_available(anna, "ETH", "1").await;
    for round in 1..=2 {
        world.anvil.reorg(6).await;
        world.until_told("payment.deposit.reversed", round).await;
        world.anvil.rpc("eth_sendRawTransaction", json!([raw])).await;
        world.anvil.mine(4).await;
        world.until_available(anna, "ETH", "1").await;
        world.until_told("payment.deposit.credited", round + 1).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM payment.deposit").await, 1);
    assert_eq!(world.told("payment.deposit.seen").len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h007_two_transfers_to_one_address_in_one_transaction_are_two_deposits() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    let token = world.create_token("USDX", 6).await;
    let code = token_calls::logs(PAYER, &[(&address, 1_500_000), (&address, 1_500_000)], None);
    world.anvil.rpc("anvil_setCode", json!([token, code])).await;
    world
        .anvil
        .send(json!({ "from": PAYER, "to": token, "gas": "0x30d40" }))
        .await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_available(anna, "USDX", "3").await;
    assert_eq!(world.count("SELECT count(*) FROM payment.deposit").await, 2);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h009_a070_reverted_transfers_and_tokens_that_are_not_listed_bring_nothing() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    let token = world.create_token("USDX", 6).await;
    let owner = Anvil::ACCOUNTS[0].address;
    let fake = world
        .anvil
        .deploy_token(owner, "USDX", 6, alloy(10u128.pow(20)))
        .await;
    world
        .anvil
        .pay_token(&fake, owner, &address, alloy(7_000_000))
        .await;
    // A payer without tokens: mined and reverted.
    let to: String = address.trim_start_matches("0x").to_lowercase();
    let data = format!("0xa9059cbb{to:0>64}{:064x}", 7_000_000);
    let reverted = world
        .anvil
        .send(json!({ "from": PAYER, "to": token, "data": data, "gas": "0x30d40" }))
        .await;
    assert_eq!(world.anvil.receipt(&reverted).await["status"], "0x0");
    // Something real afterwards shows that the blocks were read.
    world
        .anvil
        .pay_token(&token, owner, &address, alloy(1_000_000))
        .await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_available(anna, "USDX", "1").await;
    assert_eq!(world.count("SELECT count(*) FROM payment.deposit").await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h010_one_transaction_with_two_tokens_credits_each_by_its_own_decimals() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    let six = world.create_token("USDX", 6).await;
    let eighteen = world.create_token("DAIX", 18).await;
    let amount = 2_000_000_000_000_000_000;
    world
        .anvil
        .rpc(
            "anvil_setCode",
            json!([eighteen, token_calls::logs(PAYER, &[(&address, amount)], None)]),
        )
        .await;
    let code = token_calls::logs(PAYER, &[(&address, 2_500_000)], Some(&eighteen));
    world.anvil.rpc("anvil_setCode", json!([six, code])).await;
    let hash = world
        .anvil
        .send(json!({ "from": PAYER, "to": six, "gas": "0x30d40" }))
        .await;
    assert_eq!(
        world.anvil.receipt(&hash).await["logs"].as_array().unwrap().len(),
        2
    );
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_available(anna, "USDX", "2.5").await;
    world.until_available(anna, "DAIX", "2").await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h014_a_deposit_below_the_minimum_is_recorded_and_shown_but_not_credited() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    world
        .anvil
        .pay(PAYER, &address, alloy(9_999_999_999_999_999))
        .await;
    world
        .anvil
        .pay(PAYER, &address, alloy(10_000_000_000_000_000))
        .await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_available(anna, "ETH", "0.01").await;
    let list = world.get(anna, "/v1/deposits").await;
    let small = &list["items"][1];
    assert_eq!(
        (small["status"].as_str(), small["amount"].as_str()),
        (Some("below_minimum"), Some("0.009999999999999999"))
    );
    assert_eq!(world.told("payment.deposit.seen").len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h015_a_former_address_is_still_watched_and_credited_to_its_owner() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let first = world.address(anna).await;
    let renew = json!({ "network": "anvil", "renew": true });
    let (status, body) = world
        .call(anna, "POST", "/v1/deposit-addresses", Some(renew.clone()))
        .await;
    assert_eq!(
        (status, body["code"].as_str()),
        (StatusCode::CONFLICT, Some("payment.deposit_address.unused"))
    );
    world.anvil.pay(PAYER, &first, wei(1)).await;
    world.until_read().await;
    let (status, body) = world
        .call(anna, "POST", "/v1/deposit-addresses", Some(renew))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_ne!(body["address"], first.as_str());
    assert_ne!(world.address(anna).await, first);
    world.anvil.pay(PAYER, &first, wei(2)).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_available(anna, "ETH", "3").await;
    let list = world.get(anna, "/v1/deposit-addresses").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h018_money_put_into_the_hot_wallet_is_the_houses_own_and_told_to_nobody() {
    let world = World::start().await;
    world.fund(10).await;
    assert!(world.told("payment.deposit.credited").is_empty());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h011_deposits_of_an_asset_that_rests_wait_visibly_and_are_credited_afterwards() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    let registry = world
        .ask(&ferrex_contracts::payment::ListAssets {})
        .await
        .unwrap();
    let mut terms = registry.assets[0].terms.clone();
    terms.deposits_enabled = false;
    world
        .ask(&crate::world::update(registry.assets[0].asset, terms.clone()))
        .await
        .unwrap();
    world.anvil.pay(PAYER, &address, wei(1)).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    eventually(SOON, async || {
        world
            .count("SELECT count(*) FROM payment.flow_effect WHERE reason LIKE '%rest%'")
            .await
            == 1
    })
    .await;
    assert_eq!(world.balance(anna, "ETH").await, ["0", "0", "1", "0"]);
    terms.deposits_enabled = true;
    world
        .ask(&crate::world::update(registry.assets[0].asset, terms))
        .await
        .unwrap();
    world.payment().deposits().rearm(None).await.unwrap();
    world.until_available(anna, "ETH", "1").await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f024_a_token_with_other_decimals_than_asked_for_is_refused() {
    let world = World::start().await;
    let contract = world
        .anvil
        .deploy_token(Anvil::ACCOUNTS[0].address, "USDX", 18, alloy(1))
        .await;
    let refused = world
        .ask(&crate::world::asset("USDX", Some(&contract), 6))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "payment.asset.decimals_differ");
    let refused = world
        .ask(&crate::world::asset("USDX", Some(PAYER), 6))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "payment.registry.field");
    let mut other = crate::world::network(&[world.anvil.url()], 3);
    other.chain_id = 1;
    let refused = world.ask(&other).await.unwrap_err();
    assert_eq!(
        refused.code, "payment.network.nodes",
        "the node is of another chain"
    );
    world.finish().await;
}
