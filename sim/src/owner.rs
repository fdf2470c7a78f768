//! The owner's loop: what comes is decided by the product's kernel, and what is written when, and answered after what, by the product's
//! pipeline.

use std::collections::VecDeque;

use ferrex_engine::pipeline::{Due, Pipeline};
use ferrex_engine::telling::Teller;
use ferrex_engine_core::{Batch, Engine, Frozen, Outcome};
use ferrex_planted::planted;

use crate::engine::Sent;
use crate::event::{Ask, Event, Life, Reply};
use crate::pg::{Appended, Projected, Unknown};
use crate::world::{Fate, World};

/// A batch that was sent, until it and those before it are answered.
#[derive(Debug)]
pub struct Batched {
    /// Its number.
    number: u64,
    /// The row before it.
    previous: u64,
    /// What it is.
    batch: Batch,
    /// Whether another one was on its way when it was sent.
    follows: bool,
    /// What was heard of it, if anything was.
    heard: Option<Result<Appended, Unknown>>,
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
    /// The batches that are being written.
    pub in_flight: VecDeque<Batched>,
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
            in_flight: VecDeque::new(),
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

    /// Does what is due, if anything is.
    fn send_due(&mut self, life: Life, away: bool) {
        let Some(owner) = self.owner(life) else { return };
        match owner.pipeline.due() {
            None => {}
            Some(Due::Append {
                previous,
                batch,
                follows,
            }) => self.send_batch(life, previous, batch, follows),
            Some(Due::Confirm) => self.answer_from_memory(life, away),
            Some(Due::Answer(replies)) => self.answer_all(replies),
        }
    }

    /// Answers what is in memory, when this is still the owner: nothing was written that would have shown it.
    fn answer_from_memory(&mut self, life: Life, away: bool) {
        let Some(owner) = self.owner(life) else { return };
        let (stored, epoch) = (owner.pipeline.stored(), owner.epoch);
        let is_owner = epoch == self.ledger.epoch && !away;
        if !is_owner && !planted!("engine.reads_rest_on_the_lease") {
            self.step_down(life, "its epoch is over");
            return;
        }
        let end = self.ledger.last_id();
        if stored != end {
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
        let replies = owner.pipeline.landed();
        self.answer_all(replies);
    }

    fn answer_all(&mut self, replies: Vec<(u64, Reply)>) {
        for (call, reply) in replies {
            self.answer(call, reply);
        }
    }

    fn send_batch(&mut self, life: Life, previous: u64, batch: Batch, follows: bool) {
        let Some(owner) = self.owner(life) else { return };
        owner.in_flight.push_back(Batched {
            number: 0,
            previous,
            batch,
            follows,
            heard: None,
        });
        let place = owner.in_flight.len() - 1;
        if planted!("engine.acks_before_commit") {
            self.landed(life);
        }
        self.send_placed(life, place);
    }

    /// Sends the batch at a place of those in flight.
    fn send_placed(&mut self, life: Life, place: usize) {
        let Some(owner) = self.owner(life) else { return };
        owner.batches += 1;
        let (number, epoch) = (owner.batches, owner.epoch);
        let batched = &mut owner.in_flight[place];
        batched.number = number;
        let sent = Sent {
            life,
            number,
            epoch,
            previous: batched.previous,
            batch: batched.batch.clone(),
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
        let end = self.ledger.last_id();
        let appended = (fate != Fate::Lost).then(|| self.ledger.append(epoch, previous, &batch));
        if appended == Some(Appended::Stored) {
            self.after_append(life, end, &batch);
        }
        let answer = appended.filter(|_| fate == Fate::Committed).ok_or(Unknown);
        let (rows, name) = (batch.rows.len(), life.proc.name());
        self.say(|| {
            format!("{name} appends {rows} rows after {previous}: {appended:?}, and hears {answer:?}")
        });
        let heard = Event::Appended {
            batch: number,
            answer,
        };
        self.to(life, 1, 6, heard);
    }

    /// PostgreSQL has answered.
    pub(crate) fn appended(&mut self, life: Life, batch: u64, answer: Result<Appended, Unknown>) {
        let Some(owner) = self.owner(life) else { return };
        let sent = owner.in_flight.iter_mut().find(|sent| sent.number == batch);
        let Some(sent) = sent else { return };
        sent.heard = Some(answer);
        // In the order of sending.
        while let Some(first) = self.owner(life).and_then(|owner| owner.in_flight.front())
            && let Some(heard) = first.heard
        {
            let overtook = first.follows;
            match heard {
                Ok(Appended::Stored) => self.stored(life),
                Ok(Appended::Early) if overtook => {
                    self.send_again(life);
                    return;
                }
                Ok(Appended::Early | Appended::Fenced) => self.step_down(life, "it is fenced off"),
                Err(Unknown) if planted!("engine.unknown_commit_is_success") => self.stored(life),
                Err(Unknown) if planted!("append.predecessor_unchecked") => {
                    // It goes on as if nothing had happened, and its callers learn nothing.
                    let Some(owner) = self.owner(life) else { return };
                    owner.in_flight.pop_front();
                    drop(owner.pipeline.landed());
                }
                Err(Unknown) => self.step_down(life, "a commit is unknown"),
            }
        }
    }

    /// The first batch in flight overtook the one before it, which is stored now.
    fn send_again(&mut self, life: Life) {
        let Some(owner) = self.owner(life) else { return };
        let first = &mut owner.in_flight[0];
        (first.follows, first.heard) = (false, None);
        self.send_placed(life, 0);
    }

    /// The first batch in flight is stored.
    fn stored(&mut self, life: Life) {
        let Some(owner) = self.owner(life) else { return };
        let Some(stored) = owner.in_flight.pop_front() else {
            return;
        };
        for account in &stored.batch.accounts {
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
