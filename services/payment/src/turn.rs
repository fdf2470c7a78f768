//! What a pure machine decides in one step; `flow.rs` of each aggregate hands it to the runner.

use ferrex_flows::{Effect, Flow, Publication, Step};
use ferrex_time::Timestamp;

/// The next state of a machine, and what follows from the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn<S, A, E> {
    /// The next state.
    pub state: S,
    /// What is to be done outside; each outcome comes back as an input.
    pub actions: Vec<A>,
    /// What is to be told; published with the state, never before the ledger committed.
    pub events: Vec<E>,
    /// When to look again by itself.
    pub wake_at: Option<Timestamp>,
    /// What it waits for, for people.
    pub waiting_for: Option<String>,
}

impl<S, A, E> Turn<S, A, E> {
    /// A state that waits for an input and nothing else.
    pub fn rest(state: S) -> Self {
        Self {
            state,
            actions: Vec::new(),
            events: Vec::new(),
            wake_at: None,
            waiting_for: None,
        }
    }

    /// Adds something to do.
    #[must_use]
    pub fn act(mut self, action: A) -> Self {
        self.actions.push(action);
        self
    }

    /// Adds something to tell.
    #[must_use]
    pub fn tell(mut self, event: E) -> Self {
        self.events.push(event);
        self
    }

    /// Looks again at a moment.
    #[must_use]
    pub fn wake(mut self, at: Timestamp) -> Self {
        self.wake_at = Some(at);
        self
    }

    /// Says what it waits for.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.waiting_for = Some(reason.into());
        self
    }
}

/// Hands a decision to the runner; `publication` writes an event as the message that tells it.
pub fn into_step<F, E>(
    turn: Turn<F::State, F::Action, E>,
    publication: impl Fn(&F::State, &E) -> Vec<Publication>,
) -> Step<F>
where
    F: Flow,
{
    let mut step = Step::to(turn.state);
    step.effects.extend(turn.actions.into_iter().map(Effect::Do));
    for event in &turn.events {
        let messages = publication(&step.state, event);
        step.effects.extend(messages.into_iter().map(Effect::Publish));
    }
    step.wake_at = turn.wake_at;
    step.waiting_for = turn.waiting_for;
    step
}
