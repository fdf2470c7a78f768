use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ferrex_chains::evm::{
    B256, Broadcast, Bytes, CallRequest, EvmAddress, EvmRpc, ObserveError, Observed, RpcConfig, RpcError,
    Tag, fees, follower::Cursor, observe,
};

use super::Network;
use crate::Config;

/// The clients of all networks' nodes, made when they are first needed and again when the addresses change.
#[derive(Debug)]
pub struct Nodes {
    within: Duration,
    agree: usize,
    clients: Mutex<HashMap<String, (Vec<String>, Node)>>,
}

impl Nodes {
    /// No clients yet.
    pub fn new(config: &Config) -> Self {
        Self {
            within: Duration::from_millis(config.node_timeout_ms),
            agree: usize::from(config.nodes_agree.max(1)),
            clients: Mutex::default(),
        }
    }

    /// How nodes at these addresses are spoken to.
    pub fn config(&self, chain_id: u64, urls: &[String]) -> RpcConfig {
        let mut config = RpcConfig::new(chain_id, urls.to_vec());
        config.within = self.within;
        config.agree = self.agree.min(urls.len()).max(1);
        config
    }

    /// The client of a network's nodes.
    pub fn of(&self, network: &Network) -> Result<Node, RpcError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((urls, client)) = clients.get(&network.key)
            && *urls == network.rpc_urls
        {
            return Ok(client.clone());
        }
        let client = Node(EvmRpc::try_new(
            &self.config(network.chain_id, &network.rpc_urls),
        )?);
        clients.insert(network.key.clone(), (network.rpc_urls.clone(), client.clone()));
        Ok(client)
    }
}

/// The client of one network's nodes, with the questions that payment has.
#[derive(Clone, Debug)]
pub struct Node(EvmRpc);

impl Node {
    /// Height of the newest block.
    pub async fn head(&self) -> Result<u64, RpcError> {
        self.0.head().await
    }

    /// The hash at a height.
    pub async fn hash_at(&self, height: u64) -> Result<Option<B256>, RpcError> {
        self.0.hash_at(height).await
    }

    /// Looks one step ahead of the stored blocks.
    pub async fn observe(&self, stored: &[Cursor]) -> Result<Observed, ObserveError> {
        observe(&self.0, stored).await
    }

    /// An account's code.
    pub async fn code(&self, of: EvmAddress) -> Result<Bytes, RpcError> {
        self.0.code(of, Tag::Latest).await
    }

    /// The next nonce of an account, those that wait counted.
    pub async fn next_nonce(&self, of: EvmAddress) -> Result<u64, RpcError> {
        self.0.nonce(of, Tag::Pending).await
    }

    /// The next nonce of an account after the block at a height.
    pub async fn nonce_at(&self, of: EvmAddress, height: u64) -> Result<u64, RpcError> {
        self.0.nonce(of, Tag::Height(height)).await
    }

    /// Tries a call.
    pub async fn call(&self, call: &CallRequest) -> Result<Bytes, RpcError> {
        self.0.call(call, Tag::Latest).await
    }

    /// The gas a call would use.
    pub async fn estimate_gas(&self, call: &CallRequest) -> Result<u64, RpcError> {
        self.0.estimate_gas(call).await
    }

    /// What the network asks for gas.
    pub async fn market(&self) -> Result<fees::FeeMarket, RpcError> {
        let history = self.0.fee_history(5, 50).await?;
        Ok(fees::FeeMarket {
            base_fee: history.next_base_fee,
            tip: self.0.max_priority_fee().await?,
        })
    }

    /// Hands signed bytes to every node.
    pub async fn send_raw(&self, raw: &[u8]) -> Broadcast {
        self.0.send_raw(raw).await
    }

    /// Whether any node knows a transaction.
    pub async fn knows(&self, hash: B256) -> Result<bool, RpcError> {
        self.0.transaction(hash).await.map(|found| found.is_some())
    }
}
