//! The tables of the flow runner in memory: the same steps, fences and leases, with the product's own machines.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_fault::Fault;
use ferrex_flows::{Effect, Flow, Home, Performed, Revoke, effect_id};
use ferrex_ids::{EffectId, FlowId, MessageId};
use ferrex_planted::planted;
use ferrex_time::Timestamp;

use crate::event::Life;

/// How long a claim holds, in milliseconds.
const LEASE: u64 = 10_000;

/// Which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of deposits.
    Deposit,
    /// Of transfers.
    Transfer,
    /// Of withdrawals.
    Withdrawal,
}

/// A claim on an effect.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Which machine's.
    pub kind: Kind,
    /// Which effect.
    pub effect: EffectId,
    /// The number of the claim.
    pub fence: u32,
    /// Whether an earlier attempt may have reached the outside.
    pub touched_before: bool,
}

/// A flow as it stands.
pub struct FlowRow<F: Flow> {
    /// Its state.
    pub state: F::State,
    /// Steps taken.
    pub step: u32,
    /// When to be woken.
    pub wake_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Why it waits for a person.
    pub parked: Option<String>,
}

/// An effect as it stands.
pub struct EffectRow<F: Flow> {
    /// Whose.
    pub flow: FlowId,
    /// What.
    pub action: F::Action,
    /// Label of the state that wants it.
    pub label: &'static str,
    /// Raised by every claim.
    pub fence: u32,
    /// Whether an attempt may have reached the outside.
    pub touched: bool,
    /// When it is due.
    pub due_at: u64,
    /// Whether it is still to be done.
    pub pending: bool,
    /// How many outcomes it was given.
    pub outcomes: u32,
    /// Who has claimed it.
    pub claimed_by: Option<Life>,
}

/// A message that a step wants told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its identity.
    pub id: MessageId,
    /// Its type.
    pub message_type: &'static str,
    /// What it is about.
    pub key: String,
}

/// What a step led to.
#[derive(Debug)]
pub struct Taken {
    /// From which state to which.
    pub labels: (&'static str, &'static str),
    /// What it wants told.
    pub told: Vec<Told>,
    /// Whether the flow is final now.
    pub is_final: bool,
}

/// All flows of one kind.
pub struct Flows<F: Flow> {
    flow: F,
    kind: Kind,
    /// Flows by id.
    pub rows: BTreeMap<FlowId, FlowRow<F>>,
    /// Effects by id.
    pub effects: BTreeMap<EffectId, EffectRow<F>>,
    pending: BTreeSet<(u64, EffectId)>,
    timers: BTreeSet<(Timestamp, FlowId)>,
}

impl<F: Flow> Flows<F> {
    /// None.
    pub const fn new(flow: F, kind: Kind) -> Self {
        Self {
            flow,
            kind,
            rows: BTreeMap::new(),
            effects: BTreeMap::new(),
            pending: BTreeSet::new(),
            timers: BTreeSet::new(),
        }
    }

    /// A flow's state.
    pub fn state(&self, id: FlowId) -> Option<&F::State> {
        self.rows.get(&id).map(|row| &row.state)
    }

    /// Starts a flow with its first input, unless there is one of this id.
    pub fn start(
        &mut self,
        id: FlowId,
        initial: F::State,
        input: &F::Input,
        at: Timestamp,
        now: u64,
    ) -> Result<Option<Taken>, Fault> {
        if self.rows.contains_key(&id) {
            return Ok(None);
        }
        let row = FlowRow {
            state: initial,
            step: 0,
            wake_at: None,
            updated_at: at,
            parked: None,
        };
        self.rows.insert(id, row);
        let taken = self.take(id, input, at, now);
        if taken.is_err() {
            self.rows.remove(&id);
        }
        taken.map(Some)
    }

    /// Lets a flow take an input, in the transaction of the caller.
    pub fn take(&mut self, id: FlowId, input: &F::Input, at: Timestamp, now: u64) -> Result<Taken, Fault> {
        let row = self.rows.get_mut(&id).expect("flows are never deleted");
        // Clocks of several processes differ; a flow's own time never goes back.
        let at = at.max(row.updated_at);
        let step = self.flow.step(&row.state, input, at)?;
        assert_eq!(step.revoke, Revoke::Nothing, "payment takes no effect back");
        let labels = (F::label(&row.state), F::label(&step.state));
        row.step += 1;
        if let Some(before) = row.wake_at {
            self.timers.remove(&(before, id));
        }
        row.wake_at = step.wake_at.filter(|_| !planted!("flows.timers_forgotten"));
        if let Some(wake_at) = row.wake_at {
            self.timers.insert((wake_at, id));
        }
        row.updated_at = at;
        row.state = step.state;
        let is_final = F::is_final(&row.state);
        let mut told = Vec::new();
        for (position, effect) in (0..).zip(step.effects) {
            let derived = effect_id(id, row.step, position, at);
            match effect {
                Effect::Do(action) => {
                    let effect = EffectRow {
                        flow: id,
                        action,
                        label: labels.1,
                        fence: 0,
                        touched: false,
                        due_at: now,
                        pending: true,
                        outcomes: 0,
                        claimed_by: None,
                    };
                    self.pending.insert((now, derived));
                    self.effects.insert(derived, effect);
                }
                Effect::Publish(publication) => told.push(Told {
                    id: derived.cast(),
                    message_type: publication.message_type,
                    key: publication.key,
                }),
            }
        }
        Ok(Taken {
            labels,
            told,
            is_final,
        })
    }

    /// Claims effects that are due, whether new, to be tried again, or with a lease that ran out.
    pub fn claim(&mut self, life: Life, now: u64, most: usize) -> Vec<Attempt> {
        let due: Vec<(u64, EffectId)> = self
            .pending
            .iter()
            .take_while(|(due_at, _)| *due_at <= now)
            .take(most)
            .copied()
            .collect();
        due.into_iter()
            .map(|(due_at, id)| {
                self.pending.remove(&(due_at, id));
                let effect = self.effects.get_mut(&id).expect("what is pending is there");
                let touched_before = effect.touched;
                effect.fence += 1;
                effect.touched = true;
                effect.claimed_by = Some(life);
                effect.due_at = now + LEASE;
                self.pending.insert((effect.due_at, id));
                Attempt {
                    kind: self.kind,
                    effect: id,
                    fence: effect.fence,
                    touched_before,
                }
            })
            .collect()
    }

    /// Flows whose timer is due.
    pub fn due_timers(&self, at: Timestamp, most: usize) -> Vec<FlowId> {
        self.timers
            .iter()
            .take_while(|(wake_at, _)| *wake_at <= at)
            .take(most)
            .map(|(_, id)| *id)
            .collect()
    }

    /// Lets a due timer ring.
    pub fn ring(&mut self, id: FlowId, at: Timestamp, now: u64) -> Result<Option<Taken>, Fault> {
        let Some(row) = self.rows.get_mut(&id) else {
            return Ok(None);
        };
        let Some(input) = F::on_wake(&row.state) else {
            if let Some(before) = row.wake_at.take() {
                self.timers.remove(&(before, id));
            }
            return Ok(None);
        };
        self.take(id, &input, at, now).map(Some)
    }

    /// Whether an attempt still holds its effect.
    fn holds(&self, attempt: Attempt) -> bool {
        let effect = &self.effects[&attempt.effect];
        let current = effect.fence == attempt.fence && effect.pending;
        current || planted!("flows.outcome_unfenced")
    }

    /// Brings an outcome home; `None` when the attempt was fenced off. `Err` parks the flow.
    pub fn home(
        &mut self,
        attempt: Attempt,
        performed: &Performed<F::Input>,
        at: Timestamp,
        now: u64,
    ) -> Option<Result<Option<Taken>, Fault>> {
        if !self.holds(attempt) {
            return None;
        }
        let effect = self.effects.get_mut(&attempt.effect).expect("it was claimed");
        self.pending.remove(&(effect.due_at, attempt.effect));
        effect.claimed_by = None;
        match performed.home(attempt.touched_before) {
            Home::Ends { input, .. } => {
                effect.pending = false;
                effect.outcomes += 1;
                let flow = effect.flow;
                let taken = input.map(|input| self.take(flow, input, at, now)).transpose();
                if let Err(fault) = &taken {
                    let row = self.rows.get_mut(&flow).expect("flows are never deleted");
                    row.parked = Some(fault.chain());
                }
                Some(taken)
            }
            Home::Again { after, touched, .. } => {
                // Growing pauses, as the runner's, without its random half.
                let growing = (500u64 << attempt.fence.min(5)).min(15_000);
                let pause = after.map_or(growing, |after| {
                    u64::try_from(after.as_millis()).unwrap_or(growing)
                });
                effect.touched = touched;
                effect.due_at = now + pause;
                self.pending.insert((effect.due_at, attempt.effect));
                Some(Ok(None))
            }
        }
    }

    /// Whether nothing is to be done any more.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// When the next effect or timer is due, for a look that is not too late.
    pub fn next_due(&self) -> Option<u64> {
        let effect = self.pending.first().map(|(due_at, _)| *due_at);
        let timer = self.timers.first().map(|(at, _)| crate::world::to_ms(*at));
        match (effect, timer) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}
