use ferrex_ids::{EffectId, FlowId};
use ferrex_time::Timestamp;

use crate::Flow;

/// Where a flow stands.
#[derive(Clone, Debug)]
pub struct FlowView<F: Flow> {
    /// Which.
    pub id: FlowId,
    /// Number of steps taken.
    pub step: u32,
    /// Label of the state.
    pub label: String,
    /// The state.
    pub state: F::State,
    /// Whether nothing more is going to happen.
    pub is_final: bool,
    /// What it waits for, in words for a person.
    pub waiting_for: Option<String>,
    /// When it is woken.
    pub wake_at: Option<Timestamp>,
    /// Why it is parked, if it is.
    pub parked_reason: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it took its last step.
    pub updated_at: Timestamp,
    /// What is still to be done, oldest first.
    pub pending: Vec<EffectView>,
}

/// An effect that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectView {
    /// Which.
    pub id: EffectId,
    /// Its name.
    pub name: String,
    /// Attempts begun.
    pub attempts: u32,
    /// Whether somebody is at it now.
    pub claimed: bool,
    /// Why the last attempt did not decide it.
    pub reason: Option<String>,
    /// Next attempt; while claimed, when another worker takes over if this one does not report.
    pub next_attempt_at: Timestamp,
}

/// One step of a flow.
#[derive(Clone, Debug)]
pub struct HistoryEntry<F: Flow> {
    /// Its number; 0 is the state before the first input.
    pub step: u32,
    /// When.
    pub at: Timestamp,
    /// Who brought the input.
    pub actor: String,
    /// The input; none at step 0.
    pub input: Option<F::Input>,
    /// Label of the state it led to.
    pub label: String,
    /// The state it led to.
    pub state: F::State,
    /// What it waited for then.
    pub waiting_for: Option<String>,
    /// When it was to be woken.
    pub wake_at: Option<Timestamp>,
    /// Names of the effects it wanted, published messages among them by their type.
    pub effects: Vec<String>,
}

/// A flow that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedFlow {
    /// Which.
    pub id: FlowId,
    /// Label of its state.
    pub label: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}
