//! The owner's loop: what comes is decided by the product's kernel, and what is written when, and answered after what, by the product's
//! pipeline.

use ferrex_engine::pipeline::{Due, Pipeline};
use ferrex_engine::telling::Teller;
use ferrex_engine_core::{Batch, Engine, Frozen, Outcome};
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
    /// What it is, for the relay.
    pub batch: Batch,
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
    /// The state as of that projection, when a snapshot is due.
    pub frozen: Option<Frozen>,
    /// What has not been decided.
    pub gathered: Vec<(Ask, u64)>,
    /// What has been decided and not answered, each with its call.
    pub pipeline: Pipeline<(u64, Reply)>,
    /// The batch that is being written.
    pub in_flight: Option<Batched>,
    /// How far the bus was told; `None` before the cursor was read.
    pub told: Option<u64>,
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
            pipeline: Pipeline::new(engine.sequence()),
            engine,
            epoch,
            valid_until,
            projected,
            writing: None,
            frozen: None,
            gathered: Vec::new(),
            in_flight: None,
            told: None,
            marking: false,
            teller: Teller::default(),
            batches: 0,
        }
    }

    /// Whether the journal must be asked before what was gathered is decided.
    fn must_look_up(&self) -> bool {
        self.gathered.iter().any(|(ask, _)| {
            let Ask::Command(command) = ask else { return false };
            self.engine.needs_lookup(command.id) || self.engine.holds_to_look_up(command).next().is_some()
        })
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

    /// Decides all that was gathered, and sends what is due.
    pub(crate) fn engine_work(&mut self, life: Life) {
        let away = self.fate() == Fate::Lost;
        let Some(owner) = self.owner(life) else { return };
        // The journal is asked when all is stored.
        if owner.pipeline.is_settled() || !owner.must_look_up() {
            let gathered = std::mem::take(&mut owner.gathered);
            if !self.look_up(life, &gathered, away) {
                return;
            }
            self.decide(life, gathered);
        }
        self.send_due(life, away);
    }

    fn decide(&mut self, life: Life, gathered: Vec<(Ask, u64)>) {
        for (ask, call) in gathered {
            // Nobody waits any more, for whom the outcome is unknown: not to do it is one of its two sides.
            if !self.calls.contains_key(&call) {
                continue;
            }
            let Some(owner) = self.owner(life) else { break };
            match &ask {
                Ask::Command(command) => {
                    let outcome = owner.engine.apply(command, owner.pipeline.batch());
                    owner.pipeline.reply((call, Reply::Outcome(outcome)), false);
                    self.say(|| format!("decides {:?} {:?}: {outcome:?}", command.id, command.reason));
                }
                Ask::Balances(of) => {
                    let balances = Reply::Balances(owner.engine.balances(of));
                    owner.pipeline.reply((call, balances), true);
                }
            }
        }
    }

    /// Puts what is due on its way, if anything is.
    fn send_due(&mut self, life: Life, away: bool) {
        let Some(owner) = self.owner(life) else { return };
        match owner.pipeline.due() {
            None => {}
            Some(Due::Append { previous, batch }) => self.send_batch(life, previous, batch),
            Some(due) => self.answer_from_memory(life, due == Due::Confirm, away),
        }
    }

    /// Answers what needed no commit.
    fn answer_from_memory(&mut self, life: Life, shows: bool, away: bool) {
        let Some(owner) = self.owner(life) else { return };
        let (stored, epoch) = (owner.pipeline.stored(), owner.epoch);
        if shows && !planted!("engine.reads_rest_on_the_lease") {
            // Nothing was written that would have shown that this is still the owner.
            let is_owner = epoch == self.ledger.epoch && !away;
            if !is_owner {
                self.step_down(life, "its epoch is over");
                return;
            }
        }
        let end = self.ledger.last_id();
        if shows && stored != end {
            let name = life.proc.name();
            self.violate("I29", || {
                format!("{name} shows balances of row {stored}, the journal is at {end}")
            });
        }
        self.landed(life);
    }

    /// Answers what the pipeline says may be told.
    fn landed(&mut self, life: Life) {
        let Some(owner) = self.owner(life) else { return };
        for (call, reply) in owner.pipeline.landed() {
            self.answer(call, reply);
        }
    }

    fn send_batch(&mut self, life: Life, previous: u64, batch: Batch) {
        let Some(owner) = self.owner(life) else { return };
        owner.batches += 1;
        let (number, epoch) = (owner.batches, owner.epoch);
        owner.in_flight = Some(Batched {
            number,
            batch: batch.clone(),
        });
        if planted!("engine.acks_before_commit") {
            self.landed(life);
        }
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
                drop(owner.pipeline.landed());
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
        for account in &in_flight.batch.accounts {
            owner.teller.learn(account);
        }
        self.landed(life);
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
