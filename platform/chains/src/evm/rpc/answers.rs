use alloy_consensus::{Header, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, Log, U64, U256};
use serde::{Deserialize, Serialize};

use super::super::{EvmAddress, to_hex, to_u128};

/// A block as a node writes it, nothing checked.
#[derive(Clone, Debug, Deserialize)]
pub(in super::super) struct RawBlock {
    pub(in super::super) hash: B256,
    #[serde(flatten)]
    pub(in super::super) header: Header,
    pub(in super::super) transactions: Vec<TxEnvelope>,
}

/// A block without its transactions.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RawHeader {
    pub(super) hash: B256,
    #[serde(flatten)]
    pub(super) header: Header,
}

/// The parts of a receipt that the receipts root covers, and its place.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct RawReceipt {
    pub(in super::super) status: U64,
    pub(in super::super) cumulative_gas_used: U64,
    pub(in super::super) logs: Vec<Log>,
    pub(in super::super) transaction_index: U64,
}

/// A receipt as one node tells it, for looking up a transaction of our own. Not proof: what money rests on is read from
/// a [`super::super::VerifiedBlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxReceipt {
    /// Height of its block.
    pub height: u64,
    /// Hash of its block.
    pub block: B256,
    /// Whether it did what it should; a reverted one still costs its fee.
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
    /// What it paid per gas, in wei.
    pub gas_price: u128,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawTxReceipt {
    block_number: U64,
    block_hash: B256,
    status: U64,
    gas_used: U64,
    effective_gas_price: U256,
}

impl TryFrom<RawTxReceipt> for TxReceipt {
    type Error = super::super::AboveU128;
    fn try_from(raw: RawTxReceipt) -> Result<Self, Self::Error> {
        Ok(Self {
            height: raw.block_number.to(),
            block: raw.block_hash,
            success: raw.status.to::<u64>() == 1,
            gas_used: raw.gas_used.to(),
            gas_price: to_u128(raw.effective_gas_price)?,
        })
    }
}

/// A transaction that a node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundTransaction {
    /// Its block, height and hash; none while it waits to be mined.
    pub block: Option<(u64, B256)>,
    /// Its nonce.
    pub nonce: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawTransaction {
    pub(super) hash: B256,
    #[serde(default)]
    pub(super) block_number: Option<U64>,
    #[serde(default)]
    pub(super) block_hash: Option<B256>,
    pub(super) nonce: U64,
}

/// Fees of recent blocks, in wei per gas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeHistory {
    /// Base fee of the block after the newest.
    pub next_base_fee: u128,
    /// For each block, oldest first, the tip at the percentile asked for; empty where nodes give none.
    pub tips: Vec<u128>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawFeeHistory {
    pub(super) base_fee_per_gas: Vec<U256>,
    #[serde(default)]
    pub(super) reward: Option<Vec<Vec<U256>>>,
}

/// A call that is tried or measured, not sent.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    /// Who would pay.
    pub from: Option<EvmAddress>,
    /// Who is called.
    pub to: Option<EvmAddress>,
    /// How much of the coin goes along, in wei.
    pub value: u128,
    /// The input.
    pub input: Vec<u8>,
}

#[derive(Serialize)]
pub(super) struct RawCall {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Address>,
    value: U256,
    input: Bytes,
}

impl From<&CallRequest> for RawCall {
    fn from(call: &CallRequest) -> Self {
        Self {
            from: call.from.map(EvmAddress::alloy),
            to: call.to.map(EvmAddress::alloy),
            value: U256::from(call.value),
            input: Bytes::copy_from_slice(&call.input),
        }
    }
}

/// Which block a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// The newest.
    Latest,
    /// The newest with what waits to be mined.
    Pending,
    /// The newest that the chain will not take back, where the chain has such a notion.
    Finalized,
    /// The one at this height.
    Height(u64),
    /// The one with this hash, which a reorganisation cannot exchange for another.
    Hash(B256),
}

impl Tag {
    pub(super) fn to_param(self) -> String {
        match self {
            Self::Latest => "latest".to_owned(),
            Self::Pending => "pending".to_owned(),
            Self::Finalized => "finalized".to_owned(),
            Self::Height(height) => format!("0x{height:x}"),
            Self::Hash(hash) => to_hex(hash.as_slice()),
        }
    }
}
