use std::borrow::Cow;
use std::fmt::Display;

use ferrex_contracts::Message;
use ferrex_fault::{Fault, Kind};
use ferrex_ids::{StaffId, UserId};
use ferrex_time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::HistoryEntry;

/// A pure state machine. It reads no clock, makes no id and touches nothing.
///
/// State, input and action are serde enums with tags; all three are stored as JSON, so their form is a contract with
/// the rows that exist: add variants and optional fields, or raise [`Flow::VERSION`] and write [`Flow::upgrade`].
pub trait Flow: Sized + Send + Sync + 'static {
    /// Unique within a service and fixed for ever, such as `withdrawal`.
    const KIND: &'static str;
    /// Every name that [`Flow::label`] gives, so that tests know the states without reaching them.
    const LABELS: &'static [&'static str];
    /// The form of the stored state.
    const VERSION: i32 = 1;
    /// Where the flow stands.
    type State: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// What can happen to it: orders of people, facts, outcomes of effects, time.
    type Input: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// What it can want done outside.
    type Action: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// Decides. An error refuses the input and changes nothing.
    fn step(&self, state: &Self::State, input: &Self::Input, at: Timestamp) -> Result<Step<Self>, Fault>;

    /// The state's name for histories and kill points; one of [`Flow::LABELS`].
    fn label(state: &Self::State) -> &'static str;

    /// Whether nothing more is going to happen.
    fn is_final(state: &Self::State) -> bool;

    /// The input that stands for "the time set by `wake_at` has come"; `None` lets it pass.
    fn on_wake(state: &Self::State) -> Option<Self::Input> {
        let _ = state;
        None
    }

    /// Brings a stored state of an older `version` to the present form.
    fn upgrade(version: i32, state: serde_json::Value) -> Result<serde_json::Value, Fault> {
        let _ = state;
        let detail = format!("{} states of version {version} are not known here", Self::KIND);
        Err(Fault::new(Kind::Internal, "flows.version_unknown", detail))
    }
}

/// What a step decided.
pub struct Step<F: Flow> {
    /// The next state.
    pub state: F::State,
    /// What is to be done, each independent of the others.
    pub effects: Vec<Effect<F>>,
    /// When to be woken, whatever happens until then; replaces the former time, `None` removes it.
    pub wake_at: Option<Timestamp>,
    /// What the flow waits for, in words for a person; replaces the former reason.
    pub waiting_for: Option<String>,
    /// What of the effects wanted earlier is taken back.
    pub revoke: Revoke,
}

/// What a step takes back of the effects wanted earlier and not yet done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Revoke {
    /// Nothing.
    #[default]
    Nothing,
    /// All of them.
    All,
    /// Those with this name.
    Named(&'static str),
}

/// Something a step wants done.
pub enum Effect<F: Flow> {
    /// An action outside, performed by the service's [`crate::Performer`]; its outcome comes back as an input.
    Do(F::Action),
    /// A message for the service's outbox, in the same transaction as the step.
    Publish(Publication),
}

/// A message without identity: that is derived when the step is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Where to.
    pub topic: &'static str,
    /// What it is.
    pub message_type: &'static str,
    /// What it is ordered by.
    pub key: String,
    /// The body, or why it could not be written.
    pub(crate) body: Result<Vec<u8>, String>,
}

impl Publication {
    /// The event `message` about the aggregate `key`.
    pub fn event<M: Message>(key: impl Display, message: &M) -> Self {
        Self {
            topic: M::TOPIC,
            message_type: M::TYPE,
            key: key.to_string(),
            body: serde_json::to_vec(message).map_err(|error| error.to_string()),
        }
    }
}

impl<F: Flow> Step<F> {
    /// Goes to `state`, wanting nothing and waiting for nothing.
    pub fn to(state: F::State) -> Self {
        Self {
            state,
            effects: Vec::new(),
            wake_at: None,
            waiting_for: None,
            revoke: Revoke::Nothing,
        }
    }

    /// Wants `action` done.
    #[must_use]
    pub fn act(mut self, action: F::Action) -> Self {
        self.effects.push(Effect::Do(action));
        self
    }

    /// Publishes `message` about the aggregate `key`.
    #[must_use]
    pub fn publish<M: Message>(mut self, key: impl Display, message: &M) -> Self {
        self.effects
            .push(Effect::Publish(Publication::event(key, message)));
        self
    }

    /// Wants to be woken at `moment`.
    #[must_use]
    pub fn wake_at(mut self, moment: Timestamp) -> Self {
        self.wake_at = Some(moment);
        self
    }

    /// Says what it waits for.
    #[must_use]
    pub fn waiting_for(mut self, reason: impl Into<String>) -> Self {
        self.waiting_for = Some(reason.into());
        self
    }

    /// Takes back the effects named `name` that are not done. The step is refused with
    /// [`crate::Error::EffectClaimed`] if an attempt at one of them may have reached the outside.
    ///
    /// The name of an effect is the serde tag of its action.
    #[must_use]
    pub fn revoke(mut self, name: &'static str) -> Self {
        self.revoke = Revoke::Named(name);
        self
    }

    /// As [`Step::revoke`], for all effects that are not done.
    #[must_use]
    pub fn revoke_all(mut self) -> Self {
        self.revoke = Revoke::All;
        self
    }
}

/// Who brought an input, as shown in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(Cow<'static, str>);

impl Actor {
    /// The service itself, on a message or a job.
    pub const SYSTEM: Self = Self(Cow::Borrowed("system"));
    /// The flow's own timer.
    pub const TIMER: Self = Self(Cow::Borrowed("timer"));

    /// A person.
    pub fn user(id: UserId) -> Self {
        Self(Cow::Owned(id.to_string()))
    }

    /// A member of staff.
    pub fn staff(id: StaffId) -> Self {
        Self(Cow::Owned(id.to_string()))
    }

    /// The outcome of an effect.
    pub(crate) fn effect(name: &str) -> Self {
        Self(Cow::Owned(format!("effect {name}")))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The serde tag of an action: the variant's name whether the enum is tagged outside or by a field `type` or `kind`.
pub(crate) fn name_of(action: &serde_json::Value) -> &str {
    use serde_json::Value;
    match action {
        Value::String(name) => name,
        Value::Object(fields) => ["type", "kind", "action"]
            .into_iter()
            .find_map(|tag| fields.get(tag).and_then(Value::as_str))
            .or_else(|| {
                fields
                    .keys()
                    .next()
                    .filter(|_| fields.len() == 1)
                    .map(String::as_str)
            })
            .unwrap_or("action"),
        _ => "action",
    }
}

/// Takes the history's inputs again and gives the state they lead to, which must be the stored one.
pub fn replay<F: Flow>(flow: &F, history: &[HistoryEntry<F>]) -> Result<Option<F::State>, Fault> {
    let mut state: Option<F::State> = None;
    for entry in history {
        state = Some(match (state, &entry.input) {
            (Some(state), Some(input)) => flow.step(&state, input, entry.at)?.state,
            (_, _) => entry.state.clone(),
        });
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::name_of;

    #[test]
    fn an_action_is_named_by_its_tag() {
        assert_eq!(name_of(&json!("sign")), "sign");
        assert_eq!(name_of(&json!({"sign": {"intent": 1}})), "sign");
        assert_eq!(name_of(&json!({"type": "sign", "intent": 1})), "sign");
        assert_eq!(name_of(&json!({"intent": 1, "fee": 2})), "action");
        assert_eq!(name_of(&json!(7)), "action");
    }
}
