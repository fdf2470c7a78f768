//! What a command of the journal did to each person's accounts.

use std::collections::BTreeMap;

use ferrex_contracts::engine::{HoldChangeKind, JournalCommitted};
use ferrex_contracts::payment::Direction;
use ferrex_ledger::{Owner, Purpose};
use ferrex_money::{Amount, AssetId};
use uuid::Uuid;

/// What one command did to one person's accounts in one asset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Movement {
    /// Came into the wallet.
    pub credited: Amount,
    /// Left the wallet.
    pub debited: Amount,
    /// Was set aside.
    pub reserved: Amount,
    /// Is no longer set aside, paid or released.
    pub released: Amount,
    /// Became a debt.
    pub owed: Amount,
    /// Was paid back of a debt.
    pub repaid: Amount,
    /// The part of what left that went to the house as a fee.
    pub fee: Amount,
}

/// A sum above 128 bits, which no command of the engine can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// Splits a command's event by person and asset; the house's accounts are left out.
pub fn split(event: &JournalCommitted) -> Result<BTreeMap<(Uuid, AssetId), Movement>, Overflow> {
    let mut movements: BTreeMap<(Uuid, AssetId), Movement> = BTreeMap::new();
    let add = |sum: &mut Amount, amount: Amount| {
        *sum = sum.checked_add(amount).ok_or(Overflow)?;
        Ok(())
    };
    for entry in &event.entries {
        let Owner::User(user) = entry.account.owner else {
            continue;
        };
        let movement = movements.entry((user, entry.asset)).or_default();
        let sum = match (entry.account.purpose, entry.direction) {
            (Purpose::Debt, Direction::Debit) => &mut movement.owed,
            (Purpose::Debt, Direction::Credit) => &mut movement.repaid,
            (_, Direction::Credit) => &mut movement.credited,
            (_, Direction::Debit) => &mut movement.debited,
        };
        add(sum, entry.amount)?;
    }
    // Each movement is told as its debit and then its credit.
    for sides in event.entries.chunks(2) {
        let [from, to] = sides else { continue };
        if let (Owner::User(user), Purpose::Fees) = (from.account.owner, to.account.purpose) {
            add(
                &mut movements.entry((user, from.asset)).or_default().fee,
                from.amount,
            )?;
        }
    }
    for change in &event.holds {
        let Owner::User(user) = change.account.owner else {
            continue;
        };
        let movement = movements.entry((user, change.asset)).or_default();
        let sum = match change.kind {
            HoldChangeKind::Reserved => &mut movement.reserved,
            HoldChangeKind::Posted | HoldChangeKind::Voided | HoldChangeKind::Expired => {
                &mut movement.released
            }
        };
        add(sum, change.amount)?;
    }
    Ok(movements)
}

#[cfg(test)]
mod tests {
    use ferrex_contracts::engine::{Entry, HoldChange};
    use ferrex_ids::{CommandId, HoldId};
    use ferrex_ledger::Account;

    use super::*;

    #[test]
    fn a_settled_withdrawal_leaves_the_wallet_and_ends_its_hold() {
        let user = Uuid::from_u128(7);
        let entry = |account, direction, amount| Entry {
            account,
            asset: AssetId(1),
            direction,
            amount: Amount::new(amount),
        };
        let wallet = Account::wallet(user);
        let posted = |amount| HoldChange {
            hold: HoldId::new_at(1),
            account: wallet,
            asset: AssetId(1),
            kind: HoldChangeKind::Posted,
            amount: Amount::new(amount),
        };
        let event = JournalCommitted {
            sequence: 9,
            command: CommandId::new_at(1),
            reason: 5,
            reference: Uuid::nil(),
            at: ferrex_time::from_micros(0),
            entries: vec![
                entry(wallet, Direction::Debit, 100),
                entry(Account::house(Purpose::HotWallet), Direction::Credit, 100),
                entry(wallet, Direction::Debit, 3),
                entry(Account::house(Purpose::Fees), Direction::Credit, 3),
            ],
            holds: vec![posted(100), posted(3)],
        };
        let movements = split(&event).unwrap();
        let expected = Movement {
            debited: Amount::new(103),
            released: Amount::new(103),
            fee: Amount::new(3),
            ..Movement::default()
        };
        assert_eq!(movements, BTreeMap::from([((user, AssetId(1)), expected)]));
    }
}
