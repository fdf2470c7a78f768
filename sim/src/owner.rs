//! The owner's loop: what has gathered is decided by the product's kernel, written as one batch, and answered after its
//! commit. One batch is in flight at a time.

use ferrex_engine::telling::Teller;
use ferrex_engine_core::{Batch, Engine, Outcome};
use ferrex_planted::planted;

use crate::engine::Sent;
use crate::event::{Ask, Event, Life, Reply};
use crate::pg::Projected;
use crate::world::{Fate, World};

/// A batch that was sent and not answered.
#[derive(Debug)]
pub struct Batched {
    /// Its number.
    pub number: u64,
    /// The row before it.
    pub previous: u64,
    /// What it is, for the relay.
    pub batch: Batch,
    /// What is answered after its commit.
    pub replies: Vec<(u64, Reply)>,
}

/// The state of an owner.
#[derive(Debug)]
pub struct Owner {
    /// The kernel.
    pub engine: Engine,
    /// The epoch under which it writes.
    pub epoch: u64,
    /// Until when no other process takes the lease by time.
    pub valid_until: u64,
    /// The row at which the tables are.
    pub projected: u64,
    /// The projection that is being written.
    pub writing: Option<Projected>,
    /// What waits for the next batch.
    pub gathered: Vec<(Ask, u64)>,
    /// The batch that is being written.
    pub in_flight: Option<Batched>,
    /// How far the bus was told; `None` before the cursor was read.
    pub told: Option<u64>,
    /// The journal's end as far as this owner knows that it is durable.
    pub durable: u64,
    /// Whether the relay waits for its cursor to be stored.
    pub marking: bool,
    /// Whose the accounts are.
    pub teller: Teller,
    batches: u64,
}

impl Owner {
    /// Begins to own.
    pub fn new(engine: Engine, epoch: u64, valid_until: u64, projected: u64) -> Self {
        Self {
            durable: engine.sequence(),
            engine,
            epoch,
            valid_until,
            projected,
            writing: None,
            gathered: Vec::new(),
            in_flight: None,
            told: None,
            marking: false,
            teller: Teller::default(),
            batches: 0,
        }
    }
}

impl World {
    /// Sends a question to the owner, as far as the caller knows it.
    pub(crate) fn ask_engine(&mut self, ask: Ask, call: u64) {
        // Some callers know the owner of a moment ago, or another one.
        let often = if matches!(ask, Ask::Balances(_)) { 400 } else { 100 };
        let proc = if self.rng.permille(often) {
            crate::event::Proc::ENGINES[self.rng.place(2)]
        } else {
            self.owner_by_lease()
        };
        let life = self.life(proc);
        if self.rng.permille(self.faults.lost) {
            return;
        }
        let at = self.now + self.latency();
        if self.rng.permille(self.faults.twice) && matches!(ask, Ask::Command(_)) {
            let again = self.now + self.latency();
            let event = Event::EngineAsk {
                ask: ask.clone(),
                call,
            };
            self.at(again, Some(life), event);
        }
        self.at(at, Some(life), Event::EngineAsk { ask, call });
    }

    pub(crate) fn engine_ask(&mut self, life: Life, ask: Ask, call: u64) {
        let Some(owner) = self.owner(life) else {
            // Another process decides: whoever asks here learns that at once.
            self.answer(call, Reply::Unknown);
            return;
        };
        owner.gathered.push((ask, call));
        self.to(life, 0, 3, Event::EngineWork);
    }

    /// Decides all that was gathered and sends it to PostgreSQL.
    pub(crate) fn engine_work(&mut self, life: Life) {
        let away = self.fate() == Fate::Lost;
        let Some(owner) = self.owner(life) else { return };
        if owner.in_flight.is_some() || owner.gathered.is_empty() {
            return;
        }
        let gathered = std::mem::take(&mut owner.gathered);
        if !self.look_up(life, &gathered, away) {
            return;
        }
        let mut batch = Batch::default();
        let replies = self.decide(life, gathered, &mut batch);
        if batch.is_empty() {
            self.answer_from_memory(life, replies, away);
        } else {
            self.send_batch(life, batch, replies);
        }
    }

    fn decide(&mut self, life: Life, gathered: Vec<(Ask, u64)>, batch: &mut Batch) -> Vec<(u64, Reply)> {
        let mut replies = Vec::new();
        for (ask, call) in gathered {
            // Nobody waits any more, for whom the outcome is unknown: not to do it is one of its two sides.
            if !self.calls.contains_key(&call) {
                continue;
            }
            let Some(owner) = self.owner(life) else { break };
            let reply = match &ask {
                Ask::Command(command) => {
                    let outcome = owner.engine.apply(command, batch);
                    self.say(|| format!("decides {:?} {:?}: {outcome:?}", command.id, command.reason));
                    Reply::Outcome(outcome)
                }
                Ask::Balances(of) => Reply::Balances(owner.engine.balances(of)),
            };
            replies.push((call, reply));
        }
        replies
    }

    /// Answers what needed no commit.
    fn answer_from_memory(&mut self, life: Life, replies: Vec<(u64, Reply)>, away: bool) {
        let Some(owner) = self.owner(life) else { return };
        let (durable, epoch) = (owner.durable, owner.epoch);
        let shows = replies
            .iter()
            .any(|(_, reply)| matches!(reply, Reply::Balances(_)));
        if shows && !planted!("engine.reads_rest_on_the_lease") {
            // Nothing was written that would have shown that this is still the owner.
            let is_owner = epoch == self.ledger.epoch && !away;
            if !is_owner {
                self.step_down(life, "its epoch is over");
                return;
            }
        }
        let end = self.ledger.last_id();
        if shows && durable != end {
            let name = life.proc.name();
            self.violate("I29", || {
                format!("{name} shows balances of row {durable}, the journal is at {end}")
            });
        }
        for (call, reply) in replies {
            self.answer(call, reply);
        }
    }

    fn send_batch(&mut self, life: Life, batch: Batch, mut replies: Vec<(u64, Reply)>) {
        if planted!("engine.acks_before_commit") {
            for (call, reply) in std::mem::take(&mut replies) {
                self.answer(call, reply);
            }
        }
        let Some(owner) = self.owner(life) else { return };
        owner.batches += 1;
        let (number, previous, epoch) = (owner.batches, owner.durable, owner.epoch);
        owner.in_flight = Some(Batched {
            number,
            previous,
            batch: batch.clone(),
            replies,
        });
        let sent = Sent {
            life,
            number,
            epoch,
            previous,
            batch,
        };
        // A statement may be on its way for long, also when its sender is gone.
        let slow = self.rng.permille(4 * self.faults.slow);
        let delay = if slow {
            self.rng.within(200, 9_000)
        } else {
            self.latency()
        };
        self.at(self.now + delay, None, Event::Append(Box::new(sent)));
    }

    /// Asks the journal about ids that are older than the window.
    fn look_up(&mut self, life: Life, gathered: &[(Ask, u64)], away: bool) -> bool {
        for (ask, _) in gathered {
            let Ask::Command(command) = ask else { continue };
            let Some(owner) = self.owner(life) else {
                return false;
            };
            let old = owner.engine.needs_lookup(command.id);
            let holds: Vec<_> = owner.engine.holds_to_look_up(command).collect();
            if (old || !holds.is_empty()) && away {
                self.step_down(life, "PostgreSQL does not answer");
                return false;
            }
            let known = old.then(|| self.ledger.known(command.id)).flatten();
            let closed: Vec<_> = holds
                .into_iter()
                .filter_map(|hold| self.ledger.closed_hold(hold).map(|account| (hold, account)))
                .collect();
            let Some(owner) = self.owner(life) else {
                return false;
            };
            if let Some(known) = known {
                owner.engine.remember(command.id, known);
            }
            for (hold, account) in closed {
                owner.engine.remember_closed(hold, account);
            }
        }
        true
    }

    /// A batch arrives at PostgreSQL.
    pub(crate) fn append(&mut self, sent: Sent) {
        let Sent {
            life,
            number,
            epoch,
            previous,
            batch,
        } = sent;
        let fate = self.fate();
        let written = match fate {
            Fate::Lost => None,
            Fate::Committed | Fate::Unanswered => {
                let end = self.ledger.last_id();
                let written = self.ledger.append(epoch, previous, &batch);
                if written.is_ok() {
                    self.after_append(life, end, &batch);
                }
                Some(written)
            }
        };
        let result = match (written, fate) {
            (Some(Ok(())), Fate::Committed) => Ok(()),
            (Some(Err(_)), Fate::Committed) => Err(true),
            _ => Err(false),
        };
        let (rows, name) = (batch.rows.len(), life.proc.name());
        self.say(|| format!("{name} appends {rows} rows after {previous}: {fate:?} {result:?}"));
        self.to(
            life,
            1,
            6,
            Event::Appended {
                batch: number,
                result,
            },
        );
    }

    /// PostgreSQL has answered.
    pub(crate) fn appended(&mut self, life: Life, batch: u64, result: Result<(), bool>) {
        let Some(owner) = self.owner(life) else { return };
        let Some(in_flight) = owner.in_flight.take_if(|in_flight| in_flight.number == batch) else {
            return;
        };
        match result {
            Ok(()) => {}
            Err(false) if planted!("engine.unknown_commit_is_success") => {}
            Err(false) if planted!("append.predecessor_unchecked") => {
                // It goes on as if nothing had happened, and its callers learn nothing.
                owner.durable = in_flight.previous + in_flight.batch.rows.len() as u64;
                return;
            }
            Err(fenced) => {
                owner.in_flight = Some(in_flight);
                self.step_down(
                    life,
                    if fenced {
                        "it is fenced off"
                    } else {
                        "a commit is unknown"
                    },
                );
                return;
            }
        }
        owner.durable = in_flight.previous + in_flight.batch.rows.len() as u64;
        for account in &in_flight.batch.accounts {
            owner.teller.learn(account);
        }
        for (call, reply) in in_flight.replies {
            self.answer(call, reply);
        }
        self.to(life, 0, 2, Event::EngineWork);
        self.to(life, 0, 3, Event::RelayTurn);
    }

    /// Sends an answer to whoever waits for it.
    pub(crate) fn answer(&mut self, call: u64, reply: Reply) {
        if let Reply::Outcome(outcome) = reply {
            self.check_acknowledged(call, outcome);
        }
        let Some(life) = self.calls.get(&call).map(|call| call.life) else {
            return;
        };
        if self.rng.permille(self.faults.lost) {
            return;
        }
        let at = self.now + self.latency();
        self.at(at, Some(life), Event::EngineReply { call, reply });
    }

    /// I21: what is acknowledged is in the journal, as it is acknowledged.
    fn check_acknowledged(&mut self, call: u64, outcome: Outcome) {
        let Some(command) = self.calls.get(&call).and_then(|call| call.command) else {
            return;
        };
        if outcome.sequence() == 0 {
            return;
        }
        let stored = self.ledger.known(command);
        if stored.is_none_or(|known| known.outcome != outcome) {
            self.violate("I21", || {
                format!("{command} is acknowledged as {outcome:?}, stored is {stored:?}")
            });
        }
    }
}
