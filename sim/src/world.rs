//! Everything there is, the queue of what happens next, and the loop.

use std::collections::{BTreeMap, BinaryHeap};

use ferrex_ids::{FlowId, WithdrawalId};
use ferrex_payment::deposit::flow::DepositFlow;
use ferrex_payment::transfer::flow::TransferFlow;
use ferrex_payment::withdrawal::flow::WithdrawalFlow;
use ferrex_time::{Timestamp, from_micros};
use uuid::Uuid;

use crate::bus::Bus;
use crate::chain::Chain;
use crate::engine::EngineProc;
use crate::event::{Event, Life, Proc, Scheduled};
use crate::faults::Faults;
use crate::flows::{Flows, Kind};
use crate::payment::PayDb;
use crate::people::People;
use crate::pg::LedgerDb;
use crate::rng::Rng;
use crate::signer::SignerDb;
use crate::trace::Trace;
use crate::worker::Call;

/// The moment at which a run begins.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// A moment of the virtual clock.
pub fn to_time(ms: u64) -> Timestamp {
    from_micros(i64::try_from((BEGIN_MS + ms) * 1_000).expect("a run lasts minutes"))
}

/// Milliseconds of the virtual clock.
pub fn to_ms(at: Timestamp) -> u64 {
    u64::try_from(at.timestamp_millis())
        .unwrap_or(0)
        .saturating_sub(BEGIN_MS)
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Committed, and the answer came.
    Committed,
    /// Never happened.
    Lost,
    /// Committed, and the answer was lost: for the caller it may or may not have happened.
    Unanswered,
}

/// A process.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Whether it runs.
    pub up: bool,
    /// Counts its starts.
    pub life: u32,
    /// Until when it is frozen.
    pub frozen_until: u64,
}

/// Something that must never happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant it breaks.
    pub invariant: &'static str,
    /// What was found.
    pub detail: String,
}

/// Everything.
pub struct World {
    /// Chance.
    pub rng: Rng,
    /// The clock, in milliseconds since the run began.
    pub now: u64,
    queue: BinaryHeap<Scheduled>,
    scheduled: u64,
    /// The story.
    pub trace: Trace,
    /// What breaks, and how often.
    pub faults: Faults,
    /// The processes.
    pub processes: [Process; Proc::COUNT],
    /// Schema `engine`.
    pub ledger: LedgerDb,
    /// The engines.
    pub engines: [EngineProc; 2],
    /// Schema `payment`, without its flows.
    pub pay: PayDb,
    /// Flows of deposits.
    pub deposits: Flows<DepositFlow>,
    /// Flows of transfers.
    pub transfers: Flows<TransferFlow>,
    /// Flows of withdrawals.
    pub withdrawals: Flows<WithdrawalFlow>,
    /// Schema `signer`.
    pub signer: SignerDb,
    /// The chain.
    pub chain: Chain,
    /// The bus.
    pub bus: Bus,
    /// People and what they were told.
    pub people: People,
    /// Calls whose answer is awaited.
    pub calls: BTreeMap<u64, Call>,
    calls_made: u64,
    /// The first thing that must not be.
    pub violation: Option<Violation>,
    /// Whether faults are over and everything must come to an end.
    pub draining: bool,
}

impl World {
    /// The world of a seed, before anything has happened.
    pub fn new(seed: u64, words: bool) -> Self {
        let mut rng = Rng::new(seed);
        let faults = Faults::of_seed(&mut rng);
        let mut world = Self {
            chain: Chain::new(&mut rng),
            people: People::new(),
            rng,
            now: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            trace: Trace::new(words),
            faults,
            processes: [Process {
                up: false,
                life: 0,
                frozen_until: 0,
            }; Proc::COUNT],
            ledger: LedgerDb::default(),
            engines: [EngineProc::default(), EngineProc::default()],
            pay: PayDb::default(),
            deposits: Flows::new(DepositFlow, Kind::Deposit),
            transfers: Flows::new(TransferFlow, Kind::Transfer),
            withdrawals: Flows::new(WithdrawalFlow, Kind::Withdrawal),
            signer: SignerDb::default(),
            bus: Bus::default(),
            calls: BTreeMap::new(),
            calls_made: 0,
            violation: None,
            draining: false,
        };
        world.genesis();
        for proc in (0..Proc::COUNT).map(Proc) {
            world.at(0, None, Event::Start(proc));
        }
        for user in 0..People::COUNT {
            world.after(200, 3_000, Event::Person(user));
        }
        world.after(500, 2_000, Event::Mine);
        world.after(500, 4_000, Event::Incoming);
        world.after(5_000, 20_000, Event::Fault);
        world.after(5_000, 25_000, Event::Reorganise);
        world.after(10_000, 20_000, Event::ResolveOrders);
        world
    }

    /// The time as the product's machines read it.
    pub fn time(&self) -> Timestamp {
        to_time(self.now)
    }

    /// A new id: the present moment, and chance.
    pub fn uuid(&mut self) -> Uuid {
        let mut bytes = self.rng.wide().to_be_bytes();
        let ms = (BEGIN_MS + self.now).to_be_bytes();
        bytes[..6].copy_from_slice(&ms[2..]);
        bytes[6] = bytes[6] & 0x0f | 0x70;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Uuid::from_bytes(bytes)
    }

    /// Puts an event into the queue.
    pub fn at(&mut self, at: u64, to: Option<Life>, event: Event) {
        self.scheduled += 1;
        self.queue.push(Scheduled {
            at: at.max(self.now),
            number: self.scheduled,
            to,
            event,
        });
    }

    /// Puts an event of the world into the queue, `low` to `high` milliseconds from now.
    pub fn after(&mut self, low: u64, high: u64, event: Event) {
        let at = self.now + self.rng.within(low, high);
        self.at(at, None, event);
    }

    /// Puts an event for this life of a process into the queue.
    pub fn to(&mut self, life: Life, low: u64, high: u64, event: Event) {
        let at = self.now + self.rng.within(low, high);
        self.at(at, Some(life), event);
    }

    /// The time that a message takes: mostly little, sometimes much.
    pub fn latency(&mut self) -> u64 {
        if self.rng.permille(self.faults.slow) {
            self.rng.within(200, 6_000)
        } else {
            self.rng.within(1, 12)
        }
    }

    /// The present life of a process.
    pub fn life(&self, proc: Proc) -> Life {
        Life {
            proc,
            number: self.processes[proc.0].life,
        }
    }

    /// Whether a life goes on.
    pub fn lives(&self, life: Life) -> bool {
        let process = &self.processes[life.proc.0];
        process.up && process.life == life.number
    }

    /// What becomes of a transaction that is about to be made.
    pub fn fate(&mut self) -> Fate {
        if self.now < self.faults.pg_down_until || self.rng.permille(self.faults.tx_lost) {
            Fate::Lost
        } else if self.rng.permille(self.faults.tx_unanswered) {
            Fate::Unanswered
        } else {
            Fate::Committed
        }
    }

    /// Remembers a call and when it is given up.
    pub fn call(&mut self, life: Life, call: Call, timeout: u64) -> u64 {
        self.calls_made += 1;
        let number = self.calls_made;
        self.calls.insert(number, call);
        let at = self.now + timeout;
        self.at(at, Some(life), Event::Timeout(number));
        number
    }

    /// Adds to the story.
    pub fn say(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        self.trace.say(now, line);
    }

    /// Notes the first thing that must not be.
    pub fn violate(&mut self, invariant: &'static str, detail: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let detail = detail();
            self.say(|| format!("{invariant} IS BROKEN: {detail}"));
            self.violation = Some(Violation { invariant, detail });
        }
    }

    /// A withdrawal's flow.
    pub fn withdrawal_flow(id: WithdrawalId) -> FlowId {
        id.cast()
    }

    /// Takes one step; false when there is nothing to do or something must not be.
    pub fn step(&mut self) -> bool {
        if self.violation.is_some() {
            return false;
        }
        let Some(Scheduled { at, to, event, .. }) = self.queue.pop() else {
            return false;
        };
        self.now = self.now.max(at);
        if let Some(life) = to {
            if !self.lives(life) {
                return true;
            }
            let frozen_until = self.processes[life.proc.0].frozen_until;
            if frozen_until > self.now {
                self.at(frozen_until, Some(life), event);
                return true;
            }
        }
        self.trace.steps += 1;
        self.trace.mix(self.now);
        self.dispatch(to, event);
        self.trace.mix(self.rng.clone().bits());
        self.trace.mix(self.ledger.last_id());
        true
    }

    fn dispatch(&mut self, to: Option<Life>, event: Event) {
        match (event, to) {
            (Event::Person(user), _) => self.person(user),
            (Event::Request { op, at, cancel }, _) => self.request(op, at, cancel),
            (Event::Staff(id), _) => self.staff(id),
            (Event::GiveUp(id), _) => self.give_up(id),
            (Event::Append(sent), _) => self.append(*sent),
            (Event::Incoming, _) => self.incoming(),
            (Event::Mine, _) => self.mine(),
            (Event::Reorganise, _) => self.reorganise(),
            (Event::Fault, _) => self.fault(),
            (Event::Start(proc), _) => self.start(proc),
            (Event::ResolveOrders, _) => self.resolve_orders(),
            (Event::SignerAsk { ask, call, from }, Some(_)) => self.signer_ask(&ask, call, from),
            (event, Some(life)) => self.dispatch_to(life, event),
            (event, None) => unreachable!("{event:?} is for a process"),
        }
    }

    fn dispatch_to(&mut self, life: Life, event: Event) {
        match event {
            Event::EngineTick => self.engine_tick(life),
            Event::EngineAsk { ask, call } => self.engine_ask(life, ask, call),
            Event::EngineWork => self.engine_work(life),
            Event::Appended { batch, answer } => self.appended(life, batch, answer),
            Event::Project => self.project(life),
            Event::RelayTurn => self.relay_turn(life),
            Event::RelayMark(reached) => self.relay_mark(life, reached),
            Event::EngineReply { call, reply } => self.engine_reply(call, reply),
            Event::WorkerTick { regular } => self.worker_tick(life, regular),
            Event::Perform(attempt) => self.perform(life, attempt),
            Event::Home { attempt, performed } => self.home(life, attempt, *performed),
            Event::Timeout(call) => self.timeout(call),
            Event::SignerReply { call, reply } => self.signer_reply(call, *reply),
            Event::Follow { regular } => self.follow(life, regular),
            Event::FollowWrite { epoch, cursor, seen } => self.follow_write(life, epoch, cursor, &seen),
            Event::OutboxTick { regular } => self.outbox_tick(life, regular),
            Event::OutboxDelete(numbers) => self.outbox_delete(&numbers),
            Event::Consume { regular } => self.consume(life, regular),
            event => unreachable!("{event:?} is for nobody"),
        }
    }
}
