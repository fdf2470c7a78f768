//! How a runner is set up, and what it tells.

use std::time::Duration;

use async_trait::async_trait;
use ferrex_fault::Fault;
use ferrex_ids::FlowId;
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use crate::Flow;

/// How a runner works.
#[derive(Clone, Debug)]
pub struct Options {
    /// The service, as the source of published messages: its schema's name.
    pub source: &'static str,
    /// Most effects performed at once by this process.
    pub concurrency: usize,
    /// How long a claim holds without a sign of life; a third of it is the heartbeat.
    pub lease: Duration,
    /// How often to look for work that nobody announced in this process.
    pub poll: Duration,
    /// The first pause before an effect is tried again; it doubles with every attempt.
    pub retry_first: Duration,
    /// The longest pause.
    pub retry_cap: Duration,
    /// How long effects under way may go on once shutdown was asked for.
    pub grace: Duration,
}

impl Options {
    /// The usual: 16 at once, leases of 30 s, a look each second, pauses from 1 s to 5 minutes, 8 s of grace.
    pub const fn new(source: &'static str) -> Self {
        Self {
            source,
            concurrency: 16,
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            retry_first: Duration::from_secs(1),
            retry_cap: Duration::from_mins(5),
            grace: Duration::from_secs(8),
        }
    }
}

/// A step that was just decided, for a [`Projection`].
pub struct Change<'a, F: Flow> {
    /// The flow.
    pub id: FlowId,
    /// Number of the step, from 1.
    pub step: u32,
    /// When.
    pub at: Timestamp,
    /// The state before; none when the flow starts.
    pub before: Option<&'a F::State>,
    /// The input.
    pub input: &'a F::Input,
    /// The state from now on.
    pub state: &'a F::State,
    /// What it waits for.
    pub waiting_for: Option<&'a str>,
}

/// Keeps a table of the service in step with its flows, in the same transaction.
#[async_trait]
pub trait Projection<F: Flow>: Send + Sync + 'static {
    /// Writes what changed. An unavailable fault is tried again, any other refuses the step.
    async fn project(&self, tx: &mut PgConnection, change: Change<'_, F>) -> Result<(), Fault>;
}

/// What became of [`Runner::start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started<S> {
    /// The flow is new; this is its state after the first input.
    New(S),
    /// A flow of this id exists and was left alone; this is its state.
    Already(S),
}

impl<S> Started<S> {
    /// The state, whichever it is.
    pub fn into_state(self) -> S {
        match self {
            Self::New(state) | Self::Already(state) => state,
        }
    }
}
