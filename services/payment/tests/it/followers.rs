use std::sync::Arc;
use std::sync::atomic::Ordering;

use ferrex_testkit::{Anvil, eventually};

use crate::liar;
use crate::world::{CONFIRMATIONS, SOON, World, wei};

const PAYER: &str = Anvil::ACCOUNTS[1].address;

async fn height(world: &World) -> i64 {
    world
        .count("SELECT coalesce(max(height), -1) FROM payment.chain_cursor")
        .await
}

async fn has_problem(world: &World) -> bool {
    world
        .count("SELECT count(*) FROM payment.chain_cursor WHERE problem IS NOT NULL")
        .await
        == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h004_f017_a_node_that_lags_never_moves_the_cursor_back_and_blocks_wait_until_both_agree() {
    let world = World::bare(|_| {}).await;
    let (lagging, lies) = liar::start(world.anvil.clone()).await;
    world.put_network(&[world.anvil.url(), &lagging]).await;
    world.create_coin().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    world.anvil.mine(10).await;
    world.until_read().await;
    let before = height(&world).await;
    lies.behind.store(7, Ordering::SeqCst);
    world.anvil.pay(PAYER, &address, wei(1)).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    eventually(SOON, async || has_problem(&world).await).await;
    assert_eq!(height(&world).await, before);
    assert_eq!(
        world
            .count("SELECT count(*) FROM payment.chain_reorganisation")
            .await,
        0
    );
    for behind in (0..7).rev() {
        lies.behind.store(behind, Ordering::SeqCst);
    }
    world.until_available(anna, "ETH", "1").await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h004_f016_a_node_on_another_fork_stops_the_network_instead_of_being_believed() {
    let world = World::start().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    world.until_read().await;
    let before = height(&world).await;
    let other = Anvil::start().await;
    other.mine(3).await;
    world.put_network(&[world.anvil.url(), other.url()]).await;
    world.anvil.pay(PAYER, &address, wei(1)).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    eventually(SOON, async || has_problem(&world).await).await;
    assert_eq!(height(&world).await, before);
    world.put_network(&[world.anvil.url()]).await;
    world.until_available(anna, "ETH", "1").await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h005_f020_f021_after_days_of_absence_every_block_is_read_in_order() {
    let mut world = World::start().await;
    let anna = world.person("anna").await;
    world.address(anna).await;
    world.until_read().await;
    let before = height(&world).await;
    let away = world.instance.take().unwrap();
    away.kill().await;
    // The address is given out while no follower runs.
    world.instance = Some(world.launch().await);
    let ben = world.person("ben").await;
    let address = world.address(ben).await;
    world.instance.take().unwrap().kill().await;
    for _ in 0..3 {
        world.anvil.pay(PAYER, &address, wei(1)).await;
        world.anvil.mine(60).await;
    }
    world.instance = Some(world.launch().await);
    world.until_available(ben, "ETH", "3").await;
    world.until_read().await;
    let read = "SELECT count(*) FROM payment.chain_block";
    let last = height(&world).await;
    let gaps = "SELECT max(height) - min(height) + 1 - count(*) FROM payment.chain_block";
    assert_eq!(world.count(gaps).await, 0, "no height was skipped");
    assert!(world.count(read).await >= last - before);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h006_f018_a_node_that_leaves_out_receipts_is_an_error_and_never_an_empty_block() {
    let world = World::bare(|_| {}).await;
    let (node, lies) = liar::start(world.anvil.clone()).await;
    world.put_network(&[&node]).await;
    world.create_coin().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    world.until_read().await;
    let before = height(&world).await;
    lies.no_receipts.store(true, Ordering::SeqCst);
    world.anvil.pay(PAYER, &address, wei(1)).await;
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    eventually(SOON, async || has_problem(&world).await).await;
    assert_eq!(height(&world).await, before, "the block is not marked as done");
    lies.no_receipts.store(false, Ordering::SeqCst);
    world.until_available(anna, "ETH", "1").await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i13_of_two_followers_one_works_and_every_deposit_is_credited_once() {
    let world = Arc::new(World::start().await);
    let second = world.launch().await;
    let anna = world.person("anna").await;
    let address = world.address(anna).await;
    for _ in 0..5 {
        world.anvil.pay(PAYER, &address, wei(1)).await;
    }
    world.anvil.mine(u64::from(CONFIRMATIONS)).await;
    world.until_available(anna, "ETH", "5").await;
    world.until_told("payment.deposit.credited", 5).await;
    second.kill().await;
    Arc::into_inner(world).unwrap().finish().await;
}
