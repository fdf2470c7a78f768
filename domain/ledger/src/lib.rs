//! The ledger kernel: double-entry accounts on flat arrays, and holds (pending transfers), held in memory.
//!
//! Pure: no clock, no ids of its own, no input or output. Every change belongs to a unit of work
//! ([`Ledger::begin`] … [`Ledger::commit`] or [`Ledger::rollback`]) that happens as a whole or leaves no trace.
//!
//! Rules: a credit-normal account (what the house owes or has earned) never has less than zero available, where
//! available is its total less its open holds; the credits of a debit-normal account (what the house has) never
//! exceed its debits; no balance, and no asset as a whole, exceeds 2^128 - 1 units; a hold is released at most once.
//!
//! Orders set money aside per account ([`Ledger::set_aside`]); the engine keeps what belongs to which order.
//!
//! Two doors lead in. The deciding methods ([`Ledger::transfer`], [`Ledger::reserve`], [`Ledger::post`],
//! [`Ledger::release`]) check the rules. [`Ledger::replay_transfer`] and its sisters apply what was decided before and
//! check only that it is possible at all, so that later rules do not change the past.

mod account;
mod accounts;
mod frozen;
mod hold;
mod ledger;
mod pages;
mod shareable;
#[cfg(test)]
mod tests;

pub use account::{Account, AccountId, AccountKey, Normal, Owner, Purpose};
pub use frozen::{AccountBlock, FrozenAccounts};
pub use hold::{Hold, HoldState};
pub use ledger::{AccountState, Changes, Denied, Impossible, Ledger, Movement, Released};
pub use shareable::Shareable;
