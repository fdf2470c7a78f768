//! Ethereum and the chains that speak its protocol.
//!
//! - [`EvmAddress`]: parsing with the reason of a refusal.
//! - [`EvmRpc`]: a client over several nodes of one network, with bounds on size and time; [`RpcError`] says which
//!   failures may pass.
//! - [`VerifiedBlock`]: a block whose hash, transactions, receipts and log bloom were recomputed here. An answer with
//!   parts left out is an error, never an empty block. What is *not* proved is that the hash is on the canonical
//!   chain: for that several nodes can be asked to agree ([`RpcConfig::agree`]).
//! - [`transfers`]: the payments to watched addresses in such a block.
//! - [`follower`]: which block comes next, and what a reorganisation takes back; pure.
//! - [`AccountXpub`]: addresses from an extended public key.
//! - [`Eip1559`], [`SignedTx`]: building and decoding transactions; [`inspect`] reads signed bytes a second time with a
//!   decoder that shares no code with the first.
//! - [`fees`]: what to offer for gas, within caps.
//!
//! Not covered: value moved by inner calls of contracts (a payment to a watched address that is neither the
//! transaction's own nor a token's `Transfer` event is not seen), and transaction types beyond Ethereum's own, such as
//! deposits of layer-2 chains, whose blocks are refused as unreadable.

mod address;
mod amount;
mod block;
pub mod erc20;
pub mod fees;
pub mod follower;
pub mod inspect;
mod observe;
mod rpc;
mod transfers;
mod tx;
mod xpub;

pub use address::{AddressError, EvmAddress, PayeeError};
pub use alloy_primitives::{B256, Bytes, U256};
pub use amount::{AboveU128, from_hex, to_hex, to_u128};
pub use block::{BlockError, BlockHeader, MinedTx, VerifiedBlock};
pub use observe::{ObserveError, Observed, observe};
pub use rpc::{
    Broadcast, CallRequest, EvmRpc, FeeHistory, FoundTransaction, Refusal, RpcConfig, RpcError, Tag,
    TxReceipt,
};
pub use transfers::{TransferFound, TransferKind, transfers};
pub use tx::{DecodeError, Eip1559, Meaning, SignedTx};
pub use xpub::{AccountXpub, XpubError, address_of_public_key};
