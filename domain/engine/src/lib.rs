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
//! Extension point: a new kind of order is a variant of [`Action`]. It draws its row ids from the same sequence and
//! puts its own row type beside [`Batch::rows`]; nothing of the transfers changes.

mod command;
mod engine;
#[cfg(test)]
mod examples;
mod fingerprint;
mod known;
mod outcome;
#[cfg(test)]
mod properties;
mod replay;
mod row;

pub use command::{Action, Command, Reason, Rest, Step};
pub use engine::{Engine, STEPS_MAX};
pub use fingerprint::fingerprint;
pub use known::{Known, lowest_id_at};
pub use outcome::{Balance, Outcome, Refusal};
pub use replay::{ReplayError, Restore};
pub use row::{AccountRow, Batch, JournalRow, RowKind};

pub use ferrex_ledger::{AccountState, Changes, HoldState};
