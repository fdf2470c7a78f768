//! Flows: everything that touches the outside, as persisted state machines.
//!
//! A service writes a pure [`Flow`]: `step(state, input, at)` gives the next state and the effects it wants. The
//! [`Runner`] writes state, history and effects in one transaction (intent first), performs each effect through the
//! service's [`Performer`], and feeds the outcome back as an input in the same transaction that marks the effect done.
//!
//! What holds:
//! - An effect is performed **at least once, always under the same id**, derived from flow, step and position; the other
//!   side makes it once. Its outcome is applied **exactly once**: a worker whose lease ran out is fenced off.
//! - Effects of one flow are independent of each other and may run at the same time. A flow that needs an order has a
//!   state between them.
//! - An outcome that is not known is an input of its own ([`Performed::Unknown`]), resolved by looking.
//! - A refused outcome or a state that cannot be read **parks** the flow with the reason; staff see it and
//!   [`Runner::unpark`] goes on from there. Nothing is dropped.
//! - [`Step::revoke`] takes back an effect that nobody has claimed; if somebody has, the step is refused. Of a cancel
//!   and a claim exactly one wins.
//! - Kill points `flow.before_persist`, `after_persist`, `before_effect`, `after_effect`, `before_outcome` and
//!   `after_outcome`, each with the detail `<kind>.<label>` (of the state entered for the first two, of the state that asked
//!   for the effect otherwise). `after_persist` stands after the commit, but in a caller's transaction
//!   before it.
//!
//! Tables (set [`MIGRATIONS`], one copy in each service's schema): `flow`, `flow_history`, `flow_effect`. Published messages go to
//! the service's outbox in the same transaction.
//!
//! To add a flow: 1. in the aggregate's `model.rs` write state, input and action as serde enums and implement [`Flow`],
//! unit-tested without I/O; 2. in `flow.rs` implement [`Performer`], and [`Projection`] if a table of the service mirrors
//! the state; 3. build a [`Runner`] in the service's `build`, start it in `run`.

mod error;
mod flow;
mod id;
mod performer;
mod points;
mod runner;
mod setup;
mod store;
mod stored;
mod view;
mod worker;

pub use error::Error;
pub use flow::{Actor, Effect, Flow, Publication, Revoke, Step, replay};
pub use id::{derived_id, effect_id};
pub use performer::{EffectContext, Home, Performed, Performer};
pub use runner::Runner;
pub use setup::{Change, Options, Projection, Started};
pub use view::{EffectView, FlowView, HistoryEntry, ParkedFlow};

use ferrex_postgres::{Migration, MigrationSet};

/// The tables of this crate, for every service that runs flows.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    name: "flows",
    migrations: &[Migration {
        version: 1,
        name: "flow, flow_history, flow_effect",
        sql: include_str!("../migrations/0001_flow.sql"),
    }],
};
