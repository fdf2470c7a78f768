use std::time::Duration;

use async_trait::async_trait;
use ferrex_ids::{CommandId, EffectId, FlowId};
use ferrex_planted::planted;
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

/// What the runner does with what became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home<'a, I> {
    /// The effect ends with this status, and the flow takes the input, if there is one, in the same transaction.
    Ends {
        /// What the flow takes.
        input: Option<&'a I>,
        /// `done` or `unknown`.
        status: &'static str,
    },
    /// The effect is performed again.
    Again {
        /// Why.
        reason: &'a str,
        /// When; `None` for the growing pauses.
        after: Option<Duration>,
        /// Whether an attempt may have reached the outside, so that no step takes it back any more.
        touched: bool,
    },
}

impl<I> Performed<I> {
    /// Decides what follows; `touched_before` says whether an earlier attempt may have reached the outside.
    pub fn home(&self, touched_before: bool) -> Home<'_, I> {
        let ends = |input, status| Home::Ends { input, status };
        let again = |reason, after, touched| Home::Again {
            reason,
            after,
            touched,
        };
        match self {
            Self::Done(input) => ends(Some(input), "done"),
            Self::Unknown(input) => ends(Some(input), "unknown"),
            Self::Nothing => ends(None, "done"),
            Self::Retry { .. } if planted!("flows.unknown_ends_the_effect") => ends(None, "done"),
            Self::Retry { reason, after } => again(reason, *after, true),
            Self::NotBegun { reason, after } => again(reason, *after, touched_before),
        }
    }
}
