//! The states of a delivery. What it sends stands in its row, not here, so that no history holds a code.

use ferrex_fault::{Fault, Kind};
use ferrex_flows::{Flow, Step};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};

/// The flow `mail.delivery`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery;

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum State {
    /// Nothing was asked yet.
    New,
    /// It is to be handed to the mail server.
    Queued,
    /// It cannot be put together as things are; staff must look.
    Stuck { reason: String },
    /// The mail server took it.
    Sent,
    /// It is given up.
    Failed { reason: String },
}

/// What can happen to a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub(crate) enum Input {
    /// Send it.
    Submit,
    /// The mail server took it.
    Taken,
    /// The mail server refused it for good.
    Refused { reason: String },
    /// It was tried often enough.
    Exhausted { reason: String },
    /// It could not be put together.
    Unrenderable { reason: String },
    /// Staff want it tried again.
    Resume,
}

/// What a delivery wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Hand it to the mail server.
    Send,
}

impl Flow for Delivery {
    const KIND: &'static str = "mail.delivery";
    const LABELS: &'static [&'static str] = &["new", "queued", "stuck", "sent", "failed"];
    type State = State;
    type Input = Input;
    type Action = Action;

    fn step(&self, state: &State, input: &Input, _at: Timestamp) -> Result<Step<Self>, Fault> {
        Ok(match (state, input) {
            (State::New, Input::Submit) | (State::Stuck { .. }, Input::Resume) => Step::to(State::Queued)
                .act(Action::Send)
                .waiting_for("the mail server to take it"),
            (State::Queued, Input::Taken) => Step::to(State::Sent),
            (State::Queued, Input::Refused { reason } | Input::Exhausted { reason }) => {
                Step::to(State::Failed {
                    reason: reason.clone(),
                })
            }
            (State::Queued, Input::Unrenderable { reason }) => Step::to(State::Stuck {
                reason: reason.clone(),
            })
            .waiting_for(format!("staff: {reason}")),
            (state, _) => {
                let detail = format!("a delivery that is {} does not take this", Self::label(state));
                return Err(Fault::new(Kind::Conflict, "notifications.delivery.state", detail));
            }
        })
    }

    fn label(state: &State) -> &'static str {
        match state {
            State::New => "new",
            State::Queued => "queued",
            State::Stuck { .. } => "stuck",
            State::Sent => "sent",
            State::Failed { .. } => "failed",
        }
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Sent | State::Failed { .. })
    }
}

#[cfg(test)]
mod tests {
    use ferrex_time::from_micros;

    use super::*;

    fn step(state: &State, input: &Input) -> Result<(State, usize), String> {
        let step = Delivery
            .step(state, input, from_micros(0))
            .map_err(|fault| fault.code.into_owned())?;
        Ok((step.state, step.effects.len()))
    }

    fn reason() -> String {
        "because".to_owned()
    }

    #[test]
    fn a_delivery_is_sent_once_and_then_nothing_moves_it() {
        assert_eq!(step(&State::New, &Input::Submit), Ok((State::Queued, 1)));
        assert_eq!(step(&State::Queued, &Input::Taken), Ok((State::Sent, 0)));
        for end in [State::Sent, State::Failed { reason: reason() }] {
            for input in [
                Input::Submit,
                Input::Taken,
                Input::Resume,
                Input::Refused { reason: reason() },
                Input::Exhausted { reason: reason() },
                Input::Unrenderable { reason: reason() },
            ] {
                assert!(step(&end, &input).is_err(), "{end:?} took {input:?}");
            }
        }
    }

    #[test]
    fn a_refusal_ends_it_and_a_broken_template_waits_for_staff() {
        let failed = State::Failed { reason: reason() };
        assert_eq!(
            step(&State::Queued, &Input::Refused { reason: reason() }),
            Ok((failed.clone(), 0))
        );
        assert_eq!(
            step(&State::Queued, &Input::Exhausted { reason: reason() }),
            Ok((failed, 0))
        );
        let stuck = State::Stuck { reason: reason() };
        assert_eq!(
            step(&State::Queued, &Input::Unrenderable { reason: reason() }),
            Ok((stuck.clone(), 0))
        );
        assert_eq!(step(&stuck, &Input::Resume), Ok((State::Queued, 1)));
        assert!(
            step(&State::Queued, &Input::Resume).is_err(),
            "it is on its way already"
        );
    }
}
