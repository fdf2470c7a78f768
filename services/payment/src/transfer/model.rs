//! The machine of one transfer between two people: `requested → completed` or `refused`.
//!
//! The handler gives the command to the engine itself and tells the outcome; the machine is the backstop that finishes
//! the work if the handler died in between (H046), under the same command id.

use ferrex_engine_core::{Action as EngineAction, Command, Outcome, Reason, Refusal, Step};
use ferrex_ids::{TransferId, UserId};
use ferrex_ledger::Account;
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_planted::planted;
use ferrex_time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::derive;
use crate::turn::Turn;

const BACKSTOP: Duration = Duration::seconds(5);

/// What was asked for; never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Which.
    pub transfer: TransferId,
    /// Who pays.
    pub from: UserId,
    /// Who receives.
    pub to: UserId,
    /// User name of the payer.
    pub from_username: String,
    /// User name of the receiver.
    pub to_username: String,
    /// What.
    pub asset: AssetId,
    /// Its symbol.
    pub symbol: String,
    /// Its decimal places.
    pub decimals: Decimals,
    /// How much.
    pub amount: Amount,
    /// What the payer wrote.
    pub note: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The engine has not answered yet.
    Requested,
    /// Paid. Final.
    Completed,
    /// Not paid. Final.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What was asked for.
    pub facts: Facts,
    /// Where it stands.
    pub phase: Phase,
}

/// What can happen to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// It was asked for.
    Begin,
    /// The engine answered.
    Answered {
        /// What it said.
        outcome: Outcome,
    },
    /// The clock says to look again.
    Wake,
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Gives the command to the engine.
    Submit(Box<Command>),
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was paid.
    Completed,
}

impl State {
    /// A transfer before its first step.
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            phase: Phase::Requested,
        }
    }

    /// One word for where it stands.
    pub fn label(&self) -> &'static str {
        match self.phase {
            Phase::Requested => "requested",
            Phase::Completed => "completed",
            Phase::Refused { .. } => "refused",
        }
    }

    /// Whether nothing more can happen.
    pub fn is_final(&self) -> bool {
        self.phase != Phase::Requested
    }

    /// The command that pays: a function of the facts alone, so that the handler and the flow give the same one.
    pub fn command(&self) -> Command {
        let facts = &self.facts;
        Command {
            id: derive::command(facts.transfer.uuid(), "transfer", 0),
            at: facts.requested_at,
            reason: Reason::Transfer,
            reference: facts.transfer.uuid(),
            action: EngineAction::Transfer(vec![Step::Move {
                debit: Account::wallet(facts.from.uuid()),
                credit: Account::wallet(facts.to.uuid()),
                asset: facts.asset,
                amount: facts.amount,
            }]),
        }
    }

    /// Decides what an input changes. Inputs that come late or twice change nothing.
    pub fn step(&self, input: &Input, at: Timestamp) -> Turn<Self, Action, Event> {
        let mut next = self.clone();
        match (input, self.phase) {
            (
                Input::Answered {
                    outcome: Outcome::Applied { .. },
                },
                Phase::Requested,
            ) => {
                next.phase = Phase::Completed;
                Turn::rest(next).tell(Event::Completed)
            }
            (
                Input::Answered {
                    outcome: Outcome::Refused { refusal, .. },
                },
                Phase::Requested,
            ) => {
                next.phase = Phase::Refused { refusal: *refusal };
                if planted!("transfer.refusal_taken_for_success") {
                    next.phase = Phase::Completed;
                }
                Turn::rest(next)
            }
            (Input::Begin, Phase::Requested) => Turn::rest(next).wake(at + BACKSTOP),
            (Input::Wake, Phase::Requested) => {
                let command = Box::new(self.command());
                Turn::rest(next).act(Action::Submit(command))
            }
            _ => Turn::rest(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use ferrex_time::from_micros;

    use super::*;

    fn begun() -> Turn<State, Action, Event> {
        let at = from_micros(1_700_000_000_000_000);
        State::new(Facts {
            transfer: TransferId::new_at(1_700_000_000_000),
            from: UserId::new_at(1),
            to: UserId::new_at(2),
            from_username: "anna".into(),
            to_username: "ben".into(),
            asset: AssetId(1),
            symbol: "ETH".into(),
            decimals: Decimals::try_new(18).unwrap(),
            amount: Amount::new(5),
            note: None,
            requested_at: at,
        })
        .step(&Input::Begin, at)
    }

    #[test]
    fn h046_work_that_nobody_finished_is_done_by_the_clock_under_the_same_command() {
        let begun = begun();
        assert!(begun.wake_at.is_some());
        let turn = begun.state.step(&Input::Wake, from_micros(0));
        assert_eq!(turn.actions, [Action::Submit(Box::new(begun.state.command()))]);
    }

    #[test]
    fn people_are_told_once() {
        let applied = Input::Answered {
            outcome: Outcome::Applied { sequence: 1 },
        };
        let first = begun().state.step(&applied, from_micros(0));
        assert_eq!((first.state.label(), first.events.len()), ("completed", 1));
        let again = first.state.step(&applied, from_micros(0));
        assert_eq!(
            (again.state.label(), again.events.len(), again.wake_at),
            ("completed", 0, None)
        );
    }

    #[test]
    fn a_refusal_is_final_and_not_told_to_the_receiver() {
        let refused = Input::Answered {
            outcome: Outcome::Refused {
                sequence: 1,
                refusal: Refusal::InsufficientAvailable,
            },
        };
        let turn = begun().state.step(&refused, from_micros(0));
        assert!(turn.state.is_final() && turn.events.is_empty());
    }
}
