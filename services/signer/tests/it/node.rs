//! What the signer makes is taken by a real node and does what was asked.

use std::time::Duration;

use ferrex_chains::evm::{B256, Broadcast, EvmRpc, RpcConfig, SignedTx, Tag, TxReceipt, U256, from_hex};
use ferrex_contracts::signer::SignedTransaction;
use ferrex_money::Amount;
use ferrex_testkit::{Anvil, eventually};
use serde_json::json;

use crate::world::{
    ETHER, PAYEE, clock, config, database, filler, intent, payment, replacement, signer_with,
};

async fn broadcast(rpc: &EvmRpc, signed: &SignedTransaction) -> B256 {
    let raw = from_hex(&signed.raw).unwrap();
    let said = rpc.send_raw(&raw).await;
    assert!(matches!(said, Broadcast::Accepted), "{said:?}");
    SignedTx::decode(&raw).unwrap().hash()
}

/// The node answers a broadcast before it mines.
async fn mined(rpc: &EvmRpc, hash: B256) -> TxReceipt {
    eventually(Duration::from_secs(20), || async {
        rpc.receipt(hash).await.unwrap().ok_or("it is not mined")
    })
    .await
}

#[tokio::test]
async fn a_node_pays_coin_and_token_replaces_and_fills() {
    let anvil = Anvil::start().await;
    let rpc = EvmRpc::connect(&RpcConfig::new(Anvil::CHAIN_ID, vec![anvil.url().to_owned()]))
        .await
        .unwrap();
    let owner = Anvil::ACCOUNTS[0].address;
    let token = anvil
        .deploy_token(owner, "USDX", 6, U256::from(1_000_000u64))
        .await;
    let mut config = config();
    config.chains[0].assets[1].contract = Some(token.clone());
    let db = database().await;
    let signer = signer_with(&db, &config, clock()).await;
    let hot = signer.describe().evm_hot_wallet;
    anvil.pay(owner, &hot, U256::from(10 * ETHER)).await;
    anvil.pay_token(&token, owner, &hot, U256::from(1_000u64)).await;
    let before = anvil.balance(PAYEE).await;

    let paid = broadcast(&rpc, &signer.sign_withdrawal(&payment(intent())).await.unwrap()).await;
    assert!(mined(&rpc, paid).await.success);
    assert_eq!(anvil.balance(PAYEE).await - before, U256::from(ETHER));

    let mut tokens = payment(intent());
    tokens.contract = Some(token.clone());
    tokens.amount = Amount::new(700);
    tokens.gas_limit = 80_000;
    let paid = broadcast(&rpc, &signer.sign_withdrawal(&tokens).await.unwrap()).await;
    assert!(mined(&rpc, paid).await.success);
    assert_eq!(anvil.token_balance(&token, PAYEE).await, U256::from(700u64));

    // One that hangs is replaced; another is given up and its nonce filled; what comes after is mined.
    anvil.rpc("evm_setAutomine", json!([false])).await;
    let (hangs, given_up) = (intent(), intent());
    let slow = broadcast(&rpc, &signer.sign_withdrawal(&payment(hangs)).await.unwrap()).await;
    let quick = broadcast(
        &rpc,
        &signer.sign_withdrawal(&replacement(hangs, 2)).await.unwrap(),
    )
    .await;
    signer.sign_withdrawal(&payment(given_up)).await.unwrap();
    let later = broadcast(&rpc, &signer.sign_withdrawal(&payment(intent())).await.unwrap()).await;
    anvil.mine(1).await;
    assert_eq!(rpc.receipt(slow).await.unwrap(), None);
    assert!(mined(&rpc, quick).await.success);
    assert_eq!(
        rpc.receipt(later).await.unwrap(),
        None,
        "a gap holds up what comes after"
    );
    let filled = broadcast(&rpc, &signer.fill_nonce(&filler(given_up, 2)).await.unwrap()).await;
    anvil.mine(1).await;
    assert!(mined(&rpc, filled).await.success);
    assert!(mined(&rpc, later).await.success);
    let address = ferrex_chains::evm::EvmAddress::parse(&hot).unwrap();
    assert_eq!(rpc.nonce(address, Tag::Latest).await.unwrap(), 5);
}
