use alloy_primitives::{U256, address};
use ferrex_testkit::{Anvil, token};
use serde_json::json;

const OWNER: &str = Anvil::ACCOUNTS[0].address;
const PAYEE: &str = "0x00000000000000000000000000000000000000Aa";

#[tokio::test]
async fn coins_and_tokens_move_and_survive_a_restart() {
    let anvil = Anvil::start().await;
    let token = anvil.deploy_token(OWNER, "USDT", 6, U256::from(1_000_000)).await;
    anvil.pay(OWNER, PAYEE, U256::from(7)).await;
    anvil.pay_token(&token, OWNER, PAYEE, U256::from(250)).await;
    let height = anvil.height().await;
    anvil.stop().await;
    assert!(anvil.try_rpc("eth_blockNumber", json!([])).await.is_err());
    anvil.start_again().await;
    assert_eq!(anvil.height().await, height);
    assert_eq!(anvil.balance(PAYEE).await, U256::from(7));
    assert_eq!(anvil.token_balance(&token, PAYEE).await, U256::from(250));
}

#[tokio::test]
async fn a_reorganisation_replaces_blocks() {
    let anvil = Anvil::start().await;
    anvil.mine(5).await;
    let hash = async |height: u64| {
        anvil
            .rpc("eth_getBlockByNumber", json!([format!("{height:#x}"), false]))
            .await["hash"]
            .clone()
    };
    let (kept, replaced) = (hash(2).await, hash(3).await);
    anvil.reorg(3).await;
    assert_eq!(anvil.height().await, 5);
    assert_eq!(hash(2).await, kept);
    assert_ne!(hash(3).await, replaced);
}

#[tokio::test]
async fn the_token_can_pay_twice_in_one_transaction_and_lie() {
    let anvil = Anvil::start().await;
    let token_address = anvil.deploy_token(OWNER, "USDT", 6, U256::from(1_000)).await;
    let payee = address!("00000000000000000000000000000000000000aa");
    let data = token::transfer_many(&[(payee, U256::from(1)), (payee, U256::from(2))]);
    let twice = anvil
        .send(json!({ "from": OWNER, "to": token_address, "data": data }))
        .await;
    assert_eq!(anvil.receipt(&twice).await["logs"].as_array().unwrap().len(), 2);
    let data = token::pretend(OWNER.parse().unwrap(), payee, U256::from(99));
    let lie = anvil
        .send(json!({ "from": OWNER, "to": token_address, "data": data }))
        .await;
    assert_eq!(anvil.receipt(&lie).await["logs"].as_array().unwrap().len(), 1);
    assert_eq!(anvil.token_balance(&token_address, PAYEE).await, U256::from(3));
}
