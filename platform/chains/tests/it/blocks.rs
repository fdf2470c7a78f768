use std::collections::HashSet;

use alloy_primitives::{Address, U256};
use ferrex_chains::evm::{BlockError, EvmAddress, EvmRpc, RpcConfig, RpcError, Tag, TransferKind, transfers};
use ferrex_testkit::{Anvil, token};
use serde_json::{Value, json};

use crate::liar::Liar;

fn account(place: usize) -> &'static str {
    Anvil::ACCOUNTS[place].address
}

pub fn address(text: &str) -> EvmAddress {
    EvmAddress::parse(text).unwrap()
}

fn plain(text: &str) -> Address {
    text.parse().unwrap()
}

fn set(texts: &[&str]) -> HashSet<EvmAddress> {
    texts.iter().map(|text| address(text)).collect()
}

pub async fn client(urls: &[&str]) -> EvmRpc {
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    EvmRpc::connect(&RpcConfig::new(Anvil::CHAIN_ID, urls))
        .await
        .unwrap()
}

/// A chain whose last block holds a payment of coin, one of tokens, two payments of tokens in one transaction, and a
/// reverted one.
async fn busy_block(anvil: &Anvil) -> (String, u64) {
    let token = anvil
        .deploy_token(account(0), "USDX", 6, U256::from(1_000_000u64))
        .await;
    anvil.rpc("evm_setAutomine", json!([false])).await;
    anvil.pay(account(0), account(1), U256::from(5u64)).await;
    anvil
        .pay_token(&token, account(0), account(1), U256::from(7u64))
        .await;
    let twice = [
        (plain(account(1)), U256::from(8u64)),
        (plain(account(1)), U256::from(9u64)),
    ];
    let send = |data: String| json!({ "from": account(0), "to": token, "data": data, "gas": "0x30000" });
    anvil.send(send(token::transfer_many(&twice))).await;
    // Account 2 has no tokens, so this one reverts in the block.
    let reverts = json!({ "from": account(2), "to": token, "gas": "0x30000",
        "data": token::transfer(plain(account(1)), U256::from(1u64)) });
    anvil.send(reverts).await;
    anvil.mine(1).await;
    anvil.rpc("evm_setAutomine", json!([true])).await;
    (token, anvil.height().await)
}

#[tokio::test]
async fn a_nodes_blocks_hold_together() {
    let anvil = Anvil::start().await;
    let (_, height) = busy_block(&anvil).await;
    anvil.mine(3).await;
    let rpc = client(&[anvil.url()]).await;
    let mut parent = None;
    for at in 0..=rpc.head().await.unwrap() {
        let block = rpc.block(at).await.unwrap();
        assert!(
            parent.is_none_or(|parent| block.header().parent == parent),
            "block {at} has another parent"
        );
        assert_eq!(
            rpc.header(Tag::Hash(block.header().hash)).await.unwrap(),
            *block.header()
        );
        parent = Some(block.header().hash);
    }
    assert_eq!(rpc.block(height).await.unwrap().transactions().len(), 4);
}

#[tokio::test]
async fn h007_two_transfers_in_one_transaction_are_two() {
    let anvil = Anvil::start().await;
    let (token, height) = busy_block(&anvil).await;
    let block = client(&[anvil.url()]).await.block(height).await.unwrap();
    let found = transfers(&block, &set(&[account(1)]), &set(&[&token]));
    let mut amounts: Vec<u64> = found.iter().map(|found| found.amount.to()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [5, 7, 8, 9]);
    let names: HashSet<_> = found
        .iter()
        .map(|found| (found.tx, found.kind.position()))
        .collect();
    assert_eq!(names.len(), found.len(), "two payments have one name");
    let pair: Vec<_> = found
        .iter()
        .filter(|found| found.amount >= U256::from(8u64))
        .collect();
    assert_eq!(pair[0].tx, pair[1].tx);
    let ordinals: Vec<_> = pair.iter().map(|found| found.kind).collect();
    let kind = |ordinal| TransferKind::Token {
        contract: address(&token),
        ordinal,
    };
    assert_eq!(ordinals, [kind(0), kind(1)]);
    assert!(found.iter().all(|found| found.from == Some(address(account(0)))));
}

#[tokio::test]
async fn h009_a_reverted_transfer_and_a_false_event_are_no_deposits() {
    let anvil = Anvil::start().await;
    let (token, height) = busy_block(&anvil).await;
    let rpc = client(&[anvil.url()]).await;
    let block = rpc.block(height).await.unwrap();
    let reverted: Vec<_> = block
        .transactions()
        .iter()
        .filter(|mined| !mined.success)
        .collect();
    assert_eq!(reverted.len(), 1);
    assert!(
        reverted[0].fee().unwrap() > 0,
        "a reverted transaction costs its fee"
    );
    assert!(
        transfers(&block, &set(&[account(1)]), &set(&[&token]))
            .iter()
            .all(|found| found.tx != reverted[0].hash)
    );

    // A contract with the same name and events that nobody listed.
    let fake = anvil
        .deploy_token(account(3), "USDX", 6, U256::from(1_000_000u64))
        .await;
    let data = token::pretend(plain(account(3)), plain(account(1)), U256::from(1_000u64));
    let hash = anvil
        .send(json!({ "from": account(3), "to": fake, "data": data }))
        .await;
    anvil.receipt(&hash).await;
    let block = rpc.block(anvil.height().await).await.unwrap();
    assert_eq!(transfers(&block, &set(&[account(1)]), &set(&[&token])), []);
    assert_eq!(transfers(&block, &set(&[account(1)]), &set(&[&fake])).len(), 1);
}

#[tokio::test]
async fn h010_two_tokens_in_one_block_keep_their_contracts() {
    let anvil = Anvil::start().await;
    let six = anvil.deploy_token(account(0), "SIX", 6, U256::from(100u64)).await;
    let eighteen = anvil
        .deploy_token(account(0), "EIGHTEEN", 18, U256::from(100u64))
        .await;
    anvil.rpc("evm_setAutomine", json!([false])).await;
    anvil
        .pay_token(&six, account(0), account(1), U256::from(3u64))
        .await;
    anvil
        .pay_token(&eighteen, account(0), account(1), U256::from(3u64))
        .await;
    anvil.mine(1).await;
    let block = client(&[anvil.url()])
        .await
        .block(anvil.height().await)
        .await
        .unwrap();
    let found = transfers(&block, &set(&[account(1)]), &set(&[&six, &eighteen]));
    let contracts: HashSet<_> = found
        .iter()
        .map(|found| match found.kind {
            TransferKind::Token { contract, .. } => contract,
            TransferKind::Native => panic!("no coin was paid"),
        })
        .collect();
    assert_eq!(contracts, set(&[&six, &eighteen]));
}

#[tokio::test]
async fn a_block_tells_the_fee_that_a_payment_cost() {
    let anvil = Anvil::start().await;
    let rpc = client(&[anvil.url()]).await;
    let before = rpc.balance(address(account(0)), Tag::Latest).await.unwrap();
    let hash = anvil
        .pay(account(0), account(1), U256::from(5u64))
        .await
        .parse()
        .unwrap();
    let block = rpc.block(rpc.head().await.unwrap()).await.unwrap();
    let mined = block.find(hash).unwrap();
    let after = rpc.balance(address(account(0)), Tag::Latest).await.unwrap();
    assert_eq!(
        before - after,
        U256::from(mined.fee().unwrap()) + U256::from(5u64)
    );
    let receipt = rpc.receipt(hash).await.unwrap().unwrap();
    assert_eq!(
        (receipt.gas_used, receipt.gas_price),
        (mined.gas_used, mined.gas_price)
    );
    assert_eq!(
        rpc.transaction(hash).await.unwrap().unwrap().block,
        Some((receipt.height, receipt.block))
    );
}

/// A lie about a busy block, and how it must be found out.
struct Lie {
    name: &'static str,
    change: fn(&mut Value),
    found: fn(&BlockError) -> bool,
}

fn lie(name: &'static str, change: fn(&mut Value), found: fn(&BlockError) -> bool) -> Lie {
    Lie { name, change, found }
}

fn lies_about_receipts() -> Vec<Lie> {
    fn receipts(error: &BlockError) -> bool {
        *error == BlockError::Receipts
    }
    fn count(error: &BlockError) -> bool {
        matches!(error, BlockError::ReceiptCount { wanted: 4, .. })
    }
    fn each_log(receipts: &mut Value, change: fn(&mut Value)) {
        each(receipts, |receipt| each(&mut receipt["logs"], change));
    }
    vec![
        lie("no receipts", |all| *all = json!([]), count),
        lie("the last receipt is missing", drop_last, count),
        lie(
            "no logs",
            |all| each(all, |receipt| receipt["logs"] = json!([])),
            receipts,
        ),
        lie(
            "one log is missing",
            |all| each(all, |receipt| drop_last(&mut receipt["logs"])),
            receipts,
        ),
        lie(
            "another payee",
            |all| each_log(all, |log| log["topics"][2] = log["topics"][1].clone()),
            receipts,
        ),
        lie(
            "another amount",
            |all| each_log(all, |log| log["data"] = log["topics"][0].clone()),
            receipts,
        ),
        lie(
            "a reverted one succeeded",
            |all| each(all, |receipt| receipt["status"] = json!("0x1")),
            receipts,
        ),
        lie(
            "gas is counted otherwise",
            |all| all[3]["cumulativeGasUsed"] = json!("0x1"),
            receipts,
        ),
    ]
}

fn lies_about_the_block() -> Vec<Lie> {
    fn transactions(error: &BlockError) -> bool {
        matches!(error, BlockError::Transactions { .. })
    }
    fn hash(error: &BlockError) -> bool {
        matches!(error, BlockError::Hash { .. })
    }
    vec![
        lie(
            "no transactions",
            |block| block["transactions"] = json!([]),
            transactions,
        ),
        lie(
            "one is missing",
            |block| drop_last(&mut block["transactions"]),
            transactions,
        ),
        lie(
            "another value",
            |block| block["transactions"][0]["value"] = json!("0x64"),
            transactions,
        ),
        lie(
            "another hash",
            |block| block["hash"] = block["parentHash"].clone(),
            hash,
        ),
        lie(
            "another parent",
            |block| block["parentHash"] = block["hash"].clone(),
            hash,
        ),
    ]
}

#[tokio::test]
async fn h006_partial_or_changed_answers_are_errors_and_never_empty_blocks() {
    let anvil = Anvil::start().await;
    let (_, height) = busy_block(&anvil).await;
    let liar = Liar::before(anvil.url()).await;
    let rpc = client(&[&liar.url()]).await;
    assert_eq!(rpc.block(height).await.unwrap().transactions().len(), 4);
    let receipts = lies_about_receipts()
        .into_iter()
        .map(|lie| ("eth_getBlockReceipts", lie));
    let blocks = lies_about_the_block()
        .into_iter()
        .map(|lie| ("eth_getBlockByNumber", lie));
    for (about, Lie { name, change, found }) in receipts.chain(blocks) {
        liar.lie(move |method, result| {
            if method == about {
                change(result);
            }
        });
        let error = bad_block(rpc.block(height).await.unwrap_err());
        assert!(found(&error), "{name}: {error}");
    }

    // Roots of an empty block in the header do not hide what is missing: the header's own hash tells.
    liar.lie(|method, result| {
        if method == "eth_getBlockByNumber" {
            let empty = json!("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
            result["transactions"] = json!([]);
            result["transactionsRoot"] = empty.clone();
            result["receiptsRoot"] = empty;
        }
    });
    assert!(matches!(
        bad_block(rpc.block(height).await.unwrap_err()),
        BlockError::Hash { .. }
    ));
}

#[tokio::test]
async fn f018_null_for_a_block_or_its_receipts_is_missing_and_not_empty() {
    let anvil = Anvil::start().await;
    let (_, height) = busy_block(&anvil).await;
    let liar = Liar::before(anvil.url()).await;
    let rpc = client(&[&liar.url()]).await;
    for silent in ["eth_getBlockByNumber", "eth_getBlockReceipts"] {
        liar.lie(move |method, result| {
            if method == silent {
                *result = Value::Null;
            }
        });
        let error = rpc.block(height).await.unwrap_err();
        assert!(matches!(error, RpcError::Missing { .. }), "{silent}: {error}");
    }
    liar.lie(|method, result| {
        if method == "eth_getBlockByNumber" {
            result["number"] = json!("0x1");
        }
    });
    assert!(rpc.block(height).await.is_err());
}

#[tokio::test]
async fn a_node_without_receipts_of_whole_blocks_is_asked_for_each() {
    let anvil = Anvil::start().await;
    let (token, height) = busy_block(&anvil).await;
    let liar = Liar::before(anvil.url()).await;
    let rpc = client(&[&liar.url()]).await;
    liar.no_method("eth_getBlockReceipts");
    let block = rpc.block(height).await.unwrap();
    assert_eq!(liar.asked("eth_getTransactionReceipt"), 4);
    assert_eq!(transfers(&block, &set(&[account(1)]), &set(&[&token])).len(), 4);
}

fn bad_block(error: RpcError) -> BlockError {
    match error {
        RpcError::BadBlock { source, .. } => source,
        other => panic!("{other} was said of a bad block"),
    }
}

fn each(list: &mut Value, change: impl Fn(&mut Value)) {
    list.as_array_mut().unwrap().iter_mut().for_each(change);
}

fn drop_last(list: &mut Value) {
    list.as_array_mut().unwrap().pop();
}
