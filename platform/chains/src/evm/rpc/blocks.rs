use alloy_primitives::B256;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::super::{BlockHeader, VerifiedBlock, block};
use super::answers::{RawBlock, RawHeader, RawReceipt};
use super::endpoint::Endpoint;
use super::{EvmRpc, RpcError, Tag};

/// Receipts asked for at once where a node cannot give those of a whole block.
const RECEIPTS_AT_ONCE: usize = 8;

impl EvmRpc {
    /// A block's header, its hash recomputed. `Missing` when the nodes do not have the block.
    pub async fn header(&self, at: Tag) -> Result<BlockHeader, RpcError> {
        self.each(|endpoint| async move { header_of(&endpoint, at).await })
            .await
    }

    /// The hash at a height, on which as many nodes agree as the settings ask for; `None` when the nodes do not have
    /// the block yet.
    pub async fn hash_at(&self, height: u64) -> Result<Option<B256>, RpcError> {
        match self.header(Tag::Height(height)).await {
            Ok(header) => self.agreed(height, header.hash).await.map(|()| Some(header.hash)),
            Err(RpcError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The block at a height with its receipts, all recomputed. `Missing` when the nodes do not have it (yet);
    /// `BadBlock` when an answer leaves something out or makes something up.
    pub async fn block(&self, height: u64) -> Result<VerifiedBlock, RpcError> {
        let block = self
            .each(|endpoint| async move { block_of(&endpoint, height).await })
            .await?;
        self.agreed(height, block.header().hash).await?;
        Ok(block)
    }

    /// Asks the other nodes for their hash until enough agree.
    async fn agreed(&self, height: u64, hash: B256) -> Result<(), RpcError> {
        if self.agree == 1 {
            return Ok(());
        }
        // The node that gave the block is among them and agrees again, or has changed its mind just now.
        let asked = self
            .endpoints
            .iter()
            .map(|endpoint| header_of(endpoint, Tag::Height(height)));
        let headers = futures::future::join_all(asked).await;
        let agreed = headers
            .iter()
            .filter(|header| header.as_ref().is_ok_and(|header| header.hash == hash))
            .count();
        if agreed < self.agree {
            return Err(RpcError::Disagreement {
                height,
                agreed,
                wanted: self.agree,
            });
        }
        Ok(())
    }
}

async fn header_of(endpoint: &Endpoint, at: Tag) -> Result<BlockHeader, RpcError> {
    let method = match at {
        Tag::Hash(_) => "eth_getBlockByHash",
        _ => "eth_getBlockByNumber",
    };
    let raw: Option<RawHeader> = endpoint.ask(method, &json!([at.to_param(), false])).await?;
    let raw = raw.ok_or_else(|| endpoint.missing(format!("block {}", at.to_param())))?;
    let header = raw.header;
    let bad = |source| RpcError::BadBlock {
        node: endpoint.name.clone(),
        height: header.number,
        source,
    };
    let checked = block::check_header(&header, raw.hash).map_err(bad)?;
    let asked_for = match at {
        Tag::Height(height) => checked.height == height,
        Tag::Hash(hash) => checked.hash == hash,
        Tag::Latest | Tag::Pending | Tag::Finalized => true,
    };
    if asked_for {
        Ok(checked)
    } else {
        Err(endpoint.malformed(method, &"another block"))
    }
}

async fn block_of(endpoint: &Endpoint, height: u64) -> Result<VerifiedBlock, RpcError> {
    const METHOD: &str = "eth_getBlockByNumber";
    let raw: Option<RawBlock> = endpoint
        .ask(METHOD, &json!([Tag::Height(height).to_param(), true]))
        .await?;
    let raw = raw.ok_or_else(|| endpoint.missing(format!("block {height}")))?;
    if raw.header.number != height {
        return Err(endpoint.malformed(METHOD, &"another block"));
    }
    // A block without transactions has no receipts, and its header proves that.
    let receipts = if raw.transactions.is_empty() {
        Vec::new()
    } else {
        receipts_of(endpoint, &raw).await?
    };
    VerifiedBlock::try_new(raw, receipts).map_err(|source| RpcError::BadBlock {
        node: endpoint.name.clone(),
        height,
        source,
    })
}

async fn receipts_of(endpoint: &Endpoint, block: &RawBlock) -> Result<Vec<RawReceipt>, RpcError> {
    // By hash, so that a reorganisation in between gives nothing instead of another block's receipts.
    match endpoint.ask("eth_getBlockReceipts", &json!([block.hash])).await {
        Ok(Some(receipts)) => return Ok(receipts),
        Ok(None) => return Err(endpoint.missing(format!("receipts of block {}", block.header.number))),
        Err(error) if !is_unsupported(&error) => return Err(error),
        Err(_) => {}
    }
    let hashes = block.transactions.iter().map(block::hash_of);
    stream::iter(hashes)
        .map(|hash| async move {
            let receipt: Option<RawReceipt> =
                endpoint.ask("eth_getTransactionReceipt", &json!([hash])).await?;
            receipt.ok_or_else(|| endpoint.missing(format!("the receipt of {hash}")))
        })
        .buffered(RECEIPTS_AT_ONCE)
        .try_collect()
        .await
}

/// Whether the node does not have the method, or not for a hash.
fn is_unsupported(error: &RpcError) -> bool {
    matches!(
        error,
        RpcError::Node {
            code: -32_601 | -32_602 | -32_004,
            ..
        }
    )
}
