//! Accounts and holds as the rows make them.

use std::collections::HashMap;

use ruint::aliases::U256;
use uuid::Uuid;

use crate::rules::{self, Side};
use crate::{AccountFact, Units};

/// One account: everything ever debited and credited, and what is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) fact: AccountFact,
    pub(crate) debits: U256,
    pub(crate) credits: U256,
    pub(crate) held: U256,
}

impl Entry {
    /// The balance in the account's normal direction; `None` below zero or for a purpose nobody knows.
    pub(crate) fn balance(&self) -> Option<U256> {
        match rules::side(self.fact.purpose)? {
            Side::Debit => self.debits.checked_sub(self.credits),
            Side::Credit => self.credits.checked_sub(self.debits),
        }
    }
}

/// One hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) account: i64,
    pub(crate) left: U256,
    pub(crate) closed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) accounts: HashMap<i64, Entry>,
    pub(crate) holds: HashMap<Uuid, Held>,
}

impl Books {
    pub(crate) fn open(&mut self, fact: AccountFact) -> bool {
        let entry = Entry {
            fact,
            debits: U256::ZERO,
            credits: U256::ZERO,
            held: U256::ZERO,
        };
        self.accounts.insert(fact.id, entry).is_none()
    }

    /// Books one side; false when the account is unknown, of another asset, or 256 bits do not suffice.
    pub(crate) fn book(&mut self, account: i64, asset: i64, side: Side, amount: Units) -> bool {
        let Some(entry) = self
            .accounts
            .get_mut(&account)
            .filter(|entry| entry.fact.asset == asset)
        else {
            return false;
        };
        let sum = match side {
            Side::Debit => &mut entry.debits,
            Side::Credit => &mut entry.credits,
        };
        let Some(total) = sum.checked_add(amount.0) else {
            return false;
        };
        *sum = total;
        true
    }

    /// Changes what is held of an account; false when that cannot be.
    pub(crate) fn hold_more(&mut self, account: i64, asset: i64, amount: Units) -> bool {
        let entry = self
            .accounts
            .get_mut(&account)
            .filter(|entry| entry.fact.asset == asset);
        let Some((entry, held)) =
            entry.and_then(|entry| entry.held.checked_add(amount.0).map(|held| (entry, held)))
        else {
            return false;
        };
        entry.held = held;
        true
    }

    /// Takes an amount out of a hold, and closes it when nothing is left; false when that cannot be.
    pub(crate) fn hold_less(&mut self, hold: Uuid, account: i64, amount: Units) -> bool {
        let Some(held) = self
            .holds
            .get_mut(&hold)
            .filter(|held| !held.closed && held.account == account)
        else {
            return false;
        };
        let Some(left) = held.left.checked_sub(amount.0) else {
            return false;
        };
        held.left = left;
        held.closed = left.is_zero();
        self.hold_released(account, amount)
    }

    /// Lowers what is held of an account; false when that cannot be.
    pub(crate) fn hold_released(&mut self, account: i64, amount: Units) -> bool {
        let Some(entry) = self.accounts.get_mut(&account) else {
            return false;
        };
        let Some(rest) = entry.held.checked_sub(amount.0) else {
            return false;
        };
        entry.held = rest;
        true
    }
}
