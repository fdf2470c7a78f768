use alloy_consensus::proofs::calculate_transaction_root;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{Header, Receipt, ReceiptEnvelope, Transaction, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bloom, Log, keccak256};

use super::rpc::{RawBlock, RawReceipt};
use super::{EvmAddress, U256};

/// Why a block does not hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The header's fields do not give the hash that came with them.
    #[error("its header hashes to {computed}, not to {claimed}")]
    Hash {
        /// The hash that came.
        claimed: B256,
        /// The hash of the fields.
        computed: B256,
    },
    /// Transactions are missing, added or changed.
    #[error("its {got} transactions do not match the header")]
    Transactions {
        /// How many came.
        got: usize,
    },
    /// There are fewer or more receipts than transactions, or two for one place.
    #[error("{got} receipts came for {wanted} transactions")]
    ReceiptCount {
        /// How many came.
        got: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// A receipt or a log in one is missing, added or changed.
    #[error("its receipts do not match the header")]
    Receipts,
    /// The logs do not give the header's bloom.
    #[error("its logs do not match the header's bloom")]
    Bloom,
    /// Gas used does not grow from receipt to receipt.
    #[error("its receipts count gas backwards")]
    Gas,
}

/// A header whose hash was recomputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The block's height.
    pub height: u64,
    /// The block's hash.
    pub hash: B256,
    /// The hash of the block before.
    pub parent: B256,
    /// When it was made, in Unix seconds, by the word of who made it.
    pub timestamp: u64,
    /// The price per gas that is burned, in wei; none on chains without EIP-1559.
    pub base_fee: Option<u64>,
}

/// A transaction of a verified block with what came of it.
#[derive(Clone, Debug)]
pub struct MinedTx {
    envelope: TxEnvelope,
    /// Its hash, computed from its bytes.
    pub hash: B256,
    /// Whether it did what it should; a reverted one still costs its fee (H029).
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
    /// What it paid per gas, in wei.
    pub gas_price: u128,
    /// The place of its first log in the block.
    pub(super) first_log: usize,
    pub(super) logs: Vec<Log>,
}

impl MinedTx {
    /// Who is paid or called; none where a contract is made.
    pub fn to(&self) -> Option<EvmAddress> {
        self.envelope.to().map(EvmAddress::from_alloy)
    }

    /// How much of the chain's coin goes along, in wei.
    pub fn value(&self) -> U256 {
        self.envelope.value()
    }

    /// Its nonce.
    pub fn nonce(&self) -> u64 {
        self.envelope.nonce()
    }

    /// Who paid, recovered from the signature on each call; `None` if the signature is nobody's.
    pub fn from(&self) -> Option<EvmAddress> {
        self.envelope
            .recover_signer_unchecked()
            .ok()
            .map(EvmAddress::from_alloy)
    }

    /// Its fee in wei, or `None` above 128 bits. Chains that add a fee of their own (layer 2) take more.
    pub fn fee(&self) -> Option<u128> {
        self.gas_price.checked_mul(u128::from(self.gas_used))
    }
}

/// A block with its transactions and receipts that exists only if all of them give the hashes in its header.
#[derive(Clone, Debug)]
pub struct VerifiedBlock {
    header: BlockHeader,
    transactions: Vec<MinedTx>,
}

impl VerifiedBlock {
    /// Recomputes everything that the header commits to.
    pub(super) fn try_new(block: RawBlock, mut receipts: Vec<RawReceipt>) -> Result<Self, BlockError> {
        let header = check_header(&block.header, block.hash)?;
        let wanted = block.transactions.len();
        if calculate_transaction_root(&block.transactions) != block.header.transactions_root {
            return Err(BlockError::Transactions { got: wanted });
        }
        receipts.sort_by_key(|receipt| receipt.transaction_index);
        let in_place = |(place, receipt): (u64, &RawReceipt)| receipt.transaction_index.to::<u64>() == place;
        if receipts.len() != wanted || !(0u64..).zip(&receipts).all(in_place) {
            return Err(BlockError::ReceiptCount {
                got: receipts.len(),
                wanted,
            });
        }
        let mut bloom = Bloom::ZERO;
        let mut envelopes = Vec::with_capacity(wanted);
        for (transaction, receipt) in block.transactions.iter().zip(&receipts) {
            let receipt = Receipt {
                status: (receipt.status.to::<u64>() == 1).into(),
                cumulative_gas_used: receipt.cumulative_gas_used.to(),
                logs: receipt.logs.clone(),
            };
            let receipt = receipt.with_bloom();
            bloom |= receipt.logs_bloom;
            envelopes.push(ReceiptEnvelope::from_typed(transaction.tx_type(), receipt));
        }
        if alloy_consensus::proofs::calculate_receipt_root(&envelopes) != block.header.receipts_root {
            return Err(BlockError::Receipts);
        }
        if bloom != block.header.logs_bloom {
            return Err(BlockError::Bloom);
        }
        let transactions = mined(block.transactions, receipts, header.base_fee)?;
        Ok(Self { header, transactions })
    }

    /// The header.
    pub fn header(&self) -> &BlockHeader {
        &self.header
    }

    /// The transactions in their order.
    pub fn transactions(&self) -> &[MinedTx] {
        &self.transactions
    }

    /// A transaction by its hash, such as one of our own payments.
    pub fn find(&self, hash: B256) -> Option<&MinedTx> {
        self.transactions
            .iter()
            .find(|transaction| transaction.hash == hash)
    }
}

pub(super) fn check_header(header: &Header, claimed: B256) -> Result<BlockHeader, BlockError> {
    let computed = header.hash_slow();
    if computed != claimed {
        return Err(BlockError::Hash { claimed, computed });
    }
    Ok(BlockHeader {
        height: header.number,
        hash: computed,
        parent: header.parent_hash,
        timestamp: header.timestamp,
        base_fee: header.base_fee_per_gas,
    })
}

/// A transaction's hash from its bytes; the hash that came with it is not believed.
pub(super) fn hash_of(transaction: &TxEnvelope) -> B256 {
    keccak256(transaction.encoded_2718())
}

fn mined(
    transactions: Vec<TxEnvelope>,
    receipts: Vec<RawReceipt>,
    base_fee: Option<u64>,
) -> Result<Vec<MinedTx>, BlockError> {
    let (mut gas_before, mut first_log) = (0u64, 0usize);
    let mut all = Vec::with_capacity(transactions.len());
    for (envelope, receipt) in transactions.into_iter().zip(receipts) {
        let gas_after = receipt.cumulative_gas_used.to::<u64>();
        let logs = receipt.logs;
        all.push(MinedTx {
            hash: hash_of(&envelope),
            success: receipt.status.to::<u64>() == 1,
            gas_used: gas_after.checked_sub(gas_before).ok_or(BlockError::Gas)?,
            gas_price: envelope.effective_gas_price(base_fee),
            first_log,
            envelope,
            logs,
        });
        gas_before = gas_after;
        first_log += all.last().map_or(0, |mined| mined.logs.len());
    }
    Ok(all)
}
