use std::collections::HashSet;
use std::hash::BuildHasher;

use alloy_primitives::B256;

use super::{EvmAddress, MinedTx, U256, VerifiedBlock, erc20};

/// Where in its transaction a payment stands. Together with the transaction's hash it names the payment for ever, also
/// when a reorganisation moves the transaction to another block (H002, H007, F10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferKind {
    /// The transaction itself pays the chain's coin.
    Native,
    /// A token's event.
    Token {
        /// The token's contract.
        contract: EvmAddress,
        /// The event's place among the transaction's own, from 0. Unlike its place in the block it does not change when
        /// the transaction moves.
        ordinal: u32,
    },
}

impl TransferKind {
    /// The place as one number: 0 for the coin, the event's ordinal plus 1 for a token.
    pub fn position(self) -> u32 {
        match self {
            Self::Native => 0,
            Self::Token { ordinal, .. } => ordinal.saturating_add(1),
        }
    }
}

/// A payment to a watched address in a verified block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferFound {
    /// The transaction.
    pub tx: B256,
    /// What was paid, and where in the transaction.
    pub kind: TransferKind,
    /// The event's place in the block, as block explorers count; none for the coin.
    pub log_index: Option<u64>,
    /// Who paid; none when the transaction's signature is nobody's.
    pub from: Option<EvmAddress>,
    /// The watched address that was paid.
    pub to: EvmAddress,
    /// How much, in smallest units. May be above 128 bits.
    pub amount: U256,
}

/// Every payment in `block` to a `watched` address: of the chain's coin, and of the `tokens` by contract.
///
/// What a reverted transaction says is not there, nor an event of a contract that is not listed (H009). Payments of
/// nothing are left out. Coin that contracts move inside a transaction is not found.
pub fn transfers<W: BuildHasher, T: BuildHasher>(
    block: &VerifiedBlock,
    watched: &HashSet<EvmAddress, W>,
    tokens: &HashSet<EvmAddress, T>,
) -> Vec<TransferFound> {
    let succeeded = block
        .transactions()
        .iter()
        .filter(|transaction| transaction.success);
    succeeded
        .flat_map(|transaction| {
            native(transaction, watched)
                .into_iter()
                .chain(token(transaction, watched, tokens))
        })
        .collect()
}

fn native<W: BuildHasher>(transaction: &MinedTx, watched: &HashSet<EvmAddress, W>) -> Option<TransferFound> {
    let to = transaction.to().filter(|to| watched.contains(to))?;
    let amount = transaction.value();
    (!amount.is_zero()).then(|| TransferFound {
        tx: transaction.hash,
        kind: TransferKind::Native,
        log_index: None,
        from: transaction.from(),
        to,
        amount,
    })
}

fn token<'a, W: BuildHasher, T: BuildHasher>(
    transaction: &'a MinedTx,
    watched: &'a HashSet<EvmAddress, W>,
    tokens: &'a HashSet<EvmAddress, T>,
) -> impl Iterator<Item = TransferFound> + 'a {
    (0u32..).zip(&transaction.logs).filter_map(move |(ordinal, log)| {
        let contract = EvmAddress::from_alloy(log.address);
        if !tokens.contains(&contract) {
            return None;
        }
        let event = erc20::decode_transfer_event(log.topics(), &log.data.data)?;
        let counts = watched.contains(&event.to) && !event.amount.is_zero();
        counts.then(|| TransferFound {
            tx: transaction.hash,
            kind: TransferKind::Token { contract, ordinal },
            log_index: Some(transaction.first_log as u64 + u64::from(ordinal)),
            from: Some(event.from),
            to: event.to,
            amount: event.amount,
        })
    })
}
