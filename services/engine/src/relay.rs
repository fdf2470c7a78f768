//! Tells the bus what was committed, in journal order, at least once.
//!
//! Fresh batches come from the owner's memory; what was missed (after a restart, or while the bus was away) is read
//! from the journal by id, which is safe because a single writer commits ids in order. The cursor is stored after
//! publishing. A message's id is derived from its command's, so the readers' inboxes see a repetition as one.

mod market;

use std::collections::HashMap;
use std::time::Duration;

use ferrex_bus::{Bus, Outgoing};
use ferrex_contracts::Message;
use ferrex_contracts::engine::{Entry, HoldChange, HoldChangeKind, JournalCommitted, MarketChanged};
use ferrex_contracts::payment::Direction;
use ferrex_engine_core::{AccountRow, Batch, JournalRow, RowKind};
use ferrex_ids::{CommandId, MessageId};
use ferrex_ledger::{Account, AccountKey, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_runtime::{Backoff, kill};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use uuid::{Builder, Uuid};
use xxhash_rust::xxh3::xxh3_128;

use crate::shared::Shared;
use crate::{Error, store};

/// Who publishes.
const SOURCE: &str = "engine";
/// How many batches may wait; further ones are read from the journal later.
const QUEUE: usize = 64;
/// How many journal rows are read at once; far more than one command has.
const PAGE: u64 = 2_000;
/// How long to wait for a batch before the journal is compared with the cursor.
const IDLE: Duration = Duration::from_millis(500);

/// A batch after its commit.
struct Committed {
    previous: u64,
    batch: Batch,
}

/// Publishes beside the owner's loop.
pub(crate) struct Relay {
    batches: mpsc::Sender<Committed>,
    durable: watch::Sender<u64>,
    _running: AbortOnDropHandle<()>,
}

impl Relay {
    pub(crate) fn start(shared: &Shared, bus: Bus, durable: u64) -> Self {
        let (batches, fresh) = mpsc::channel(QUEUE);
        let (durable, end) = watch::channel(durable);
        let telling = Telling {
            shared: shared.clone(),
            bus,
            cursor: 0,
            accounts: HashMap::new(),
            accounts_upto: 0,
        };
        let running = AbortOnDropHandle::new(tokio::spawn(run(telling, fresh, end)));
        Self {
            batches,
            durable,
            _running: running,
        }
    }

    /// Takes a committed batch; never waits.
    pub(crate) fn offer(&self, previous: u64, batch: Batch) {
        self.durable.send_replace(previous + batch.rows.len() as u64);
        // A full queue is no loss: the journal has it.
        let _ = self.batches.try_send(Committed { previous, batch });
    }
}

struct Telling {
    shared: Shared,
    bus: Bus,
    cursor: u64,
    accounts: HashMap<u32, AccountKey>,
    accounts_upto: u32,
}

async fn run(mut telling: Telling, mut fresh: mpsc::Receiver<Committed>, end: watch::Receiver<u64>) {
    let mut backoff = Backoff::default();
    let mut started = false;
    let mut waiting: Option<Committed> = None;
    loop {
        let turn = async {
            if !started {
                telling.cursor = store::relay_cursor(telling.shared.db.pool()).await?;
                started = true;
            }
            if waiting.is_none() {
                match timeout(IDLE, fresh.recv()).await {
                    Ok(Some(committed)) => waiting = Some(committed),
                    Ok(None) => return Ok(false),
                    Err(_) => {
                        let end = *end.borrow();
                        telling.catch_up(end).await?;
                    }
                }
            }
            if let Some(committed) = &waiting {
                telling.tell(committed).await?;
                waiting = None;
            }
            Ok::<_, Error>(true)
        };
        match turn.await {
            Ok(true) => backoff.reset(),
            Ok(false) => return,
            Err(error) => {
                if backoff.failures() == 0 {
                    tracing::warn!(
                        error = crate::error::chain(&error),
                        "journal events wait for the bus"
                    );
                }
                tokio::time::sleep(backoff.next_pause()).await;
            }
        }
    }
}

impl Telling {
    async fn tell(&mut self, committed: &Committed) -> Result<(), Error> {
        let upto = committed.previous + committed.batch.rows.len() as u64;
        if self.cursor >= upto {
            return Ok(());
        }
        self.catch_up(committed.previous).await?;
        for account in &committed.batch.accounts {
            self.learn(account);
        }
        self.publish(&committed.batch.rows).await
    }

    /// Publishes from the journal, up to row `end`, which ends a command.
    async fn catch_up(&mut self, end: u64) -> Result<(), Error> {
        while self.cursor < end {
            let upto = end.min(self.cursor + PAGE);
            let mut rows = store::rows_between(self.shared.db.pool(), self.cursor, upto).await?;
            // The last command of a page may go on in the next one.
            let whole = rows.iter().rposition(|row| row.last).map_or(0, |place| place + 1);
            rows.truncate(whole);
            if rows.is_empty() {
                return Err(Error::Stored {
                    what: "the next command",
                    row: self.cursor.to_string(),
                });
            }
            self.publish(&rows).await?;
        }
        Ok(())
    }

    async fn publish(&mut self, rows: &[JournalRow]) -> Result<(), Error> {
        self.learn_missing(rows).await?;
        let mut messages = Vec::new();
        for command in rows.chunk_by(|left, right| left.command == right.command) {
            messages.extend(self.message(command)?);
            messages.extend(self.market_message(command)?);
        }
        if !messages.is_empty() {
            kill::point("engine.before_publish");
            self.bus.publish(messages).await.map_err(Error::Publish)?;
            kill::point("engine.after_publish");
        }
        let reached = rows.last().map_or(self.cursor, |row| row.id);
        store::set_relay_cursor(self.shared.db.pool(), reached).await?;
        self.cursor = reached;
        Ok(())
    }

    fn learn(&mut self, account: &AccountRow) {
        self.accounts.insert(account.id, account.key);
    }

    /// Reads the accounts that rows name and that are not known here.
    async fn learn_missing(&mut self, rows: &[JournalRow]) -> Result<(), Error> {
        let unknown = |id: u32| id != 0 && !self.accounts.contains_key(&id);
        if rows.iter().any(|row| unknown(row.debit) || unknown(row.credit)) {
            let shard = self.shared.config.shard;
            for account in
                store::accounts_between(self.shared.db.pool(), shard, self.accounts_upto, u32::MAX >> 1)
                    .await?
            {
                self.accounts_upto = account.id;
                self.learn(&account);
            }
        }
        Ok(())
    }

    fn key(&self, account: u32, row: u64) -> Result<AccountKey, Error> {
        self.accounts.get(&account).copied().ok_or_else(|| Error::Stored {
            what: "an account",
            row: row.to_string(),
        })
    }

    /// What the bus is told of a command; nothing of a refused one.
    fn message(&self, rows: &[JournalRow]) -> Result<Option<Outgoing>, Error> {
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
        let event = JournalCommitted {
            sequence: last.id,
            command: last.command,
            reason: last.reason,
            reference: last.reference,
            at: last.at,
            entries,
            holds,
        };
        Ok(Some(Outgoing::event(
            SOURCE,
            message_id::<JournalCommitted>(last.command),
            last.reference,
            last.at,
            &event,
        )))
    }

    /// What the bus is told of markets and orders; a command concerns one market.
    fn market_message(&self, rows: &[JournalRow]) -> Result<Option<Outgoing>, Error> {
        let owner = |account, row| Ok(self.key(account, row)?.account.owner);
        let Some(event) = market::changes(rows, owner)? else {
            return Ok(None);
        };
        let id = message_id::<MarketChanged>(event.command);
        Ok(Some(Outgoing::event(SOURCE, id, event.market, event.at, &event)))
    }
}

/// The id of the message of a type about a command: the command's time, and bits that follow from its id.
fn message_id<M: Message>(command: CommandId) -> MessageId {
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
