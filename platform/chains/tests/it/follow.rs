use alloy_primitives::U256;
use ferrex_chains::evm::follower::Cursor;
use ferrex_chains::evm::{EvmRpc, ObserveError, Observed, Tag, observe};
use ferrex_testkit::Anvil;

use crate::blocks::client;
use crate::liar::Liar;

/// The stored blocks, newest first, as `payment` keeps them.
struct Follower {
    rpc: EvmRpc,
    stored: Vec<Cursor>,
}

impl Follower {
    async fn at_genesis(rpc: EvmRpc) -> Self {
        let genesis = rpc.header(Tag::Height(0)).await.unwrap();
        Self {
            rpc,
            stored: vec![Cursor {
                height: 0,
                hash: genesis.hash,
            }],
        }
    }

    /// Goes on until nothing is left to see; the cursors it went back to.
    async fn catch_up(&mut self) -> Vec<Cursor> {
        let mut back = Vec::new();
        loop {
            match observe(&self.rpc, &self.stored).await.unwrap() {
                Observed::Block(block) => {
                    let header = block.header();
                    assert_eq!(
                        header.height,
                        self.stored[0].height + 1,
                        "a block was jumped over"
                    );
                    assert_eq!(header.parent, self.stored[0].hash);
                    self.stored.insert(
                        0,
                        Cursor {
                            height: header.height,
                            hash: header.hash,
                        },
                    );
                }
                Observed::Reorganised { back_to } => {
                    self.stored.retain(|cursor| cursor.height <= back_to.height);
                    assert_eq!(self.stored[0], back_to);
                    back.push(back_to);
                }
                Observed::AtTip | Observed::Behind => return back,
            }
        }
    }

    async fn assert_is_the_chain(&self) {
        for cursor in &self.stored {
            assert_eq!(self.rpc.hash_at(cursor.height).await.unwrap(), Some(cursor.hash));
        }
        assert_eq!(self.stored[0].height, self.rpc.head().await.unwrap());
    }
}

#[tokio::test]
async fn h001_reorganisations_of_depth_1_to_12_are_seen_exactly() {
    let anvil = Anvil::start().await;
    let mut follower = Follower::at_genesis(client(&[anvil.url()]).await).await;
    for depth in 1..=12 {
        // The lowest block that goes holds a payment: anvil may make an empty block again exactly as it was.
        anvil
            .pay(
                Anvil::ACCOUNTS[0].address,
                Anvil::ACCOUNTS[1].address,
                U256::from(depth),
            )
            .await;
        if depth > 1 {
            anvil.mine(depth - 1).await;
        }
        assert_eq!(follower.catch_up().await, []);
        let before = follower.stored.clone();
        anvil.reorg(depth).await;
        // Both ways to notice: at the tip without a new block, and by the parent of the next one.
        if depth % 2 == 0 {
            anvil.mine(1).await;
        }
        let expected = before[usize::try_from(depth).unwrap()];
        assert_eq!(follower.catch_up().await, [expected], "at depth {depth}");
        follower.assert_is_the_chain().await;
    }
}

#[tokio::test]
async fn h004_a_node_that_lags_takes_nothing_back() {
    let anvil = Anvil::start().await;
    let liar = Liar::before(anvil.url()).await;
    let mut follower = Follower::at_genesis(client(&[&liar.url()]).await).await;
    anvil.mine(20).await;
    follower.catch_up().await;
    let before = follower.stored.clone();
    // The node has lost its last blocks: it answers null above height 15.
    liar.lie(|method, result| {
        let height = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
        if method == "eth_getBlockByNumber" && result["number"].as_str().is_some_and(|at| height(at) > 15) {
            *result = serde_json::Value::Null;
        }
    });
    assert!(matches!(
        observe(&follower.rpc, &follower.stored).await.unwrap(),
        Observed::Behind
    ));
    assert_eq!(follower.catch_up().await, []);
    assert_eq!(follower.stored, before);
}

#[tokio::test]
async fn h005_a_follower_that_was_away_takes_every_block() {
    let anvil = Anvil::start().await;
    let mut follower = Follower::at_genesis(client(&[anvil.url()]).await).await;
    anvil.mine(120).await;
    assert_eq!(follower.catch_up().await, []);
    assert_eq!(follower.stored.len(), 121);
    follower.assert_is_the_chain().await;
}

#[tokio::test]
async fn a_reorganisation_deeper_than_what_is_kept_stops_the_follower() {
    let anvil = Anvil::start().await;
    let mut follower = Follower::at_genesis(client(&[anvil.url()]).await).await;
    anvil.mine(10).await;
    follower.catch_up().await;
    follower.stored.truncate(3);
    anvil.reorg(5).await;
    let error = observe(&follower.rpc, &follower.stored).await.unwrap_err();
    assert!(matches!(error, ObserveError::TooDeep { lowest: 8 }), "{error}");
}
