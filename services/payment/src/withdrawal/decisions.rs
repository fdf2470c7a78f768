//! What an input changes: the transitions of a withdrawal.

use ferrex_engine_core::{Action as EngineAction, Command, Outcome, Reason, Rest, Step};
use ferrex_ledger::{Account, Purpose};
use ferrex_money::Amount;
use ferrex_planted::planted;
use ferrex_time::{Duration, Timestamp};

use super::error::Error;
use super::model::{Action, Candidate, Decided, Ending, Event, Input, Mined, Offer, Phase, State};
use crate::derive;
use crate::turn::Turn;

/// The handler that made the withdrawal places the hold itself; if it died, the flow does after this time.
const HOLD_BACKSTOP: Duration = Duration::seconds(5);
/// How long to wait before the books are tried again after a refusal that time may cure.
const TRY_AGAIN: Duration = Duration::seconds(15);

impl State {
    /// Decides what an input changes. `Err` refuses it; inputs that come late or twice change nothing.
    pub fn step(&self, input: &Input, at: Timestamp) -> Result<Decided, Error> {
        let next = self.clone();
        Ok(match (input, &self.phase) {
            (
                Input::Decided {
                    approved,
                    content_hash,
                    reason,
                    ..
                },
                Phase::AwaitingApproval,
            ) => {
                if *content_hash != self.facts.content_hash {
                    return Err(Error::ContentChanged(self.facts.withdrawal));
                }
                next.decided(*approved, reason, at)
            }
            (Input::Decided { .. }, _) => {
                return Err(Error::NotAwaitingApproval(self.facts.withdrawal, self.label()));
            }
            (Input::GiveUp { reason, .. }, _) => next.give_up(reason, at)?,
            (Input::Cancel, _) if self.can_cancel() => next.cancel(at),
            (Input::Cancel, _) => return Err(Error::TooLateToCancel(self.facts.withdrawal, self.label())),

            (Input::Begin, Phase::Requested) => Turn::rest(next).wake(at + HOLD_BACKSTOP),
            (Input::HoldAnswered { outcome }, Phase::Requested) => next.held(outcome, at),
            (Input::Prepared { offer }, Phase::Preparing) | (Input::Repriced { offer }, Phase::Repricing) => {
                next.sign(*offer)
            }
            (Input::Signed { candidate }, Phase::Signing { .. } | Phase::Filling { .. }) => {
                next.signed(vec![candidate.clone()])
            }
            // A block came, and perhaps went, while the signer was asked. What it signed counts all the same: its number is
            // taken, and it may be what is mined.
            (Input::Signed { candidate }, _) if self.is_on_its_way() => {
                next.learn(vec![candidate.clone()]).unchanged(at)
            }
            (Input::SignerRefused { reason }, Phase::Signing { .. } | Phase::Filling { .. }) => {
                next.signer_refused(reason, at)
            }
            (Input::SignerHas { candidates }, Phase::CheckingSigner { refusal }) => {
                if candidates.is_empty() {
                    next.release(
                        Ending::Failed {
                            reason: refusal.clone(),
                        },
                        at,
                    )
                } else {
                    next.signed(candidates.clone())
                }
            }
            (Input::Sent { answer }, Phase::Broadcasting) => next.sent(answer, at),
            (Input::NotTaken { reason }, Phase::Broadcasting) => next.not_taken(reason, at),
            (Input::Looked { known, superseded }, Phase::Looking { since }) => {
                next.looked(*known, *superseded, *since, at)
            }
            (Input::NotRepriced { reason }, Phase::Repricing) => {
                next.confirming(at, at).because(reason.clone())
            }

            (Input::Mined { mined }, _) => next.mined(mined, at),
            (Input::Unmined { hash }, _) => next.unmined(hash, at),
            (Input::Confirmed { mined }, _) => next.confirmed(mined, at),

            (Input::Answered { command, outcome }, Phase::Settling { command: given, .. })
                if *command == given.id =>
            {
                next.settle_answered(outcome, at)
            }
            (
                Input::Answered { command, outcome },
                Phase::Releasing {
                    command: given,
                    ending,
                    ..
                },
            ) if *command == given.id => {
                let ending = ending.clone();
                next.release_answered(outcome, ending, at)
            }
            (Input::Wake, _) => next.wake(at),
            _ => next.unchanged(at),
        })
    }

    /// The same state with the alarm it needs, for inputs that change nothing.
    pub(super) fn unchanged(self, at: Timestamp) -> Decided {
        match self.phase {
            Phase::Confirming { since } => self.confirming(since, at),
            Phase::Settling {
                again_at: Some(again),
                ..
            }
            | Phase::Releasing {
                again_at: Some(again),
                ..
            } => Turn::rest(self)
                .wake(again)
                .because("the books of the hot wallet"),
            Phase::AwaitingApproval => Turn::rest(self).because("a decision by staff"),
            _ => Turn::rest(self),
        }
    }

    fn wake(mut self, at: Timestamp) -> Decided {
        match &mut self.phase {
            Phase::Requested => {
                let hold = Box::new(self.hold_command());
                Turn::rest(self).act(Action::Hold(hold))
            }
            Phase::Confirming { since } => {
                self.phase = Phase::Looking { since: *since };
                let hashes = self
                    .candidates
                    .iter()
                    .map(|candidate| candidate.hash.clone())
                    .collect();
                let nonce = self.candidates.last().map(|candidate| candidate.nonce);
                let reason = self.awaited();
                Turn::rest(self)
                    .act(Action::Look { hashes, nonce })
                    .because(reason)
            }
            Phase::Settling { command, again_at }
            | Phase::Releasing {
                command, again_at, ..
            } if again_at.is_some() => {
                *again_at = None;
                let command = command.clone();
                Turn::rest(self).act(Action::Submit(command))
            }
            _ => self.unchanged(at),
        }
    }

    fn held(mut self, outcome: &Outcome, at: Timestamp) -> Decided {
        match outcome {
            Outcome::Refused { refusal, .. } => {
                self.phase = Phase::Refused { refusal: *refusal };
                Turn::rest(self)
            }
            Outcome::Applied { .. } if self.facts.internal.is_some() => self.settle_internally(at),
            Outcome::Applied { .. } if self.facts.needs_approval => {
                self.phase = Phase::AwaitingApproval;
                Turn::rest(self)
                    .tell(Event::Requested)
                    .tell(Event::AwaitsApproval)
                    .because("a decision by staff")
            }
            Outcome::Applied { .. } => self.prepare().tell(Event::Requested),
        }
    }

    fn decided(self, approved: bool, reason: &str, at: Timestamp) -> Decided {
        if approved {
            self.prepare().tell(Event::ApprovalClosed("approved"))
        } else {
            let ending = Ending::Rejected {
                reason: reason.to_owned(),
            };
            self.release(ending, at).tell(Event::ApprovalClosed("rejected"))
        }
    }

    fn cancel(self, at: Timestamp) -> Decided {
        let awaited = self.phase == Phase::AwaitingApproval;
        let turn = self.release(Ending::Cancelled, at);
        if awaited {
            turn.tell(Event::ApprovalClosed("cancelled"))
        } else {
            turn
        }
    }

    fn prepare(mut self) -> Decided {
        self.phase = Phase::Preparing;
        Turn::rest(self).act(Action::Prepare)
    }

    fn sign(mut self, offer: Offer) -> Decided {
        let attempt = self
            .candidates
            .last()
            .map_or(1, |candidate| candidate.attempt + 1);
        if self.giving_up.is_some() {
            self.phase = Phase::Filling { offer };
            return Turn::rest(self).act(Action::Fill { attempt, offer });
        }
        self.phase = Phase::Signing { offer };
        Turn::rest(self).act(Action::Sign { attempt, offer })
    }

    fn signed(self, candidates: Vec<Candidate>) -> Decided {
        self.learn(candidates).go_on()
    }

    fn learn(mut self, candidates: Vec<Candidate>) -> Self {
        for candidate in candidates {
            if self
                .candidates
                .iter()
                .all(|known| known.attempt != candidate.attempt)
            {
                self.candidates.push(candidate);
            }
        }
        self
    }

    fn signer_refused(mut self, reason: &str, at: Timestamp) -> Decided {
        if self.candidates.is_empty() {
            // An earlier request may have been signed although its answer was lost: look before giving up.
            self.phase = Phase::CheckingSigner {
                refusal: reason.to_owned(),
            };
            Turn::rest(self).act(Action::AskSigner)
        } else {
            // Only the replacement was refused; the candidates there are stand.
            self.confirming(at, at).because(reason)
        }
    }

    pub(super) fn broadcast(mut self) -> Decided {
        let candidate = self.candidates.last().expect("broadcast follows signing").clone();
        self.phase = Phase::Broadcasting;
        Turn::rest(self).act(Action::Broadcast { candidate })
    }

    fn sent(mut self, answer: &str, at: Timestamp) -> Decided {
        self.refused_since = None;
        self.confirming(at, at).because(answer)
    }

    pub(super) fn confirming(mut self, since: Timestamp, at: Timestamp) -> Decided {
        self.phase = Phase::Confirming { since };
        let reason = self.awaited();
        let every = Duration::milliseconds(i64::from(self.facts.patience.look_every_ms));
        Turn::rest(self).wake(at + every).because(reason)
    }

    fn awaited(&self) -> &'static str {
        if self.mined.is_some() {
            "confirmations"
        } else {
            "a block"
        }
    }

    fn looked(self, known: bool, superseded: bool, since: Timestamp, at: Timestamp) -> Decided {
        if self.mined.is_some() {
            return self.confirming(since, at);
        }
        if superseded && !known {
            return self.superseded(since, at);
        }
        if !known || self.is_unfilled() {
            // Dropped from the pools (H026), or it never got there (H021): the same bytes again.
            return self.go_on();
        }
        if at - since >= self.patience() {
            let previous = self.candidates.last().expect("confirming follows signing").offer;
            let mut state = self;
            state.phase = Phase::Repricing;
            return Turn::rest(state).act(Action::Reprice { previous });
        }
        self.confirming(since, at)
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::milliseconds(i64::from(self.facts.patience.replace_after_ms))
    }

    fn is_candidate(&self, hash: &str) -> bool {
        self.candidates.iter().any(|candidate| candidate.hash == hash)
    }

    /// Whether the chain may still decide: signed, and not yet booked.
    fn is_on_its_way(&self) -> bool {
        !self.candidates.is_empty()
            && matches!(
                self.phase,
                Phase::Signing { .. }
                    | Phase::Broadcasting
                    | Phase::Confirming { .. }
                    | Phase::Looking { .. }
                    | Phase::Repricing
                    | Phase::Filling { .. }
            )
    }

    fn mined(mut self, mined: &Mined, at: Timestamp) -> Decided {
        if !self.is_candidate(&mined.hash) {
            return self.unchanged(at);
        }
        if planted!("withdrawal.settled_when_mined") {
            return self.confirmed(mined, at);
        }
        self.mined = Some(mined.clone());
        if self.is_on_its_way() {
            self.confirming(at, at)
        } else {
            self.unchanged(at)
        }
    }

    fn unmined(mut self, hash: &str, at: Timestamp) -> Decided {
        if self.mined.as_ref().is_none_or(|mined| mined.hash != hash) {
            return self.unchanged(at);
        }
        // F38: the same bytes are sent again; no new payment until the chain has decided.
        if self.is_on_its_way() && !planted!("withdrawal.reorganisation_ignored") {
            self.mined = None;
            self.go_on()
        } else {
            self.unchanged(at)
        }
    }

    fn confirmed(mut self, mined: &Mined, at: Timestamp) -> Decided {
        if !self.is_candidate(&mined.hash) || !self.is_on_its_way() {
            return self.unchanged(at);
        }
        self.mined = Some(mined.clone());
        if self.is_filler(&mined.hash) && !planted!("withdrawal.filler_taken_for_the_payment") {
            self.given_up(at)
        } else if mined.succeeded {
            self.settle(mined.fee_paid, at)
        } else {
            let reason = "the payment was mined, but the chain undid it".to_owned();
            self.release(Ending::Failed { reason }, at)
        }
    }

    fn command(&mut self, purpose: &str, reason: Reason, at: Timestamp, steps: Vec<Step>) -> Command {
        self.round += 1;
        let withdrawal = self.facts.withdrawal.uuid();
        Command {
            id: derive::command(withdrawal, purpose, self.round),
            at,
            reason,
            reference: withdrawal,
            action: EngineAction::Transfer(steps),
        }
    }

    /// What the chain charged leaves the hot wallet at the house's expense.
    fn charge(&self, fee_paid: Amount) -> Option<Step> {
        (!fee_paid.is_zero() && !planted!("withdrawal.gas_not_booked")).then(|| Step::Move {
            debit: Account::house(Purpose::NetworkFees),
            credit: Account::house(Purpose::HotWallet),
            asset: self.facts.native,
            amount: fee_paid,
        })
    }

    fn settle(mut self, fee_paid: Amount, at: Timestamp) -> Decided {
        let (hold, fee) = (self.hold(), self.facts.fee);
        let rest = if fee.is_zero() { Rest::Release } else { Rest::Keep };
        let mut steps = vec![Step::Post {
            hold,
            credit: Account::house(Purpose::HotWallet),
            amount: self.facts.amount,
            rest,
        }];
        if !fee.is_zero() && !planted!("withdrawal.fee_stays_held") {
            steps.push(Step::Post {
                hold,
                credit: Account::house(Purpose::Fees),
                amount: fee,
                rest: Rest::Release,
            });
        }
        steps.extend(self.charge(fee_paid));
        let command = Box::new(self.command("settle", Reason::WithdrawalSettlement, at, steps));
        self.submit_settlement(command)
    }

    fn settle_internally(mut self, at: Timestamp) -> Decided {
        let receiver = self.facts.internal.expect("only called for internal ones");
        let steps = vec![Step::Post {
            hold: self.hold(),
            credit: Account::wallet(receiver.uuid()),
            amount: self.facts.amount,
            rest: Rest::Release,
        }];
        let command = Box::new(self.command("settle", Reason::InternalWithdrawal, at, steps));
        self.submit_settlement(command)
    }

    fn submit_settlement(mut self, command: Box<Command>) -> Decided {
        self.phase = Phase::Settling {
            command: command.clone(),
            again_at: None,
        };
        Turn::rest(self).act(Action::Submit(command))
    }

    pub(super) fn release(mut self, ending: Ending, at: Timestamp) -> Decided {
        let mut steps = vec![Step::Void { hold: self.hold() }];
        let fee_paid = self.mined.as_ref().map_or(Amount::ZERO, |mined| mined.fee_paid);
        steps.extend(self.charge(fee_paid));
        let command = Box::new(self.command("release", Reason::WithdrawalRelease, at, steps));
        self.phase = Phase::Releasing {
            command: command.clone(),
            ending,
            again_at: None,
        };
        Turn::rest(self).act(Action::Submit(command))
    }

    fn settle_answered(mut self, outcome: &Outcome, at: Timestamp) -> Decided {
        match outcome {
            Outcome::Applied { .. } => {
                self.phase = Phase::Settled;
                Turn::rest(self).tell(Event::Settled)
            }
            // The hot wallet's books hold less than was paid from it: its funding is not confirmed yet. A refusal is
            // remembered for ever under its command, so the next try is another command.
            Outcome::Refused { refusal, .. } => {
                let Phase::Settling { command, .. } = &self.phase else {
                    return self.unchanged(at);
                };
                let (reason, steps) = (command.reason, transfer_steps(command));
                let command = Box::new(self.command("settle", reason, at, steps));
                let again = at + TRY_AGAIN;
                self.phase = Phase::Settling {
                    command,
                    again_at: Some(again),
                };
                Turn::rest(self)
                    .wake(again)
                    .because(format!("the books of the hot wallet: {refusal}"))
            }
        }
    }

    fn release_answered(mut self, outcome: &Outcome, ending: Ending, at: Timestamp) -> Decided {
        match outcome {
            Outcome::Applied { .. } => {
                let event = match &ending {
                    Ending::Cancelled => Event::Cancelled,
                    Ending::Rejected { reason } | Ending::Failed { reason } => Event::Failed {
                        reason: reason.clone(),
                    },
                };
                self.phase = Phase::Ended { ending };
                Turn::rest(self).tell(event)
            }
            Outcome::Refused { refusal, .. } => {
                let Phase::Releasing { command, .. } = &self.phase else {
                    return self.unchanged(at);
                };
                let (reason, steps) = (command.reason, transfer_steps(command));
                let command = Box::new(self.command("release", reason, at, steps));
                let again = at + TRY_AGAIN;
                self.phase = Phase::Releasing {
                    command,
                    ending,
                    again_at: Some(again),
                };
                Turn::rest(self)
                    .wake(again)
                    .because(format!("the books of the hot wallet: {refusal}"))
            }
        }
    }
}

fn transfer_steps(command: &Command) -> Vec<Step> {
    match &command.action {
        EngineAction::Transfer(steps) => steps.clone(),
        // A withdrawal never sends another; the engine refuses a command without steps.
        _ => Vec::new(),
    }
}
