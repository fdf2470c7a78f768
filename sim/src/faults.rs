//! What breaks, how often, and the way back. Each seed has its own mixture, some of it nothing at all, so that a few
//! faults meet often and not all of them rarely.

use crate::event::{Event, Proc};
use crate::rng::Rng;
use crate::world::World;

/// The mixture of a seed; rates are of a thousand.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Messages that take long.
    pub slow: u64,
    /// Messages that never arrive.
    pub lost: u64,
    /// Messages that arrive twice.
    pub twice: u64,
    /// Transactions that never happen.
    pub tx_lost: u64,
    /// Transactions whose answer is lost.
    pub tx_unanswered: u64,
    /// Of what breaks: processes that are killed.
    pub kills: u64,
    /// Of what breaks: processes that are frozen.
    pub freezes: u64,
    /// Of what breaks: PostgreSQL, bus and nodes away, each.
    pub outages: u64,
    /// Of what breaks: the tables for readers, which an operator has written anew.
    pub rewrites: u64,
    /// Milliseconds between two things that break, on average.
    pub every: u64,
    /// Milliseconds between two reorganisations, on average.
    pub reorganise_every: u64,
    /// Reorganisations that go deeper than the confirmations.
    pub deep: u64,
    /// Blocks that a node hides for a while.
    pub lag: u64,
    /// Until when PostgreSQL is away.
    pub pg_down_until: u64,
    /// Until when the bus is away.
    pub bus_down_until: u64,
    /// Until when the nodes are away.
    pub node_down_until: u64,
}

impl Faults {
    /// The mixture of a seed.
    pub fn of_seed(rng: &mut Rng) -> Self {
        let mut some = |most: u64| if rng.permille(350) { 0 } else { rng.within(1, most) };
        Self {
            slow: some(60),
            lost: some(80),
            twice: some(80),
            tx_lost: some(60),
            tx_unanswered: some(60),
            kills: some(10),
            freezes: some(6),
            outages: some(3),
            rewrites: some(2),
            every: 3_000 + 4 * some(6_000),
            reorganise_every: 5_000 + 4 * some(8_000),
            deep: some(450),
            lag: some(200),
            ..Self::default()
        }
    }

    /// Nothing breaks any more.
    pub fn end(&mut self) {
        *self = Self {
            every: u64::MAX / 4,
            reorganise_every: u64::MAX / 4,
            ..Self::default()
        };
    }
}

impl World {
    /// Something breaks.
    pub(crate) fn fault(&mut self) {
        if self.draining {
            return;
        }
        let Faults {
            kills,
            freezes,
            outages,
            rewrites,
            every,
            ..
        } = self.faults;
        self.after(every / 2, every * 3 / 2, Event::Fault);
        let dice = self.rng.below(kills + freezes + rewrites + 3 * outages);
        let proc = Proc(self.rng.place(Proc::COUNT));
        let long = self.rng.within(300, 5_000);
        if dice < kills {
            self.kill(proc);
            self.after(50, 4_000, Event::Start(proc));
        } else if dice < kills + freezes {
            let until = self.now + self.rng.within(1_000, 20_000);
            self.processes[proc.0].frozen_until = until;
            self.say(|| format!("{} is frozen until {until}", proc.name()));
        } else if dice < kills + freezes + rewrites {
            self.ledger.projection = crate::pg::ProjectionDb::default();
            self.say(|| "an operator has the projection written anew".to_owned());
        } else if dice < kills + freezes + rewrites + outages {
            self.faults.pg_down_until = self.now + long;
            self.ledger.lock = None;
            self.say(|| format!("PostgreSQL is away for {long} ms"));
        } else if dice < kills + freezes + rewrites + 2 * outages {
            self.faults.bus_down_until = self.now + long;
            self.say(|| format!("the bus is away for {long} ms"));
        } else if outages > 0 {
            self.faults.node_down_until = self.now + long;
            self.say(|| format!("the nodes are away for {long} ms"));
        }
    }

    /// Ends a process at once.
    pub(crate) fn kill(&mut self, proc: Proc) {
        let life = self.life(proc);
        if !self.lives(life) {
            return;
        }
        self.say(|| format!("{} is killed", proc.name()));
        self.processes[proc.0].up = false;
        if self.ledger.lock == Some(life) {
            self.ledger.lock = None;
        }
        if self.pay.lock.is_some_and(|(holder, _)| holder == life) {
            self.pay.lock = None;
        }
        if Proc::ENGINES.contains(&proc) {
            self.engines[proc.place()] = crate::engine::EngineProc::default();
        }
        if Proc::PAYMENTS.contains(&proc) {
            self.bus.forget_positions(proc);
        }
    }

    /// Starts a process.
    pub(crate) fn start(&mut self, proc: Proc) {
        if self.processes[proc.0].up {
            return;
        }
        let process = &mut self.processes[proc.0];
        process.up = true;
        process.life += 1;
        process.frozen_until = 0;
        self.say(|| format!("{} starts", proc.name()));
        let life = self.life(proc);
        if Proc::ENGINES.contains(&proc) {
            self.to(life, 1, 50, Event::EngineTick);
        } else if Proc::PAYMENTS.contains(&proc) {
            self.to(life, 1, 100, Event::WorkerTick { regular: true });
            self.to(life, 1, 500, Event::Follow { regular: true });
            self.to(life, 1, 500, Event::OutboxTick { regular: true });
            self.to(life, 1, 500, Event::Consume { regular: true });
        }
    }

    /// Ends all faults: whatever is away comes back, and everything must come to an end from here on.
    pub fn heal(&mut self) {
        self.say(|| "faults are over".to_owned());
        self.draining = true;
        self.faults.end();
        for proc in (0..Proc::COUNT).map(Proc) {
            self.processes[proc.0].frozen_until = 0;
            self.start(proc);
        }
        self.fund();
    }
}
