use std::time::Duration;

use async_trait::async_trait;
use ferrex_ids::{CommandId, EffectId, FlowId};
use ferrex_time::Timestamp;

use crate::Flow;

/// Does what flows want done outside.
///
/// The same effect may be performed more than once, after a crash or a lost lease, even at the same time by two
/// processes. Use [`EffectContext::effect`] as the idempotency key towards the other side.
#[async_trait]
pub trait Performer<F: Flow>: Send + Sync + 'static {
    /// Performs one effect. Must have deadlines of its own; the lease is extended for as long as it runs.
    async fn perform(&self, context: EffectContext, action: F::Action) -> Performed<F::Input>;
}

/// Which effect it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectContext {
    /// The flow that wants it.
    pub flow: FlowId,
    /// The effect's id, the same at every attempt.
    pub effect: EffectId,
    /// The step that wants it.
    pub step: u32,
    /// Counts from 1.
    pub attempt: u32,
    /// When that step was taken; the same at every attempt, so fit for a command's `at`.
    pub at: Timestamp,
    /// Label of the state that wants it.
    pub label: String,
}

impl EffectContext {
    /// The effect's id as the id of a command to the engine: time-ordered and good for ever.
    pub fn command_id(&self) -> CommandId {
        self.effect.cast()
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Performed<I> {
    /// It is decided, for good or ill; the flow takes this input.
    Done(I),
    /// It is decided and the flow need not know.
    Nothing,
    /// Not decided; perform it again later under the same id. Some of it may have happened.
    Retry {
        /// Why, shown to staff and, if the flow is a person's, to the person. No secrets.
        reason: String,
        /// When again; `None` leaves it to the runner's growing pauses.
        after: Option<Duration>,
    },
    /// As `Retry`, and it is certain that nothing has reached the outside, so a later step may still take it back.
    NotBegun {
        /// Why.
        reason: String,
        /// When again; `None` leaves it to the runner's growing pauses.
        after: Option<Duration>,
    },
    /// It may or may not have happened and repeating would not tell; the flow takes this input and looks.
    Unknown(I),
}
