//! The bus and everybody on it: the engine's relay, payment's outbox, and consumers with their inbox. The bus loses nothing
//! and repeats everything: what was published may come twice, and a consumer that dies begins again where it had committed.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_contracts::engine::{JournalCommitted, MarketChanged};
use ferrex_engine::telling::{message_id, whole};
use ferrex_engine_core::JournalRow;
use ferrex_ids::MessageId;
use ferrex_planted::planted;

use crate::event::{Event, Life, Proc};
use crate::flows::Told;
use crate::world::{Fate, World};

/// Rows that the relay reads at once; small, so that commands lie across its pages.
const PAGE: u64 = 3;
/// Messages that a consumer takes at once.
const AT_ONCE: usize = 12;

/// What a message says.
#[derive(Clone, Debug)]
pub enum Body {
    /// A command moved money.
    Journal(JournalCommitted),
    /// A command changed a market.
    Market(MarketChanged),
    /// People are to be told something.
    Told {
        /// What.
        message_type: &'static str,
        /// About what.
        key: String,
    },
}

/// A message in the log.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its identity.
    pub id: MessageId,
    /// What it says.
    pub body: Body,
}

/// Three logs: the journal, markets, and what people are told.
#[derive(Debug, Default)]
pub struct Bus {
    /// By topic.
    pub logs: [Vec<Message>; 3],
    /// Committed positions, by topic.
    pub committed: [usize; 3],
    /// Where the process that has the topic reads on; forgotten when it dies.
    reading: [Option<(Proc, usize)>; 3],
    /// What took effect.
    pub inbox: BTreeSet<MessageId>,
    /// How often people were told what about which thing.
    pub told: BTreeMap<(&'static str, String), u32>,
    /// Messages that stand in payment's outbox, by number.
    pub outbox: BTreeMap<u64, Told>,
    put: u64,
}

impl Bus {
    /// Puts a message into payment's outbox, in the transaction of the caller.
    pub fn put(&mut self, told: Told) {
        self.put += 1;
        self.outbox.insert(self.put, told);
    }

    /// A process died: its topics are read on by whoever comes, from where it had committed.
    pub fn forget_positions(&mut self, proc: Proc) {
        for reading in &mut self.reading {
            if reading.is_some_and(|(reader, _)| reader == proc) {
                *reading = None;
            }
        }
    }
}

impl World {
    fn publish(&mut self, topic: usize, messages: Vec<Message>) -> bool {
        if self.now < self.faults.bus_down_until || self.rng.permille(self.faults.tx_lost) {
            return false;
        }
        for message in messages {
            let twice = self.rng.permille(self.faults.twice);
            if twice {
                self.bus.logs[topic].push(message.clone());
            }
            self.bus.logs[topic].push(message);
        }
        // The broker may have it although its answer is lost.
        !self.rng.permille(self.faults.tx_unanswered)
    }

    /// The engine's relay tells what was committed, in journal order.
    pub(crate) fn relay_turn(&mut self, life: Life) {
        let away = self.fate() == Fate::Lost;
        let cursor = self.ledger.relay;
        let Some(owner) = self.owner(life) else { return };
        if owner.marking || away {
            if away {
                self.to(life, 200, 800, Event::RelayTurn);
            }
            return;
        }
        let told = *owner.told.get_or_insert(cursor);
        let durable = owner.pipeline.stored();
        if told >= durable {
            return;
        }
        let page = self.ledger.rows_between(told, durable.min(told + PAGE));
        let upto = whole(page);
        // A command longer than a page: the product's page is far longer than any.
        let rows: Vec<JournalRow> = if upto == 0 {
            let rows = self.ledger.rows_between(told, durable);
            let end = rows
                .iter()
                .position(|row| row.last)
                .map_or(rows.len(), |place| place + 1);
            rows[..end].to_vec()
        } else {
            page[..upto].to_vec()
        };
        let reached = rows.last().map_or(told, |row| row.id);
        if planted!("relay.marks_before_publish") {
            self.ledger.relay = self.ledger.relay.max(reached);
        }
        let Some((journal, market)) = self.messages(life, &rows) else {
            return;
        };
        let journal_told = journal.is_empty() || self.publish(0, journal);
        let all_told = journal_told && (market.is_empty() || self.publish(1, market));
        if !all_told {
            self.to(life, 200, 900, Event::RelayTurn);
            if planted!("relay.marks_before_publish")
                && let Some(owner) = self.owner(life)
            {
                owner.told = None;
            }
            return;
        }
        self.say(|| format!("{} tells the bus up to row {reached}", life.proc.name()));
        if let Some(owner) = self.owner(life) {
            owner.marking = true;
        }
        self.to(life, 1, 10, Event::RelayMark(reached));
    }

    /// The messages of rows, written by the product's teller.
    fn messages(&mut self, life: Life, rows: &[JournalRow]) -> Option<(Vec<Message>, Vec<Message>)> {
        let accounts = self.ledger.accounts.clone();
        let owner = self.owner(life)?;
        if !owner.teller.knows(rows) {
            for account in &accounts {
                owner.teller.learn(account);
            }
        }
        let (mut journal, mut market) = (Vec::new(), Vec::new());
        for command in rows.chunk_by(|left, right| left.command == right.command) {
            let told = owner.teller.event(command);
            let changed = owner.teller.market_event(command);
            match (told, changed) {
                (Ok(told), Ok(changed)) => {
                    journal.extend(told.map(|event| Message {
                        id: message_id::<JournalCommitted>(event.command),
                        body: Body::Journal(event),
                    }));
                    market.extend(changed.map(|event| Message {
                        id: message_id::<MarketChanged>(event.command),
                        body: Body::Market(event),
                    }));
                }
                (Err(error), _) | (_, Err(error)) => {
                    self.violate("I11", || format!("a committed command cannot be told: {error}"));
                    return None;
                }
            }
        }
        Some((journal, market))
    }

    /// How far the bus was told is stored.
    pub(crate) fn relay_mark(&mut self, life: Life, reached: u64) {
        let fate = self.fate();
        if fate != Fate::Lost {
            self.ledger.relay = self.ledger.relay.max(reached);
        }
        if let Some(owner) = self.owner(life) {
            owner.marking = false;
            if fate == Fate::Committed {
                owner.told = Some(reached);
            }
            self.to(life, 0, 5, Event::RelayTurn);
        }
    }

    /// Payment's relay publishes what stands in the outbox.
    pub(crate) fn outbox_tick(&mut self, life: Life, regular: bool) {
        if regular {
            self.to(life, 2_000, 4_000, Event::OutboxTick { regular });
        }
        if self.fate() == Fate::Lost || self.bus.outbox.is_empty() {
            return;
        }
        let (numbers, messages): (Vec<u64>, Vec<Message>) = self
            .bus
            .outbox
            .iter()
            .take(AT_ONCE)
            .map(|(number, told)| {
                let body = Body::Told {
                    message_type: told.message_type,
                    key: told.key.clone(),
                };
                (*number, Message { id: told.id, body })
            })
            .unzip();
        if planted!("outbox.deleted_before_publish") {
            self.outbox_delete(&numbers);
        }
        if self.publish(2, messages) {
            self.to(life, 1, 10, Event::OutboxDelete(numbers));
        }
        self.to(life, 5, 200, Event::Consume { regular: false });
    }

    /// What was published leaves the outbox.
    pub(crate) fn outbox_delete(&mut self, numbers: &[u64]) {
        if self.fate() != Fate::Lost {
            self.bus.outbox.retain(|number, _| !numbers.contains(number));
        }
    }

    /// A process of payment takes what is new on the topics that are its own.
    pub(crate) fn consume(&mut self, life: Life, regular: bool) {
        if regular {
            self.to(life, 1_500, 3_000, Event::Consume { regular });
        }
        if self.now < self.faults.bus_down_until {
            return;
        }
        for topic in 0..3 {
            self.consume_topic(life, topic);
        }
    }

    fn consume_topic(&mut self, life: Life, topic: usize) {
        let position = match self.bus.reading[topic] {
            Some((reader, position)) if reader == life.proc => position,
            // Another one has it, until it dies.
            Some((reader, _)) if self.processes[reader.0].up => return,
            _ => self.bus.committed[topic],
        };
        // Somebody rewinds the topic.
        let position = if self.rng.permille(self.faults.twice / 4) {
            position / 2
        } else {
            position
        };
        let log = &self.bus.logs[topic];
        let end = log.len().min(position + AT_ONCE);
        let messages: Vec<Message> = log[position.min(end)..end].to_vec();
        let mut reached = position;
        for message in messages {
            if planted!("bus.position_before_effect") {
                self.bus.committed[topic] = self.bus.committed[topic].max(reached + 1);
            }
            match self.fate() {
                Fate::Lost => break,
                Fate::Committed => self.effect(&message),
                // It is delivered again, and is known.
                Fate::Unanswered => {
                    self.effect(&message);
                    break;
                }
            }
            reached += 1;
        }
        if planted!("bus.position_before_effect") {
            reached = reached.max(self.bus.committed[topic]);
        }
        self.bus.reading[topic] = Some((life.proc, reached));
        // A commit of positions may fail on its own.
        if !self.rng.permille(self.faults.tx_lost) {
            self.bus.committed[topic] = self.bus.committed[topic].max(reached);
        }
    }

    /// The effect, in one transaction with the inbox, or with what shows a repetition by itself.
    fn effect(&mut self, message: &Message) {
        match &message.body {
            Body::Journal(event) => self.record_movements(event),
            Body::Market(event) => self.follow_market(event),
            Body::Told { message_type, key } => {
                if self.bus.inbox.insert(message.id) || planted!("bus.no_inbox") {
                    *self.bus.told.entry((*message_type, key.clone())).or_default() += 1;
                }
            }
        }
    }

    /// Whether every message was taken.
    pub(crate) fn bus_is_quiet(&self) -> bool {
        let read = (0..3).all(|topic| self.bus.committed[topic] >= self.bus.logs[topic].len());
        read && self.bus.outbox.is_empty() && self.ledger.relay == self.ledger.last_id()
    }
}
