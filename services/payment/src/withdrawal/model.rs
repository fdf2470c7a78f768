//! The machine of one withdrawal: `requested → held → (awaiting approval) → preparing → signing → broadcasting →
//! confirming → settling → settled`, with a way out to `cancelled`, `rejected`, `failed` or `refused`.
//!
//! Rules it keeps, in every order of inputs:
//! - The money is held before anything else happens, and the hold ends exactly once: posted, or voided.
//! - Cancelling wins before `signing` is persisted, and never after (H033, F44). Nothing after `signing` goes back to
//!   "to be paid" (H025): a payment that may exist is looked for and sent again byte for byte (H021, H022).
//! - A replacement has the same nonce, so of all candidates one at most is mined; whichever it is settles (H028, H030).
//! - What happens on the chain (mined, confirmed, gone) is told by the follower in the block's transaction.
//!
//! - What was signed and is given up has its nonce filled by a payment of nothing to ourselves (H026): of the two, one is
//!   mined, and it decides whether the money is booked or released.
//!
//! Here are the states and what they hold; what an input changes is decided in `decisions.rs` and `giving_up.rs`.

use ferrex_engine_core::{Action as EngineAction, Command, Outcome, Reason, Refusal, Step};
use ferrex_ids::{CommandId, HoldId, StaffId, UserId, WithdrawalId};
use ferrex_ledger::Account;
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_planted::planted;
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::derive;
use crate::turn::Turn;

/// How patient a payment is on its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// How often it is looked for, in milliseconds.
    pub look_every_ms: u32,
    /// After which time without being mined it is replaced with a higher fee, in milliseconds.
    pub replace_after_ms: u32,
}

/// What was asked for; never changes, so the terms are those of the moment of asking (A65).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Which.
    pub withdrawal: WithdrawalId,
    /// Whose.
    pub user: UserId,
    /// What.
    pub asset: AssetId,
    /// Its symbol.
    pub symbol: String,
    /// Its decimal places.
    pub decimals: Decimals,
    /// What the payee receives.
    pub amount: Amount,
    /// What it costs on top.
    pub fee: Amount,
    /// Key of the network.
    pub network: String,
    /// Contract of a token.
    pub contract: Option<String>,
    /// The network's own coin, in which the chain charges.
    pub native: AssetId,
    /// Who is paid, with checksum.
    pub payee: String,
    /// The person behind the address, when it is one of ours (H038).
    pub internal: Option<UserId>,
    /// Whether staff must approve it.
    pub needs_approval: bool,
    /// SHA-256 over all of the above as hex; an approval names it (H035).
    pub content_hash: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// How patient it is.
    pub patience: Patience,
}

/// What a payment offers for gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Gas limit.
    pub gas_limit: u64,
    /// Highest price per gas, in wei.
    pub max_fee_per_gas: Amount,
    /// Highest tip per gas, in wei.
    pub max_priority_fee_per_gas: Amount,
    /// The most the chain may charge, in wei.
    pub fee_cap: Amount,
    /// The chain's next nonce of the hot wallet, for the signer's first payment on this chain.
    pub chain_nonce: u64,
}

/// A signed payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// 1, 2, … for each replacement.
    pub attempt: u32,
    /// What it offers.
    pub offer: Offer,
    /// The bytes, as 0x hex.
    pub raw: String,
    /// Their hash, as 0x hex.
    pub hash: String,
    /// The nonce all candidates share.
    pub nonce: u64,
    /// Whether it pays nothing to ourselves, since the withdrawal was given up (H026).
    #[serde(default)]
    pub filler: bool,
}

/// A candidate that is in a block of the main chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mined {
    /// Hash of the transaction.
    pub hash: String,
    /// Whether it did what it should; a reverted one only cost its fee.
    pub succeeded: bool,
    /// What the chain charged, in wei.
    pub fee_paid: Amount,
}

/// How a withdrawal ends whose money is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The person changed their mind.
    Cancelled,
    /// Staff said no.
    Rejected {
        /// Why.
        reason: String,
    },
    /// It cannot be done, or was mined without effect.
    Failed {
        /// Why, for the person.
        reason: String,
    },
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The hold is being placed.
    Requested,
    /// The hold was refused. Final.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// The money is held; staff must decide.
    AwaitingApproval,
    /// The person, the fee and the hot wallet are being checked.
    Preparing,
    /// The signer was asked, or is about to be. From here on it is too late to cancel.
    Signing {
        /// With this offer.
        offer: Offer,
    },
    /// The signer refused; whether it signed all the same before is being looked up.
    CheckingSigner {
        /// What it said.
        refusal: String,
    },
    /// The last candidate is being sent.
    Broadcasting,
    /// Sent, or perhaps sent; waiting for the chain.
    Confirming {
        /// When the last candidate was first waited for.
        since: Timestamp,
    },
    /// The candidates are being looked for.
    Looking {
        /// When the last candidate was first waited for.
        since: Timestamp,
    },
    /// A higher offer is being computed.
    Repricing,
    /// The signer was asked for a payment of nothing that takes the payment's place, since it was given up.
    Filling {
        /// With this offer.
        offer: Offer,
    },
    /// The payment is being booked.
    Settling {
        /// Under this command.
        command: Box<Command>,
        /// When it is given to the engine, after a refusal of the one before; at once if `None`.
        again_at: Option<Timestamp>,
    },
    /// The money is being released.
    Releasing {
        /// Under this command.
        command: Box<Command>,
        /// What follows.
        ending: Ending,
        /// As in [`Phase::Settling`].
        again_at: Option<Timestamp>,
    },
    /// Paid. Final.
    Settled,
    /// Given up. Final.
    Ended {
        /// How.
        ending: Ending,
    },
}

/// A withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What was asked for.
    pub facts: Facts,
    /// Where it stands.
    pub phase: Phase,
    /// All signed payments, in the order of attempts.
    pub candidates: Vec<Candidate>,
    /// The one that is in a block now.
    pub mined: Option<Mined>,
    /// Commands given since the hold; part of each command's id.
    pub round: u32,
    /// Why it is given up, if it is: its nonce is to be filled, unless the payment is mined first.
    #[serde(default)]
    pub giving_up: Option<String>,
    /// Since when the nodes refuse it for a reason of its own.
    #[serde(default)]
    pub refused_since: Option<Timestamp>,
}

/// What can happen to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// It was asked for.
    Begin,
    /// The engine answered the hold.
    HoldAnswered {
        /// What it said.
        outcome: Outcome,
    },
    /// Staff decided.
    Decided {
        /// Whether it may go.
        approved: bool,
        /// Hash of what they looked at.
        content_hash: String,
        /// Who.
        staff: StaffId,
        /// Why.
        reason: String,
    },
    /// The person wants it back.
    Cancel,
    /// Staff give it up.
    GiveUp {
        /// Who.
        staff: StaffId,
        /// Why; the person reads it.
        reason: String,
    },
    /// All checks passed and the hot wallet's money is claimed.
    Prepared {
        /// What to offer.
        offer: Offer,
    },
    /// The signer's bytes.
    Signed {
        /// The payment.
        candidate: Candidate,
    },
    /// The signer will not.
    SignerRefused {
        /// Why.
        reason: String,
    },
    /// What the signer has signed for this withdrawal.
    SignerHas {
        /// All attempts.
        candidates: Vec<Candidate>,
    },
    /// The last candidate was handed to a node, or perhaps was.
    Sent {
        /// What the node said, for people.
        answer: String,
    },
    /// Every node refused the last candidate for a reason of its own.
    NotTaken {
        /// What they said.
        reason: String,
    },
    /// The candidates were looked for.
    Looked {
        /// Whether a node knows one of them, mined or not.
        known: bool,
        /// Whether the chain has confirmed another transaction with their nonce, so that none of them can be mined.
        #[serde(default)]
        superseded: bool,
    },
    /// What a replacement would offer.
    Repriced {
        /// The offer.
        offer: Offer,
    },
    /// No replacement at present.
    NotRepriced {
        /// Why.
        reason: String,
    },
    /// The follower found a candidate in a block.
    Mined {
        /// Which, and how it went.
        mined: Mined,
    },
    /// Its block left the main chain.
    Unmined {
        /// Hash of the transaction.
        hash: String,
    },
    /// Its block has enough blocks on top.
    Confirmed {
        /// Which, and how it went.
        mined: Mined,
    },
    /// The engine answered a command.
    Answered {
        /// Which.
        command: CommandId,
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
    /// Gives the hold to the engine.
    Hold(Box<Command>),
    /// Checks person, asset and hot wallet again, claims the hot wallet's money, computes the offer.
    Prepare,
    /// Asks the signer.
    Sign {
        /// Which attempt.
        attempt: u32,
        /// What to offer.
        offer: Offer,
    },
    /// Has the signer give it up, and asks what it has signed already.
    AskSigner,
    /// Stores the candidate's bytes and hands them to a node.
    Broadcast {
        /// The candidate.
        candidate: Candidate,
    },
    /// Looks for the candidates.
    Look {
        /// Their hashes.
        hashes: Vec<String>,
        /// The nonce they share.
        #[serde(default)]
        nonce: Option<u64>,
    },
    /// Computes an offer that replaces the last one.
    Reprice {
        /// The last one.
        previous: Offer,
    },
    /// Asks the signer to fill the nonce.
    Fill {
        /// Which attempt.
        attempt: u32,
        /// What to offer.
        offer: Offer,
    },
    /// Gives a command to the engine.
    Submit(Box<Command>),
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The money is held.
    Requested,
    /// Staff must decide.
    AwaitsApproval,
    /// Staff need not decide any more.
    ApprovalClosed(&'static str),
    /// Paid.
    Settled,
    /// Given up.
    Failed {
        /// Why.
        reason: String,
    },
    /// Given up by the person.
    Cancelled,
}

pub(super) type Decided = Turn<State, Action, Event>;

impl State {
    /// A withdrawal before its first step.
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            phase: Phase::Requested,
            candidates: Vec::new(),
            mined: None,
            round: 0,
            giving_up: None,
            refused_since: None,
        }
    }

    /// One word for where it stands.
    pub fn label(&self) -> &'static str {
        match &self.phase {
            Phase::Requested => "requested",
            Phase::Refused { .. } => "refused",
            Phase::AwaitingApproval => "awaiting_approval",
            Phase::Preparing => "preparing",
            Phase::Signing { .. } | Phase::CheckingSigner { .. } => "signing",
            Phase::Broadcasting => "broadcasting",
            Phase::Confirming { .. } | Phase::Looking { .. } | Phase::Repricing | Phase::Filling { .. } => {
                "confirming"
            }
            Phase::Settling { .. } => "settling",
            Phase::Releasing { .. } => "releasing",
            Phase::Settled => "settled",
            Phase::Ended {
                ending: Ending::Cancelled,
            } => "cancelled",
            Phase::Ended {
                ending: Ending::Rejected { .. },
            } => "rejected",
            Phase::Ended {
                ending: Ending::Failed { .. },
            } => "failed",
        }
    }

    /// Whether nothing more can happen.
    pub fn is_final(&self) -> bool {
        matches!(
            self.phase,
            Phase::Refused { .. } | Phase::Settled | Phase::Ended { .. }
        )
    }

    /// Whether the person can still have it back.
    pub fn can_cancel(&self) -> bool {
        if planted!("withdrawal.cancelled_while_signing") && matches!(self.phase, Phase::Signing { .. }) {
            return true;
        }
        matches!(self.phase, Phase::AwaitingApproval | Phase::Preparing) && self.candidates.is_empty()
    }

    /// The hold, which shares the withdrawal's UUID.
    pub fn hold(&self) -> HoldId {
        self.facts.withdrawal.cast()
    }

    /// The command that places the hold: a function of the facts alone, so that the handler and the flow give the
    /// same one.
    pub fn hold_command(&self) -> Command {
        let facts = &self.facts;
        let all = facts
            .amount
            .checked_add(facts.fee)
            .expect("amount and fee were added when it was asked for");
        Command {
            id: derive::command(facts.withdrawal.uuid(), "hold", 0),
            at: facts.requested_at,
            reason: Reason::WithdrawalHold,
            reference: facts.withdrawal.uuid(),
            action: EngineAction::Transfer(vec![Step::Reserve {
                hold: self.hold(),
                debit: Account::wallet(facts.user.uuid()),
                asset: facts.asset,
                amount: all,
                expires_at: None,
            }]),
        }
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
