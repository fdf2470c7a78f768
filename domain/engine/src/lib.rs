//! The engine kernel: a pure state machine that turns a command into journal rows or a refusal.
//!
//! It reads no clock and makes no id: both come in the command, so a replay gives the same state. What it decides is
//! written as rows ([`JournalRow`]); a restart applies rows ([`Engine::replay`]) and never decides again, so that new
//! rules do not change the past.
//!
//! - A command happens as a whole or not at all; a refused one leaves balances, holds and accounts untouched.
//! - A command id is good for ever. Inside the idempotency window the engine remembers the answer itself; for older
//!   ids the caller looks into the journal first ([`Engine::needs_lookup`], [`Engine::remember`]). The same holds for
//!   closed holds ([`Engine::holds_to_look_up`], [`Engine::remember_closed`]).
//! - A refusal that depends on the state is remembered like a success and costs one row.
//!
//! - The whole state is written as bytes and read back by [`Frozen::to_snapshot`] and [`Snapshot::read`].
//! - Markets and orders are in [`orders`](self::PlaceOrder): an order reserves, matches and settles in one command.
//!
//! Extension point: a new kind of command is a variant of [`Action`]. It draws its row ids from the same sequence, takes new
//! numbers in [`RowKind`], [`Refusal`] and the fingerprint, and never changes what a stored number means.

mod command;
mod engine;
#[cfg(test)]
mod examples;
mod fingerprint;
mod frozen;
mod known;
mod orders;
mod outcome;
#[cfg(test)]
mod properties;
mod replay;
mod row;
mod snapshot;

pub use command::{Action, Command, Reason, Rest, Step};
pub use engine::{Engine, STEPS_MAX};
pub use fingerprint::fingerprint;
pub use frozen::Frozen;
pub use known::{Known, lowest_id_at};
pub use orders::{
    AmendOrder, Details, FeeRate, MarketId, MarketSpec, MarketState, MarketView, OrderChanges, OrderFlags,
    OrderKind, OrderPart, OrderRef, OrderReport, OrderState, PlaceOrder, Terms,
};
pub use outcome::{Answer, Balance, Outcome, Refusal};
pub use replay::{ReplayError, Restore};
pub use row::{AccountRow, Batch, JournalRow, RowKind};
pub use snapshot::{LastRow, Snapshot, SnapshotError};

pub use ferrex_ledger::{AccountBlock, AccountState, Changes, HoldState};
pub use ferrex_matching::{End, OrderNo, SelfTrade, Side, Sizes, Tif};
