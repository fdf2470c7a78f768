//! The two engine processes: following, taking over, keeping the lease, the projection and snapshots. The kernel, the
//! follower ([`Following`]) and the choice of a snapshot are the product's; the loop around them is modelled.

use ferrex_engine::following::{self, Following};
use ferrex_engine_core::{Engine, Frozen, Snapshot};
use ferrex_planted::planted;

use crate::event::{Event, Life, Proc};
use crate::owner::Owner;
use crate::pg::Projected;
use crate::world::{Fate, World, to_time};

/// How long a lease holds, in milliseconds.
const LEASE: u64 = 6_000;
/// How long commands are remembered in memory, and how many.
const WINDOW: u64 = 40_000;
/// The most commands that are remembered in memory.
const COMMANDS_MAX: usize = 60;
/// After how many rows a snapshot is made.
const SNAPSHOT_ROWS: u64 = 50;
/// How many snapshots are kept.
const SNAPSHOTS: usize = 3;

/// What an engine process is.
#[derive(Debug, Default)]
pub enum Role {
    /// It has not read the journal yet.
    #[default]
    Begins,
    /// It follows.
    Standby(Box<Following>),
    /// It decides.
    Owner(Box<Owner>),
}

/// An engine process.
#[derive(Debug, Default)]
pub struct EngineProc {
    /// What it is.
    pub role: Role,
}

/// A batch on its way to PostgreSQL; it arrives whether or not its sender still lives.
#[derive(Debug)]
pub struct Sent {
    /// Who sent it.
    pub life: Life,
    /// Its number.
    pub number: u64,
    /// The epoch of the sender.
    pub epoch: u64,
    /// The journal's end as the sender knows it.
    pub previous: u64,
    /// What it is.
    pub batch: ferrex_engine_core::Batch,
}

impl World {
    /// Where the idempotency window begins now.
    fn window_from(&self) -> ferrex_time::Timestamp {
        to_time(self.now.saturating_sub(WINDOW))
    }

    pub(crate) fn engine_tick(&mut self, life: Life) {
        self.to(life, 1_000, 2_400, Event::EngineTick);
        let place = life.proc.place();
        let away = self.fate() == Fate::Lost;
        match std::mem::take(&mut self.engines[place].role) {
            Role::Begins => {
                if !away {
                    self.load(life);
                }
            }
            Role::Standby(following) => {
                if away {
                    // The connection is gone, and with it everything.
                    return;
                }
                self.stand_by(life, following);
            }
            Role::Owner(owner) => {
                self.engines[place].role = Role::Owner(owner);
                self.own(life, away);
            }
        }
    }

    /// Begins as of the projection's row and replays what came after it.
    fn load(&mut self, life: Life) {
        let Some(engine) = self.at_projection() else {
            return;
        };
        let mut standby = Following::new(engine);
        let end = self.ledger.last_id();
        if self.catch_up(&mut standby, end) {
            self.say(|| format!("{} has read the journal to row {end}", life.proc.name()));
            self.engines[life.proc.place()].role = Role::Standby(Box::new(standby));
            self.to(life, 1, 100, Event::EngineTick);
        }
    }

    /// The engine as of the row that the projection has reached, with nothing marked as changed.
    pub(crate) fn at_projection(&mut self) -> Option<Engine> {
        let (reached, end) = (self.ledger.projection.reached, self.ledger.last_id());
        let usable = |(row, bytes): &(u64, Vec<u8>)| {
            if following::is_beyond_projection(*row, reached, end) || *row > end {
                return None;
            }
            let snapshot = Snapshot::read(bytes).ok()?;
            following::check_place(&snapshot, *row, 0, self.ledger.last_row(*row)).ok()?;
            Some(snapshot.engine)
        };
        let mut engine = self
            .ledger
            .snapshots
            .iter()
            .rev()
            .find_map(usable)
            .unwrap_or_else(|| Engine::new(0));
        let from = engine.sequence();
        let rows = self.ledger.rows_between(from, reached);
        let known = u32::try_from(engine.ledger().account_count()).unwrap_or(u32::MAX);
        let accounts = self
            .ledger
            .accounts_between(known, following::highest_account(rows));
        if let Err(error) = following::replay(&mut engine, accounts, rows) {
            self.violate("I15", || format!("the journal cannot be replayed: {error:?}"));
            return None;
        }
        engine.drain_changes();
        engine.drain_order_changes();
        engine.forget_before(self.window_from(), COMMANDS_MAX);
        Some(engine)
    }

    fn catch_up(&mut self, standby: &mut Following, end: u64) -> bool {
        let engine = standby.engine();
        let rows = self.ledger.rows_between(engine.sequence(), end);
        let known = u32::try_from(engine.ledger().account_count()).unwrap_or(u32::MAX);
        let accounts = self
            .ledger
            .accounts_between(known, following::highest_account(rows));
        match standby.replay(accounts, rows) {
            Ok(()) => true,
            Err(error) => {
                self.violate("I15", || format!("the journal cannot be followed: {error:?}"));
                false
            }
        }
    }

    fn stand_by(&mut self, life: Life, mut standby: Box<Following>) {
        let place = life.proc.place();
        let Some((epoch, last_id)) = self.ledger.take_lease(life, self.now, LEASE) else {
            let end = self.ledger.last_id();
            let reached = self.ledger.projection.reached;
            let from = self.window_from();
            if self.catch_up(&mut standby, end) {
                standby.projection_reached(reached, from, COMMANDS_MAX);
                self.engines[place].role = Role::Standby(standby);
            }
            return;
        };
        if !planted!("standby.takes_over_behind") && !self.catch_up(&mut standby, last_id) {
            return;
        }
        match standby.take_over(last_id) {
            Ok((engine, projected)) => {
                self.say(|| {
                    format!(
                        "{} owns the ledger, epoch {epoch}, row {last_id}",
                        life.proc.name()
                    )
                });
                let until = self.now + LEASE;
                let owner = Owner::new(engine, epoch, until, projected);
                self.engines[place].role = Role::Owner(Box::new(owner));
                self.to(life, 1, 5, Event::RelayTurn);
            }
            Err(error) => self.say(|| format!("{} cannot take over: {error}", life.proc.name())),
        }
    }

    /// The owner's regular work.
    fn own(&mut self, life: Life, away: bool) {
        let now = self.now;
        let Some(owner) = self.owner(life) else { return };
        let epoch = owner.epoch;
        if now >= owner.valid_until {
            self.step_down(life, "its lease has run out");
            return;
        }
        if away {
            return;
        }
        if !self.ledger.renew_lease(life.proc, epoch, now, LEASE) {
            self.step_down(life, "another process has the lease");
            return;
        }
        if self.ledger.lock.is_none() {
            self.ledger.lock = Some(life);
        }
        let newest = self.ledger.snapshots.last().map_or(0, |(row, _)| *row);
        let snapshot_due = newest + SNAPSHOT_ROWS;
        let from = self.window_from();
        if let Some(owner) = self.owner(life) {
            owner.valid_until = now + LEASE;
            owner.engine.forget_commands_before(from, COMMANDS_MAX);
            let to = owner.engine.sequence();
            // Only what is committed is projected, and one projection is written at a time.
            if owner.pipeline.is_settled() && owner.writing.is_none() && to != owner.projected {
                owner.writing = Some(Projected {
                    from: owner.projected,
                    to,
                    changes: owner.engine.drain_changes(),
                    orders: owner.engine.drain_order_changes(),
                });
                // It is stored when the projection has reached it.
                owner.frozen = (to >= snapshot_due).then(|| owner.engine.freeze());
                self.to(life, 1, 20, Event::Project);
            }
        }
    }

    /// The projection arrives.
    pub(crate) fn project(&mut self, life: Life) {
        let fate = self.fate();
        let Some(owner) = self.owner(life) else { return };
        let Some(writing) = owner.writing.clone() else {
            return;
        };
        if !owner.pipeline.is_settled() {
            self.to(life, 1, 10, Event::Project);
            return;
        }
        let written = match fate {
            Fate::Lost => None,
            Fate::Committed | Fate::Unanswered => Some(self.ledger.project(&writing)),
        };
        match (written, fate) {
            // Tried until it is written: the values are absolute.
            (None, _) | (Some(_), Fate::Unanswered) => self.to(life, 100, 600, Event::Project),
            (Some(Err(_)), _) => self.step_down(life, "the projection was superseded"),
            (Some(Ok(())), _) => {
                if let Some(owner) = self.owner(life) {
                    owner.projected = writing.to;
                    owner.writing = None;
                    owner.engine.forget_closed_holds();
                    if let Some(state) = owner.frozen.take() {
                        self.store_snapshot(&state);
                    }
                }
            }
        }
    }

    fn store_snapshot(&mut self, state: &Frozen) {
        let row = state.sequence();
        let Some(last) = self.ledger.last_row(row) else {
            self.violate("I15", || {
                format!("a snapshot of row {row}, which does not end a command")
            });
            return;
        };
        self.say(|| format!("a snapshot of row {row}"));
        self.ledger.snapshots.push((row, state.to_snapshot(last)));
        if self.ledger.snapshots.len() > SNAPSHOTS {
            self.ledger.snapshots.remove(0);
        }
    }

    /// The owner that a process is.
    pub(crate) fn owner(&mut self, life: Life) -> Option<&mut Owner> {
        match &mut self.engines[life.proc.place()].role {
            Role::Owner(owner) => Some(owner),
            _ => None,
        }
    }

    /// Throws an owner's state away: its callers learn nothing, and it begins again from the journal.
    pub(crate) fn step_down(&mut self, life: Life, why: &str) {
        let Role::Owner(owner) = std::mem::take(&mut self.engines[life.proc.place()].role) else {
            return;
        };
        self.say(|| format!("{} steps down: {why}", life.proc.name()));
        if self.ledger.lock == Some(life) {
            self.ledger.lock = None;
        }
        let decided = owner.pipeline.into_replies().map(|(call, _)| call);
        let calls: Vec<u64> = decided
            .chain(owner.gathered.into_iter().map(|(_, call)| call))
            .collect();
        for call in calls {
            self.answer(call, crate::event::Reply::Unknown);
        }
        self.to(life, 50, 500, Event::EngineTick);
    }

    /// The process that is the owner, as the lease says.
    pub(crate) fn owner_by_lease(&self) -> Proc {
        self.ledger.lease.map_or(Proc::ENGINES[0], |(proc, _)| proc)
    }
}
