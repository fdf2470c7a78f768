//! A client of the nodes of one network, over JSON-RPC 2.0.

mod answers;
mod blocks;
mod broadcast;
mod endpoint;
mod error;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alloy_primitives::{B256, Bytes, U64, U256};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{AboveU128, EvmAddress, to_hex, to_u128};
pub use answers::{CallRequest, FeeHistory, FoundTransaction, Tag, TxReceipt};
pub(super) use answers::{RawBlock, RawReceipt};
use answers::{RawCall, RawFeeHistory, RawTransaction, RawTxReceipt};
pub use broadcast::{Broadcast, Refusal};
use endpoint::Endpoint;
pub use error::RpcError;

/// How to reach the nodes of one network.
#[derive(Clone, Debug)]
pub struct RpcConfig {
    /// The network.
    pub chain_id: u64,
    /// Addresses of its nodes, the preferred one first.
    pub urls: Vec<String>,
    /// How long one exchange may take.
    pub within: Duration,
    /// The most bytes that are read of one answer, after decompression.
    pub body_limit: usize,
    /// How many nodes must tell the same hash for a height before its block counts; 1 believes one node.
    pub agree: usize,
}

impl RpcConfig {
    /// One exchange of at most 10 s and 32 MiB; one node is believed.
    pub fn new(chain_id: u64, urls: Vec<String>) -> Self {
        Self {
            chain_id,
            urls,
            within: Duration::from_secs(10),
            body_limit: 32 << 20,
            agree: 1,
        }
    }
}

/// A client of the nodes of one network. Cloning is cheap.
///
/// A question goes to the node that answered last; when it does not answer, to each other one once. A broadcast goes
/// to all.
#[derive(Clone)]
pub struct EvmRpc {
    chain_id: u64,
    endpoints: Arc<[Arc<Endpoint>]>,
    preferred: Arc<AtomicUsize>,
    agree: usize,
}

impl EvmRpc {
    /// A client whose nodes have not been asked anything yet.
    pub fn try_new(config: &RpcConfig) -> Result<Self, RpcError> {
        let refused = |reason: String| RpcError::Settings {
            chain_id: config.chain_id,
            reason,
        };
        if config.urls.is_empty() {
            return Err(refused("no address of a node is given".to_owned()));
        }
        if config.agree == 0 || config.agree > config.urls.len() {
            return Err(refused(format!(
                "{} nodes cannot agree, {} are given",
                config.agree,
                config.urls.len()
            )));
        }
        // Idempotent: whoever installs a provider first wins, and all of ours are this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A proxy from the environment must neither see nor answer these questions; a redirect neither.
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.within)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let endpoint = |(place, url): (usize, &String)| {
            let parsed = reqwest::Url::parse(url)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https"));
            // The address itself may hold a key and is not repeated.
            let url = parsed
                .ok_or_else(|| refused(format!("address {} is no http or https address", place + 1)))?;
            let client = client.clone();
            Ok(Arc::new(Endpoint::new(
                url,
                client,
                config.within,
                config.body_limit,
            )))
        };
        let endpoints = config
            .urls
            .iter()
            .enumerate()
            .map(endpoint)
            .collect::<Result<Vec<_>, RpcError>>()?;
        Ok(Self {
            chain_id: config.chain_id,
            endpoints: endpoints.into(),
            preferred: Arc::new(AtomicUsize::new(0)),
            agree: config.agree,
        })
    }

    /// A client whose nodes were all asked for their chain. A node of another chain is an error; nodes that do not
    /// answer are left for later as long as one does.
    pub async fn connect(config: &RpcConfig) -> Result<Self, RpcError> {
        let rpc = Self::try_new(config)?;
        let mut silent = None;
        let mut answered = false;
        for endpoint in &*rpc.endpoints {
            match rpc.chain_of(endpoint).await {
                Ok(()) => answered = true,
                Err(error @ RpcError::WrongChain { .. }) => return Err(error),
                Err(error) => silent = Some(error),
            }
        }
        match silent {
            Some(error) if !answered => Err(error),
            _ => Ok(rpc),
        }
    }

    /// The network.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Asks until one node of the right chain answers; for readiness.
    pub async fn ping(&self) -> Result<(), RpcError> {
        self.each(|endpoint| async move { self.chain_of(&endpoint).await })
            .await
    }

    /// Height of the newest block.
    pub async fn head(&self) -> Result<u64, RpcError> {
        self.value::<U64>("eth_blockNumber", json!([]))
            .await
            .map(|height| height.to())
    }

    /// Height of the newest block that will not be taken back.
    pub async fn finalized(&self) -> Result<u64, RpcError> {
        self.header(Tag::Finalized).await.map(|header| header.height)
    }

    /// An account's balance of the coin, in wei.
    pub async fn balance(&self, owner: EvmAddress, at: Tag) -> Result<U256, RpcError> {
        self.value("eth_getBalance", json!([owner.alloy(), at.to_param()]))
            .await
    }

    /// An account's code; empty for one that is no contract.
    pub async fn code(&self, of: EvmAddress, at: Tag) -> Result<Bytes, RpcError> {
        self.value("eth_getCode", json!([of.alloy(), at.to_param()]))
            .await
    }

    /// How many transactions an account has sent: the next nonce. With [`Tag::Pending`] those that wait are counted.
    pub async fn nonce(&self, of: EvmAddress, at: Tag) -> Result<u64, RpcError> {
        self.value::<U64>("eth_getTransactionCount", json!([of.alloy(), at.to_param()]))
            .await
            .map(|next| next.to())
    }

    /// Tries a call and returns its output.
    pub async fn call(&self, call: &CallRequest, at: Tag) -> Result<Bytes, RpcError> {
        self.value("eth_call", json!([RawCall::from(call), at.to_param()]))
            .await
    }

    /// The gas a call would use.
    pub async fn estimate_gas(&self, call: &CallRequest) -> Result<u64, RpcError> {
        self.value::<U64>("eth_estimateGas", json!([RawCall::from(call)]))
            .await
            .map(|gas| gas.to())
    }

    /// The tip that the node thinks gets a transaction mined, in wei per gas.
    pub async fn max_priority_fee(&self) -> Result<u128, RpcError> {
        const METHOD: &str = "eth_maxPriorityFeePerGas";
        let tip: U256 = self.value(METHOD, json!([])).await?;
        to_u128(tip).map_err(|above| self.endpoint().malformed(METHOD, &above))
    }

    /// Fees of the last `blocks` blocks, with the tips at `percentile` of 100.
    pub async fn fee_history(&self, blocks: u64, percentile: u8) -> Result<FeeHistory, RpcError> {
        const METHOD: &str = "eth_feeHistory";
        let raw: RawFeeHistory = self
            .value(
                METHOD,
                json!([format!("0x{blocks:x}"), "latest", [percentile.min(100)]]),
            )
            .await?;
        let malformed = |reason: &dyn std::fmt::Display| self.endpoint().malformed(METHOD, reason);
        let above = |above: AboveU128| malformed(&above);
        let next = raw
            .base_fee_per_gas
            .last()
            .copied()
            .ok_or_else(|| malformed(&"no base fee"))?;
        let tips = raw.reward.unwrap_or_default();
        Ok(FeeHistory {
            next_base_fee: to_u128(next).map_err(above)?,
            tips: tips
                .into_iter()
                .flatten()
                .map(to_u128)
                .collect::<Result<_, _>>()
                .map_err(above)?,
        })
    }

    /// Hands signed bytes to every node and returns what they said, all in all.
    pub async fn send_raw(&self, raw: &[u8]) -> Broadcast {
        const METHOD: &str = "eth_sendRawTransaction";
        let params = json!([to_hex(raw)]);
        let mut asked = Vec::with_capacity(self.endpoints.len());
        for endpoint in &*self.endpoints {
            asked.push(async {
                match endpoint.ask::<B256>(METHOD, &params).await {
                    Ok(Some(_)) => broadcast::Said::Accepted,
                    Ok(None) => broadcast::Said::Unknown(endpoint.malformed(METHOD, &"null")),
                    Err(error) => broadcast::Said::from_error(error),
                }
            });
        }
        let said = futures::future::join_all(asked).await;
        broadcast::verdict(said).expect("there is at least one node, or the client was not made")
    }

    /// A transaction by its hash, on the first node that knows it; `None` when every node was asked and none does.
    pub async fn transaction(&self, hash: B256) -> Result<Option<FoundTransaction>, RpcError> {
        const METHOD: &str = "eth_getTransactionByHash";
        let raw: Option<RawTransaction> = self.anywhere(METHOD, &json!([hash])).await?;
        let Some(raw) = raw else { return Ok(None) };
        if raw.hash != hash {
            return Err(self.endpoint().malformed(METHOD, &"another transaction"));
        }
        let block = raw.block_number.map(|height| height.to()).zip(raw.block_hash);
        Ok(Some(FoundTransaction {
            block,
            nonce: raw.nonce.to(),
        }))
    }

    /// A mined transaction's receipt, from the first node that has one; `None` when every node was asked and none has.
    pub async fn receipt(&self, hash: B256) -> Result<Option<TxReceipt>, RpcError> {
        const METHOD: &str = "eth_getTransactionReceipt";
        let raw: Option<RawTxReceipt> = self.anywhere(METHOD, &json!([hash])).await?;
        let receipt = raw.map(TxReceipt::try_from).transpose();
        receipt.map_err(|above| self.endpoint().malformed(METHOD, &above))
    }

    async fn chain_of(&self, endpoint: &Endpoint) -> Result<(), RpcError> {
        const METHOD: &str = "eth_chainId";
        let chain: Option<U64> = endpoint.ask(METHOD, &json!([])).await?;
        let got = chain
            .ok_or_else(|| endpoint.malformed(METHOD, &"null"))?
            .to::<u64>();
        if got == self.chain_id {
            Ok(())
        } else {
            Err(RpcError::WrongChain {
                node: endpoint.name.clone(),
                wanted: self.chain_id,
                got,
            })
        }
    }

    /// An answer that is never null.
    async fn value<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, RpcError> {
        let params = &params;
        self.each(|endpoint| async move {
            endpoint
                .ask(method, params)
                .await?
                .ok_or_else(|| endpoint.malformed(method, &"null"))
        })
        .await
    }

    /// The first answer of any node that is not null. `None` only if every node answered so: a node that is silent may
    /// be the one that knows.
    async fn anywhere<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<Option<T>, RpcError> {
        let mut silent = None;
        for endpoint in &*self.endpoints {
            match endpoint.ask(method, params).await {
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) => {}
                Err(error) => silent = Some(error),
            }
        }
        silent.map_or(Ok(None), Err)
    }

    /// Asks the preferred node, then each other one once as long as the failure is the node's own. The question owns its
    /// node: one that borrowed it could not be shown to be `Send`.
    async fn each<T, Answer>(&self, ask: impl Fn(Arc<Endpoint>) -> Answer) -> Result<T, RpcError>
    where
        Answer: Future<Output = Result<T, RpcError>>,
    {
        let count = self.endpoints.len();
        let first = self.preferred.load(Ordering::Relaxed) % count;
        let mut tried = 0;
        loop {
            let place = (first + tried) % count;
            tried += 1;
            match ask(self.endpoints[place].clone()).await {
                Err(error) if error.try_another_node() && tried < count => {
                    tracing::debug!(node = self.endpoints[place].name, %error, "asking the next node");
                }
                answer => {
                    if answer.is_ok() {
                        self.preferred.store(place, Ordering::Relaxed);
                    }
                    return answer;
                }
            }
        }
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoints[self.preferred.load(Ordering::Relaxed) % self.endpoints.len()]
    }
}

impl std::fmt::Debug for EvmRpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes: Vec<&str> = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.name.as_str())
            .collect();
        f.debug_struct("EvmRpc")
            .field("chain_id", &self.chain_id)
            .field("nodes", &nodes)
            .finish_non_exhaustive()
    }
}
