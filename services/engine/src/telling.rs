//! What the bus is told of rows: pure, so that the relay and the simulator tell the same.

pub(crate) mod market;

use ferrex_bus::Outgoing;
use ferrex_contracts::Message;
use ferrex_contracts::engine::{Entry, HoldChange, HoldChangeKind, JournalCommitted, MarketChanged};
use ferrex_contracts::payment::Direction;
use ferrex_engine_core::{AccountRow, JournalRow, RowKind};
use ferrex_ids::{CommandId, MessageId};
use ferrex_ledger::{Account, AccountKey, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_planted::planted;
use foldhash::HashMap;
use uuid::{Builder, Uuid};
use xxhash_rust::xxh3::xxh3_128;

use crate::Error;

/// Who publishes.
const SOURCE: &str = "engine";

/// The part of a page of rows that ends with a command: its last command may go on in the next page.
pub fn whole(rows: &[JournalRow]) -> usize {
    if planted!("relay.page_cuts_command") {
        return rows.len();
    }
    rows.iter().rposition(|row| row.last).map_or(0, |place| place + 1)
}

/// Turns rows into messages, knowing whose the accounts are that they name.
#[derive(Debug, Default)]
pub struct Teller {
    accounts: HashMap<u32, AccountKey>,
}

impl Teller {
    /// Takes whose an account is.
    pub fn learn(&mut self, account: &AccountRow) {
        self.accounts.insert(account.id, account.key);
    }

    /// Whether it knows every account that rows name.
    pub fn knows(&self, rows: &[JournalRow]) -> bool {
        let known = |id: u32| id == 0 || self.accounts.contains_key(&id);
        rows.iter().all(|row| known(row.debit) && known(row.credit))
    }

    /// What the bus is told of whole commands, in their order.
    pub fn messages(&self, rows: &[JournalRow]) -> Result<Vec<Outgoing>, Error> {
        let mut messages = Vec::new();
        for command in rows.chunk_by(|left, right| left.command == right.command) {
            messages.extend(self.journal(command)?);
            messages.extend(self.market(command)?);
        }
        Ok(messages)
    }

    /// What is told of one command's money; nothing of a refused one.
    pub fn event(&self, rows: &[JournalRow]) -> Result<Option<JournalCommitted>, Error> {
        let Some(last) = rows.last() else { return Ok(None) };
        let (mut entries, mut holds) = (Vec::new(), Vec::new());
        for row in rows {
            let (asset, amount) = (AssetId(row.asset), Amount::new(row.amount));
            if matches!(row.kind, RowKind::Move | RowKind::Post) {
                for (account, direction) in [(row.debit, Direction::Debit), (row.credit, Direction::Credit)] {
                    let account = self.key(account, row.id)?.account;
                    entries.push(Entry {
                        account,
                        asset,
                        direction,
                        amount,
                    });
                }
            }
            if let (RowKind::Trade, Some(part)) = (row.kind, &row.order) {
                let (payer, paid) = (
                    self.key(row.debit, row.id)?.account,
                    self.key(row.credit, row.id)?.account,
                );
                let fees = Account::house(Purpose::Fees);
                let fee = Amount::new(part.fee);
                for (from, to, amount) in [(payer, paid, amount), (paid, fees, fee)] {
                    if amount.is_zero() {
                        continue;
                    }
                    for (account, direction) in [(from, Direction::Debit), (to, Direction::Credit)] {
                        entries.push(Entry {
                            account,
                            asset,
                            direction,
                            amount,
                        });
                    }
                }
            }
            let kind = match row.kind {
                RowKind::Reserve => HoldChangeKind::Reserved,
                RowKind::Post => HoldChangeKind::Posted,
                RowKind::Void => HoldChangeKind::Voided,
                RowKind::Expire => HoldChangeKind::Expired,
                _ => continue,
            };
            if let Some(hold) = row.hold {
                holds.push(HoldChange {
                    hold,
                    account: self.key(row.debit, row.id)?.account,
                    asset,
                    kind,
                    amount,
                });
            }
        }
        if entries.is_empty() && holds.is_empty() {
            return Ok(None);
        }
        Ok(Some(JournalCommitted {
            sequence: last.id,
            command: last.command,
            reason: last.reason,
            reference: last.reference,
            at: last.at,
            entries,
            holds,
        }))
    }

    fn journal(&self, rows: &[JournalRow]) -> Result<Option<Outgoing>, Error> {
        let Some(event) = self.event(rows)? else {
            return Ok(None);
        };
        let id = message_id::<JournalCommitted>(event.command);
        Ok(Some(Outgoing::event(
            SOURCE,
            id,
            event.reference,
            event.at,
            &event,
        )))
    }

    /// What one command did in a market; it concerns one market.
    pub fn market_event(&self, rows: &[JournalRow]) -> Result<Option<MarketChanged>, Error> {
        let owner = |account, row| Ok(self.key(account, row)?.account.owner);
        market::changes(rows, owner)
    }

    fn market(&self, rows: &[JournalRow]) -> Result<Option<Outgoing>, Error> {
        let Some(event) = self.market_event(rows)? else {
            return Ok(None);
        };
        let id = message_id::<MarketChanged>(event.command);
        Ok(Some(Outgoing::event(SOURCE, id, event.market, event.at, &event)))
    }

    fn key(&self, account: u32, row: u64) -> Result<AccountKey, Error> {
        self.accounts.get(&account).copied().ok_or_else(|| Error::Stored {
            what: "an account",
            row: row.to_string(),
        })
    }
}

/// The id of the message of a type about a command: the command's time, and bits that follow from its id.
pub fn message_id<M: Message>(command: CommandId) -> MessageId {
    let command = command.uuid();
    let mut name = Vec::with_capacity(M::TYPE.len() + 17);
    name.extend_from_slice(M::TYPE.as_bytes());
    name.push(b':');
    name.extend_from_slice(command.as_bytes());
    let mut bytes = xxh3_128(&name).to_be_bytes();
    bytes[..6].copy_from_slice(&command.as_bytes()[..6]);
    let id: Uuid = Builder::from_custom_bytes(bytes).into_uuid();
    MessageId::from_uuid(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_command_has_the_same_message_and_another_has_another() {
        let id = |value| message_id::<JournalCommitted>(CommandId::from_uuid(Uuid::from_u128(value)));
        assert_eq!(id(1 << 90), id(1 << 90));
        assert_ne!(id(1 << 90), id((1 << 90) + 1));
        assert_eq!(id(1 << 90).uuid().as_u128() >> 80, 1 << 10);
        let other = message_id::<MarketChanged>(CommandId::from_uuid(Uuid::from_u128(1 << 90)));
        assert_ne!(
            id(1 << 90),
            other,
            "each of a command's messages has an id of its own"
        );
    }
}
