use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ferrex_chains::evm::{
    B256, Broadcast, Bytes, CallRequest, EvmAddress, EvmRpc, ObserveError, Observed, RpcConfig, RpcError,
    Tag, fees, follower::Cursor, observe,
};
use tokio::runtime::Handle;

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

/// The client of one network, usable from tasks.
///
/// The futures of [`EvmRpc`] cannot be shown to be `Send` (it lends references to async closures), so each exchange
/// runs on a thread for blocking work, which waits for it.
#[derive(Clone, Debug)]
pub struct Node(EvmRpc);

async fn off<T, F, Fut>(exchange: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T>,
{
    let runtime = Handle::current();
    match tokio::task::spawn_blocking(move || runtime.block_on(exchange())).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down: nothing is waited for any more, this task included.
            Err(_) => std::future::pending().await,
        },
    }
}

impl Node {
    /// Height of the newest block.
    pub async fn head(&self) -> Result<u64, RpcError> {
        let rpc = self.0.clone();
        off(move || async move { rpc.head().await }).await
    }

    /// The hash at a height.
    pub async fn hash_at(&self, height: u64) -> Result<Option<B256>, RpcError> {
        let rpc = self.0.clone();
        off(move || async move { rpc.hash_at(height).await }).await
    }

    /// Looks one step ahead of the stored blocks.
    pub async fn observe(&self, stored: Vec<Cursor>) -> Result<Observed, ObserveError> {
        let rpc = self.0.clone();
        off(move || async move { observe(&rpc, &stored).await }).await
    }

    /// An account's code.
    pub async fn code(&self, of: EvmAddress) -> Result<Bytes, RpcError> {
        let rpc = self.0.clone();
        off(move || async move { rpc.code(of, Tag::Latest).await }).await
    }

    /// The next nonce of an account, those that wait counted.
    pub async fn next_nonce(&self, of: EvmAddress) -> Result<u64, RpcError> {
        let rpc = self.0.clone();
        off(move || async move { rpc.nonce(of, Tag::Pending).await }).await
    }

    /// Tries a call.
    pub async fn call(&self, call: CallRequest) -> Result<Bytes, RpcError> {
        let rpc = self.0.clone();
        off(move || async move { rpc.call(&call, Tag::Latest).await }).await
    }

    /// The gas a call would use.
    pub async fn estimate_gas(&self, call: CallRequest) -> Result<u64, RpcError> {
        let rpc = self.0.clone();
        off(move || async move { rpc.estimate_gas(&call).await }).await
    }

    /// What the network asks for gas.
    pub async fn market(&self) -> Result<fees::FeeMarket, RpcError> {
        let rpc = self.0.clone();
        off(move || async move {
            let history = rpc.fee_history(5, 50).await?;
            Ok(fees::FeeMarket {
                base_fee: history.next_base_fee,
                tip: rpc.max_priority_fee().await?,
            })
        })
        .await
    }

    /// Hands signed bytes to every node.
    pub async fn send_raw(&self, raw: Vec<u8>) -> Broadcast {
        let rpc = self.0.clone();
        off(move || async move { rpc.send_raw(&raw).await }).await
    }

    /// Whether any node knows a transaction.
    pub async fn knows(&self, hash: B256) -> Result<bool, RpcError> {
        let rpc = self.0.clone();
        off(move || async move { rpc.transaction(hash).await.map(|found| found.is_some()) }).await
    }
}
