//! Payments that are given up after their nonce was taken, and a wallet that was used elsewhere.

use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{ConcernKind, GiveUpWithdrawal, ListConcerns, ResumeWallet};
use ferrex_contracts::signer::SignWithdrawal;
use ferrex_ids::{IntentId, StaffId, WithdrawalId};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::Db;
use ferrex_testkit::{Anvil, Postgres, eventually};
use serde_json::{Value, json};

use crate::liar;
use crate::parts::{Person, database, db_config, signer_config};
use crate::withdrawals::{PAYEE, hold_blocks, paid, rich, settle, until_in_pool};
use crate::world::{CONFIRMATIONS, SOON, World, by, wei};

/// Another payee than the one whose payments are refused.
const OTHER: &str = "0x2222222222222222222222222222222222222222";
const FOREIGN: &str = Anvil::ACCOUNTS[4].address;

/// The same whenever it is asked for again.
fn give_up(id: &str) -> GiveUpWithdrawal {
    GiveUpWithdrawal {
        withdrawal: id.parse().unwrap(),
        by: StaffAction {
            staff: StaffId::from_uuid(id.parse::<WithdrawalId>().unwrap().uuid()),
            ..by()
        },
    }
}

/// A world whose node refuses payments to [`PAYEE`], with one of them signed and another payment behind it.
async fn refused(replace_ms: u32) -> (World, Person, String, String) {
    let world = World::bare(|config| config.payment_replace_ms = replace_ms).await;
    let (node, lies) = liar::start(world.anvil.clone()).await;
    world.put_network(&[&node]).await;
    world.create_coin().await;
    world.fund(100).await;
    let anna = world.person("anna").await;
    world.give(anna, 20).await;
    *lies.refuse.lock().unwrap() = Some(PAYEE.trim_start_matches("0x").to_owned());
    let stuck = world.withdraw(anna, PAYEE, "2").await;
    eventually(SOON, async || {
        let body = world.get(anna, &format!("/v1/withdrawals/{stuck}")).await;
        let reason = body["waiting_for"].as_str().unwrap_or_default().to_owned();
        if reason.contains("moon") {
            Ok(())
        } else {
            Err(body)
        }
    })
    .await;
    let behind = world.withdraw(anna, OTHER, "1").await;
    (world, anna, stuck, behind)
}

/// The stuck one's money is back, the one behind it is paid, and nobody else is.
async fn assert_filled(world: &World, anna: Person, stuck: &str, behind: &str) {
    settle(world, anna, behind).await;
    world.until_status(anna, stuck, "failed").await;
    assert_eq!(paid(world).await, "0");
    assert_eq!(world.anvil.balance(OTHER).await, wei(1));
    assert_eq!(world.balance(anna, "ETH").await, ["18.999", "0", "0", "0"]);
    let fillers = "SELECT count(*) FROM signer.signature WHERE purpose = 'filler'";
    assert!(world.count(fillers).await >= 1);
    assert_eq!(
        world
            .count("SELECT count(DISTINCT nonce) FROM payment.outgoing_transaction")
            .await,
        2
    );
    world.until_told("payment.withdrawal.failed", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h026_i23_a_payment_that_no_node_takes_is_given_up_and_its_nonce_filled() {
    let (world, anna, stuck, behind) = refused(1_000).await;
    assert_filled(&world, anna, &stuck, &behind).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h026_staff_give_up_a_payment_and_what_is_behind_it_goes_on() {
    let (world, anna, stuck, behind) = refused(60_000).await;
    let waiting = world.withdraw(anna, OTHER, "6").await;
    world.until_status(anna, &waiting, "awaiting_approval").await;
    assert_eq!(
        world.ask(&give_up(&waiting)).await.unwrap_err().code,
        "payment.withdrawal.cannot_give_up"
    );
    let (status, answer) = world
        .call(anna, "POST", &format!("/v1/withdrawals/{waiting}/cancel"), None)
        .await;
    assert!(status.is_success(), "{answer}");
    world.until_status(anna, &waiting, "cancelled").await;
    for _ in 0..2 {
        world.ask(&give_up(&stuck)).await.unwrap();
    }
    assert_filled(&world, anna, &stuck, &behind).await;
    world.ask(&give_up(&stuck)).await.unwrap();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h026_a_payment_given_up_in_the_pool_is_replaced_by_nothing_and_never_paid() {
    let (world, anna) = rich().await;
    hold_blocks(&world).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    let first = until_in_pool(&world).await;
    world.ask(&give_up(&id)).await.unwrap();
    let filler = eventually(SOON, async || {
        let tx = until_in_pool(&world).await;
        (tx["hash"] != first["hash"]).then_some(tx)
    })
    .await;
    assert_eq!(filler["nonce"], first["nonce"]);
    eventually(SOON, async || {
        world.anvil.mine(1).await;
        world.get(anna, &format!("/v1/withdrawals/{id}")).await["status"] == "failed"
    })
    .await;
    assert_eq!(
        (
            paid(&world).await.as_str(),
            world.balance(anna, "ETH").await[0].as_str()
        ),
        ("0", "20")
    );
    // A reorganisation that takes the filler with it must not leave a gap.
    let mined_at = "SELECT max(height) FROM payment.outgoing_transaction WHERE filler";
    let depth = world.anvil.height().await - world.count(mined_at).await.cast_unsigned() + 1;
    world.anvil.reorg(depth).await;
    eventually(SOON, async || {
        world.anvil.mine(1).await;
        world
            .count("SELECT count(*) FROM payment.chain_reorganisation")
            .await
            == 1
            && world
                .count("SELECT count(height) FROM payment.outgoing_transaction WHERE filler")
                .await
                == 1
    })
    .await;
    let next = world.withdraw(anna, OTHER, "1").await;
    settle(&world, anna, &next).await;
    assert_eq!(paid(&world).await, "0");
    world.finish().await;
}

/// Has another program use the hot wallet's key: a signer of the same keystore that knows nothing of ours. Its offer is so
/// high that it replaces whatever waits with its nonce.
async fn use_elsewhere(world: &World) -> Value {
    let hot = world.hot_wallet().await;
    let latest = json!([hot, "latest"]);
    let nonce = world.anvil.rpc("eth_getTransactionCount", latest).await;
    let nonce = u64::from_str_radix(nonce.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let config = signer_config(world.keys.path());
    let keys = ferrex_signer::keystore::open(&config).unwrap();
    let elsewhere = database(Postgres::shared().await).await;
    let db = Db::connect(&db_config(&elsewhere, "signer")).await.unwrap();
    let other = ferrex_signer::Signer::try_new(&config, keys, db, world.clock.clone()).unwrap();
    let price = Amount::new(1_000_000_000_000);
    let signed = other
        .sign_withdrawal(&SignWithdrawal {
            intent: IntentId::new_at(1),
            attempt: 1,
            chain_id: Anvil::CHAIN_ID,
            asset: AssetId(1),
            contract: None,
            payee: FOREIGN.to_owned(),
            amount: Amount::new(1),
            gas_limit: 21_000,
            max_fee_per_gas: price,
            max_priority_fee_per_gas: price,
            fee_cap: Amount::new(10u128.pow(18)),
            chain_nonce: nonce,
        })
        .await
        .unwrap();
    world
        .anvil
        .rpc("eth_sendRawTransaction", json!([signed.raw]))
        .await
}

fn resume(next_nonce: u64) -> ResumeWallet {
    ResumeWallet {
        network: "anvil".into(),
        next_nonce,
        by: by(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h027_foreign_use_of_the_wallet_stops_it_until_staff_name_the_nonce_that_the_chain_has() {
    let (world, anna) = rich().await;
    let first = world.withdraw(anna, PAYEE, "1").await;
    settle(&world, anna, &first).await;
    let hash = use_elsewhere(&world).await;
    let halted = async |world: &World| {
        let concerns = world.ask(&ListConcerns {}).await.unwrap().concerns;
        let kinds: Vec<_> = concerns.iter().map(|concern| concern.kind).collect();
        let seen = concerns
            .iter()
            .any(|concern| concern.transaction.as_deref() == hash.as_str());
        if kinds == [ConcernKind::NetworkHalted, ConcernKind::ForeignTransaction] && seen {
            Ok(())
        } else {
            Err(concerns)
        }
    };
    eventually(SOON, async || halted(&world).await).await;
    let id = world.withdraw(anna, PAYEE, "1").await;
    eventually(SOON, async || {
        let body = world.get(anna, &format!("/v1/withdrawals/{id}")).await;
        body["waiting_for"]
            .as_str()
            .is_some_and(|reason| reason.contains("staff must look"))
    })
    .await;
    for wrong in [0, 1, 3] {
        assert_eq!(
            world.ask(&resume(wrong)).await.unwrap_err().code,
            "payment.wallet.nonce_differs"
        );
    }
    assert_eq!(
        world.ask(&resume(2)).await.unwrap_err().code,
        "payment.wallet.not_confirmed"
    );
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_read().await;
    for _ in 0..2 {
        world.ask(&resume(2)).await.unwrap();
    }
    settle(&world, anna, &id).await;
    assert_eq!(paid(&world).await, wei(2).to_string());
    assert_eq!(world.count("SELECT max(nonce) FROM signer.intent").await, 2);
    assert_eq!(
        world
            .count("SELECT count(*) FROM signer.nonce_advance WHERE next_nonce = 2")
            .await,
        1
    );
    assert!(world.count("SELECT count(*) FROM payment.wallet_release").await >= 1);
    assert!(world.ask(&ListConcerns {}).await.unwrap().concerns.is_empty());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h027_a_payment_whose_nonce_was_used_elsewhere_waits_for_staff_and_is_then_released() {
    let (world, anna) = rich().await;
    hold_blocks(&world).await;
    let id = world.withdraw(anna, PAYEE, "2").await;
    until_in_pool(&world).await;
    use_elsewhere(&world).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    eventually(SOON, async || {
        let body = world.get(anna, &format!("/v1/withdrawals/{id}")).await;
        if body["waiting_for"]
            .as_str()
            .is_some_and(|reason| reason.contains("took its place"))
        {
            Ok(())
        } else {
            Err(body)
        }
    })
    .await;
    world.ask(&give_up(&id)).await.unwrap();
    world.until_status(anna, &id, "failed").await;
    assert_eq!(world.balance(anna, "ETH").await, ["20", "0", "0", "0"]);
    world.ask(&resume(1)).await.unwrap();
    let next = world.withdraw(anna, OTHER, "1").await;
    settle(&world, anna, &next).await;
    assert_eq!(paid(&world).await, "0");
    world.finish().await;
}
