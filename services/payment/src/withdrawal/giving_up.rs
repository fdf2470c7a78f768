//! Giving up what was signed: the nonce must be used by something, or everything behind it waits for ever (H026).

use ferrex_planted::planted;
use ferrex_time::Timestamp;

use super::error::Error;
use super::model::{Action, Decided, Ending, Phase, State};
use crate::turn::Turn;

/// What the person reads when no node takes the payment.
const NOT_TAKEN: &str = "the network does not take this payment";

impl State {
    /// Staff give it up. The same again changes nothing.
    pub(super) fn give_up(mut self, reason: &str, at: Timestamp) -> Result<Decided, Error> {
        if self.giving_up.is_some() && !self.is_final() {
            return Ok(self.unchanged(at));
        }
        let reason = reason.to_owned();
        match self.phase {
            Phase::Preparing if self.candidates.is_empty() => Ok(self.release(Ending::Failed { reason }, at)),
            // The signer may have it or not, and must never sign it from here on.
            Phase::Signing { .. }
                if self.candidates.is_empty() && planted!("withdrawal.given_up_without_the_signer") =>
            {
                Ok(self.release(Ending::Failed { reason }, at))
            }
            Phase::Signing { .. } if self.candidates.is_empty() => {
                self.giving_up = Some(reason.clone());
                self.phase = Phase::CheckingSigner { refusal: reason };
                Ok(Turn::rest(self).act(Action::AskSigner))
            }
            Phase::Broadcasting | Phase::Confirming { .. } if self.mined.is_none() => {
                self.giving_up = Some(reason);
                Ok(self.fill())
            }
            // What is under way comes back first.
            Phase::Signing { .. }
            | Phase::CheckingSigner { .. }
            | Phase::Looking { .. }
            | Phase::Repricing
                if self.mined.is_none() =>
            {
                self.giving_up = Some(reason);
                Ok(self.unchanged(at))
            }
            _ => Err(Error::CannotGiveUp(self.facts.withdrawal, self.label())),
        }
    }

    /// Every node refuses the last candidate. For a while that may pass; then it is given up, so that it does not hold up
    /// what is behind it.
    pub(super) fn not_taken(mut self, reason: &str, at: Timestamp) -> Decided {
        let since = *self.refused_since.get_or_insert(at);
        if planted!("withdrawal.refused_bytes_taken_for_failure") {
            return self.given_up(at);
        }
        if self.giving_up.is_none() && at - since >= self.patience() {
            self.giving_up = Some(NOT_TAKEN.to_owned());
            return self.fill();
        }
        self.confirming(at, at)
            .because(format!("the network refuses it: {reason}"))
    }

    /// Whether it is given up and nothing is signed yet that fills its nonce.
    pub(super) fn is_unfilled(&self) -> bool {
        self.giving_up.is_some() && self.candidates.last().is_none_or(|last| !last.filler)
    }

    /// Whether a transaction is one of those that fill the nonce.
    pub(super) fn is_filler(&self, hash: &str) -> bool {
        self.candidates
            .iter()
            .any(|candidate| candidate.filler && candidate.hash == hash)
    }

    /// Sends the last candidate, unless the payment is given up and must be replaced first.
    pub(super) fn go_on(self) -> Decided {
        if self.is_unfilled() {
            self.fill()
        } else {
            self.broadcast()
        }
    }

    fn fill(mut self) -> Decided {
        let previous = self
            .candidates
            .last()
            .expect("only what is signed is filled")
            .offer;
        self.phase = Phase::Repricing;
        Turn::rest(self)
            .act(Action::Reprice { previous })
            .because("a block; it was given up and its place is being filled")
    }

    /// Something else with its nonce is confirmed: no candidate can be mined any more. That is no transaction of ours
    /// (H027), so people look before the money goes back.
    pub(super) fn superseded(self, since: Timestamp, at: Timestamp) -> Decided {
        if self.giving_up.is_some() {
            self.given_up(at)
        } else {
            self.confirming(since, at)
                .because("our staff: another payment of the wallet took its place")
        }
    }

    /// The payment can never be mined: its money goes back.
    pub(super) fn given_up(self, at: Timestamp) -> Decided {
        let reason = self.giving_up.clone().unwrap_or_else(|| NOT_TAKEN.to_owned());
        self.release(Ending::Failed { reason }, at)
    }
}
