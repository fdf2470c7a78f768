use std::time::Duration;

use alloy_primitives::U256;
use ferrex_chains::evm::{
    B256, Broadcast, CallRequest, Eip1559, EvmAddress, EvmRpc, Refusal, RpcConfig, RpcError, Tag,
};
use ferrex_chains::evm::{erc20, fees};
use ferrex_testkit::Anvil;
use serde_json::json;

use crate::blocks::{address, client};
use crate::liar::{Liar, Mode};

fn key() -> k256::ecdsa::SigningKey {
    k256::ecdsa::SigningKey::from_bytes(&[0x21; 32].into()).unwrap()
}

fn payment(nonce: u64, amount: u128) -> Eip1559 {
    let empty = Eip1559 {
        chain_id: Anvil::CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: EvmAddress::ZERO,
        value: U256::ZERO,
        input: Vec::new(),
    };
    empty.paying(None, address(Anvil::ACCOUNTS[1].address), amount)
}

/// A chain where the owner of [`key`] has one coin.
async fn funded() -> (Anvil, EvmAddress) {
    let anvil = Anvil::start().await;
    let from = payment(0, 1).sign(&key()).unwrap().from();
    anvil
        .pay(
            Anvil::ACCOUNTS[0].address,
            &from.to_string(),
            U256::from(10u128.pow(18)),
        )
        .await;
    (anvil, from)
}

#[tokio::test]
async fn h021_a_payment_whose_reply_was_lost_is_found_by_its_hash_and_sent_again_unchanged() {
    let (anvil, from) = funded().await;
    let liar = Liar::before(anvil.url()).await;
    let rpc = client(&[&liar.url()]).await;
    let signed = payment(rpc.nonce(from, Tag::Pending).await.unwrap(), 5)
        .sign(&key())
        .unwrap();
    assert_eq!(rpc.transaction(signed.hash()).await.unwrap(), None);
    liar.set(Mode::DropReply);
    assert!(matches!(rpc.send_raw(signed.raw()).await, Broadcast::Unknown(_)));
    liar.set(Mode::Honest);
    // The node may have answered, if anybody had heard it, before its block was made.
    anvil.receipt(&signed.hash().to_string()).await;
    assert!(
        rpc.transaction(signed.hash())
            .await
            .unwrap()
            .unwrap()
            .block
            .is_some()
    );
    assert!(rpc.receipt(signed.hash()).await.unwrap().unwrap().success);
    // H025: a second send of what is mined is refused by the node, and must not be taken for "to be paid".
    let again = rpc.send_raw(signed.raw()).await;
    assert!(
        matches!(
            again,
            Broadcast::AlreadyKnown | Broadcast::Refused(Refusal::NonceTooLow, _)
        ),
        "{again:?}"
    );
    assert_eq!(rpc.nonce(from, Tag::Latest).await.unwrap(), 1);
}

#[tokio::test]
async fn f032_refusals_of_a_node_are_classified() {
    let (anvil, _) = funded().await;
    let rpc = client(&[anvil.url()]).await;
    anvil.rpc("evm_setAutomine", json!([false])).await;
    let refusal = async |tx: &Eip1559| match rpc.send_raw(tx.sign(&key()).unwrap().raw()).await {
        Broadcast::Refused(refusal, _) => refusal,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        rpc.send_raw(payment(0, 5).sign(&key()).unwrap().raw()).await,
        Broadcast::Accepted
    ));
    let known = rpc.send_raw(payment(0, 5).sign(&key()).unwrap().raw()).await;
    assert!(matches!(known, Broadcast::AlreadyKnown), "{known:?}");
    assert_eq!(refusal(&payment(0, 6)).await, Refusal::ReplacementUnderpriced);
    assert_eq!(
        refusal(&payment(1, 2 * 10u128.pow(18))).await,
        Refusal::InsufficientFunds
    );
    anvil.mine(1).await;
    assert_eq!(refusal(&payment(0, 7)).await, Refusal::NonceTooLow);
}

#[tokio::test]
async fn h028_a_replacement_of_the_least_raise_is_taken() {
    let (anvil, _) = funded().await;
    let rpc = client(&[anvil.url()]).await;
    anvil.rpc("evm_setAutomine", json!([false])).await;
    let first = payment(0, 5);
    let raise = fees::replacement_min(fees::FeeQuote {
        max_fee_per_gas: first.max_fee_per_gas,
        max_priority_fee_per_gas: first.max_priority_fee_per_gas,
    });
    let mut second = first.clone();
    second.max_fee_per_gas = raise.max_fee_per_gas;
    second.max_priority_fee_per_gas = raise.max_priority_fee_per_gas;
    let (first, second) = (first.sign(&key()).unwrap(), second.sign(&key()).unwrap());
    assert!(matches!(rpc.send_raw(first.raw()).await, Broadcast::Accepted));
    assert!(matches!(rpc.send_raw(second.raw()).await, Broadcast::Accepted));
    anvil.mine(1).await;
    let block = rpc.block(rpc.head().await.unwrap()).await.unwrap();
    assert!(block.find(second.hash()).is_some() && block.find(first.hash()).is_none());
}

#[tokio::test]
async fn fees_and_gas_come_from_the_node_and_a_token_payment_is_made_from_them() {
    let (anvil, from) = funded().await;
    let rpc = client(&[anvil.url()]).await;
    let token = anvil
        .deploy_token(Anvil::ACCOUNTS[0].address, "USDX", 6, U256::from(1_000u64))
        .await;
    anvil
        .pay_token(
            &token,
            Anvil::ACCOUNTS[0].address,
            &from.to_string(),
            U256::from(500u64),
        )
        .await;
    let history = rpc.fee_history(4, 50).await.unwrap();
    let market = fees::FeeMarket {
        base_fee: history.next_base_fee,
        tip: rpc.max_priority_fee().await.unwrap(),
    };
    let caps = fees::FeeCaps {
        max_fee_per_gas: 100_000_000_000,
        max_priority_fee_per_gas: 5_000_000_000,
        min_priority_fee_per_gas: 1,
    };
    let offer = fees::quote(market, caps).unwrap();
    let (contract, payee) = (address(&token), address(Anvil::ACCOUNTS[1].address));
    let input = erc20::encode_transfer(payee, 123);
    let call = CallRequest {
        from: Some(from),
        to: Some(contract),
        value: 0,
        input,
    };
    let mut tx = payment(0, 0).paying(Some(contract), payee, 123);
    tx.gas_limit = rpc.estimate_gas(&call).await.unwrap();
    tx.max_fee_per_gas = offer.max_fee_per_gas;
    tx.max_priority_fee_per_gas = offer.max_priority_fee_per_gas;
    let signed = tx.sign(&key()).unwrap();
    assert!(matches!(rpc.send_raw(signed.raw()).await, Broadcast::Accepted));
    // The node answers once it has the payment, which may be before its block is made.
    anvil.receipt(&signed.hash().to_string()).await;
    assert!(rpc.receipt(signed.hash()).await.unwrap().unwrap().success);
    let balance_of = |owner| CallRequest {
        to: Some(contract),
        input: erc20::encode_balance_of(owner),
        ..Default::default()
    };
    let paid = rpc.call(&balance_of(payee), Tag::Latest).await.unwrap();
    assert_eq!(erc20::decode_number(&paid), Some(U256::from(123u64)));
    let decimals = CallRequest {
        to: Some(contract),
        input: erc20::encode_decimals(),
        ..Default::default()
    };
    assert_eq!(
        erc20::decode_number(&rpc.call(&decimals, Tag::Latest).await.unwrap()),
        Some(U256::from(6u64))
    );
    assert!(!rpc.code(contract, Tag::Latest).await.unwrap().is_empty());
    assert!(rpc.code(payee, Tag::Latest).await.unwrap().is_empty());
    assert!(rpc.finalized().await.unwrap() <= rpc.head().await.unwrap());
}

#[tokio::test]
async fn a78_a_node_of_another_chain_is_refused_at_connect() {
    let anvil = Anvil::start().await;
    let error = EvmRpc::connect(&RpcConfig::new(1, vec![anvil.url().to_owned()]))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            RpcError::WrongChain {
                wanted: 1,
                got: 31_337,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn the_next_node_answers_when_one_does_not() {
    let anvil = Anvil::start().await;
    let liar = Liar::before(anvil.url()).await;
    let rpc = client(&[&liar.url(), anvil.url()]).await;
    liar.set(Mode::Instead(429, Vec::new()));
    assert_eq!(rpc.head().await.unwrap(), 0);
    let asked = liar.asked("eth_blockNumber");
    assert_eq!(rpc.head().await.unwrap(), 0);
    assert_eq!(
        liar.asked("eth_blockNumber"),
        asked,
        "the node that did not answer was asked first again"
    );
}

/// Status and body of an answer, and what must be made of it.
type Case = (u16, Vec<u8>, fn(&RpcError) -> bool);

#[tokio::test]
async fn f019_a_bad_answer_is_bounded_and_classified() {
    let anvil = Anvil::start().await;
    let liar = Liar::before(anvil.url()).await;
    let mut config = RpcConfig::new(Anvil::CHAIN_ID, vec![liar.url()]);
    config.body_limit = 1 << 20;
    config.within = Duration::from_secs(2);
    let rpc = EvmRpc::connect(&config).await.unwrap();
    let cases: [Case; 7] = [
        (429, Vec::new(), |e| matches!(e, RpcError::RateLimited { .. })),
        (
            200,
            br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}"#.to_vec(),
            |e| matches!(e, RpcError::RateLimited { .. }),
        ),
        (503, b"<html>".to_vec(), |e| {
            matches!(e, RpcError::Status { status: 503, .. })
        }),
        (200, br#"{"jsonrpc":"2.0","id":1,"res"#.to_vec(), |e| {
            matches!(e, RpcError::Malformed { .. })
        }),
        (
            200,
            br#"{"jsonrpc":"2.0","id":1,"result":"twelve"}"#.to_vec(),
            |e| matches!(e, RpcError::Malformed { .. }),
        ),
        (200, vec![b' '; 50 << 20], |e| {
            matches!(e, RpcError::TooLarge { .. })
        }),
        (302, Vec::new(), |e| {
            matches!(e, RpcError::Status { status: 302, .. })
        }),
    ];
    for (status, body, expected) in cases {
        liar.set(Mode::Instead(status, body));
        let error = rpc.head().await.unwrap_err();
        assert!(expected(&error), "{status}: {error}");
    }
    drop(liar);
    let error = rpc.head().await.unwrap_err();
    assert!(matches!(error, RpcError::Transport { .. }), "{error}");
}

#[tokio::test]
async fn f019_a_node_that_hangs_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut config = RpcConfig::new(1, vec![url]);
    config.within = Duration::from_millis(100);
    let error = EvmRpc::try_new(&config).unwrap().head().await.unwrap_err();
    assert!(matches!(error, RpcError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn f016_a_block_on_which_two_nodes_differ_does_not_count() {
    let (one, other) = (Anvil::start().await, Anvil::start().await);
    let mut config = RpcConfig::new(Anvil::CHAIN_ID, vec![one.url().to_owned(), one.url().to_owned()]);
    config.agree = 2;
    one.mine(3).await;
    let rpc = EvmRpc::connect(&config).await.unwrap();
    assert_eq!(rpc.block(2).await.unwrap().header().height, 2);
    config.urls[1] = other.url().to_owned();
    other.rpc("evm_increaseTime", json!([1_000])).await;
    other.mine(3).await;
    let rpc = EvmRpc::connect(&config).await.unwrap();
    let error = rpc.block(2).await.unwrap_err();
    assert!(
        matches!(
            error,
            RpcError::Disagreement {
                height: 2,
                agreed: 1,
                wanted: 2
            }
        ),
        "{error}"
    );
    assert!(rpc.hash_at(2).await.is_err());
}

#[tokio::test]
async fn a_question_for_an_unknown_transaction_needs_every_node() {
    let anvil = Anvil::start().await;
    let liar = Liar::before(anvil.url()).await;
    let rpc = client(&[anvil.url(), &liar.url()]).await;
    assert_eq!(rpc.transaction(B256::repeat_byte(1)).await.unwrap(), None);
    liar.set(Mode::Instead(503, Vec::new()));
    assert!(
        rpc.transaction(B256::repeat_byte(1)).await.is_err(),
        "a silent node may be the one that knows it"
    );
}

#[test]
fn i30_an_address_with_a_key_is_never_shown() {
    let url = "https://node.example/v2/very-secret-key".to_owned();
    let rpc = EvmRpc::try_new(&RpcConfig::new(1, vec![url])).unwrap();
    assert!(!format!("{rpc:?}").contains("secret"));
    let error =
        EvmRpc::try_new(&RpcConfig::new(1, vec!["ftp://very-secret-key@node".to_owned()])).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret"));
}
