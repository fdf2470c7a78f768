//! The deterministic simulator: the whole money machine under one seed, a virtual clock and one thread.
//!
//! What runs is the product's own code: the engine kernel with its replay, snapshots and orders, the independent audit, the
//! flows of deposit, transfer and withdrawal, what answers mean to them, the signer's decisions with real signatures, the
//! follower's decisions, the choice of a snapshot, following and taking over, the relay's messages and the statement's split
//! of them. What stands around it is modelled in memory: PostgreSQL as transactions that are committed, lost, or committed
//! without an answer; the bus as logs that repeat; a chain with pools and reorganisations; processes that die between any
//! two steps, freeze and start again; people who ask twice.
//!
//! A run ([`run`]) takes so many steps with faults, then ends all faults and lets everything come to rest. Its invariants are
//! those of docs/TESTING.md; [`tally`] is a second account that reads no balance of the engine.
//!
//! To add a fault: a rate in [`faults::Faults`], drawn for each seed, and the place where it strikes. To add a planted bug:
//! `planted!("name")` at the place that breaks the rule, and its name in `tests/it/planted.rs`.

mod answers;
mod bus;
mod chain;
mod check;
mod ending;
mod engine;
mod event;
pub mod faults;
mod flows;
mod follow;
mod owner;
mod payment;
mod people;
mod pg;
mod rng;
mod serving;
mod signer;
pub mod tally;
mod trace;
mod worker;
mod world;

pub use world::{Violation, World};

/// Steps between two full checks.
const CHECK_EVERY: u64 = 250;
/// Steps that everything may take to come to rest once faults are over.
const DRAIN_MAX: u64 = 12_000;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// By which two runs are compared.
    pub hash: u64,
    /// Steps, those of coming to rest included.
    pub steps: u64,
    /// Rows of the journal.
    pub rows: u64,
    /// Withdrawals that were asked for.
    pub withdrawals: usize,
    /// Deposits that were seen.
    pub deposits: usize,
}

/// A run in which something happened that must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// At which step.
    pub step: u64,
    /// What.
    pub violation: Violation,
    /// The end of the story in words.
    pub story: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Violation { invariant, detail } = &self.violation;
        write!(
            f,
            "{}seed {} breaks {invariant} at step {}: {detail}",
            self.story, self.seed, self.step
        )
    }
}

/// Runs a seed for so many steps with faults, and then to rest.
pub fn run(seed: u64, steps: u64) -> Result<Summary, Box<Failure>> {
    play(seed, steps, false)
}

/// As [`run`], with the story in words if it fails. The same seed gives the same story, so a run that failed is told by
/// running it again.
pub fn tell(seed: u64, steps: u64) -> Result<Summary, Box<Failure>> {
    play(seed, steps, true)
}

fn play(seed: u64, steps: u64, words: bool) -> Result<Summary, Box<Failure>> {
    let mut world = World::new(seed, words);
    while world.trace.steps < steps && world.step() {
        if world.trace.steps.is_multiple_of(CHECK_EVERY) {
            world.check_books();
        }
    }
    if world.violation.is_none() {
        world.heal();
        let end = world.trace.steps + DRAIN_MAX;
        while world.unfinished().is_some() && world.trace.steps < end && world.step() {}
        if let Some(left) = world.unfinished() {
            world.violate("I34", || format!("not everything comes to rest: {left}"));
        } else {
            world.check_end();
        }
    }
    match world.violation.take() {
        None => Ok(Summary {
            hash: world.trace.digest(),
            steps: world.trace.steps,
            rows: world.ledger.last_id(),
            withdrawals: world.withdrawals.rows.len(),
            deposits: world.deposits.rows.len(),
        }),
        Some(violation) => Err(Box::new(Failure {
            seed,
            step: world.trace.steps,
            violation,
            story: world.trace.text(),
        })),
    }
}
