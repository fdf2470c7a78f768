//! The machine of one deposit.
//!
//! Two things move independently: where the payment is on its **chain** (told by the follower) and what the **books**
//! say (told by the engine). The machine keeps both and, whenever the books are at rest, does the one thing that brings
//! them in line: credit what is confirmed, take back what is gone. So a reorganisation may come at any moment, also
//! while a credit is under way (H001), and a payment that is mined again is credited again (H002).

use ferrex_engine_core::{Action as EngineAction, Command, Outcome, Reason, Refusal, Step};
use ferrex_ids::{CommandId, DepositId, UserId};
use ferrex_ledger::{Account, Owner, Purpose};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_planted::planted;
use ferrex_time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::derive;
use crate::turn::Turn;

/// How long to wait before the books are tried again after a refusal that time may cure.
const TRY_AGAIN: Duration = Duration::seconds(60);

/// What the deposit is; never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Which.
    pub deposit: DepositId,
    /// Whose; `None` when it went to the hot wallet, which is the operator's own funding.
    pub user: Option<UserId>,
    /// What.
    pub asset: AssetId,
    /// Its symbol.
    pub symbol: String,
    /// Its decimal places.
    pub decimals: Decimals,
    /// How much.
    pub amount: Amount,
    /// Confirmations it needs, as of when it was first seen.
    pub confirmations_needed: u32,
}

/// Where it is on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chain {
    /// In no block of the main chain.
    Absent,
    /// In a block that is not deep enough.
    Seen {
        /// The block's height.
        height: u64,
    },
    /// In a block that is deep enough.
    Confirmed {
        /// The block's height.
        height: u64,
    },
}

/// What the books say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Books {
    /// Nothing.
    Clear,
    /// About to credit; the person's debt is being read, since it is repaid first.
    ReadingDebt,
    /// The credit is under way.
    Crediting {
        /// Under this command, repeated with the same body until its outcome is known.
        command: Box<Command>,
    },
    /// Credited.
    Credited,
    /// About to take back; the person's available money is being read.
    ReadingAvailable,
    /// Taking back is under way.
    Reversing {
        /// Under this command.
        command: Box<Command>,
        /// The part that becomes a debt.
        owed: Amount,
    },
    /// The engine refused for a reason that needs time or people; tried again by clock.
    Refused {
        /// Its reason.
        refusal: Refusal,
        /// Whether the money is in the books (a reversal was refused) or not (a credit was).
        credited: bool,
    },
}

/// A deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What it is.
    pub facts: Facts,
    /// Where it is on its chain.
    pub chain: Chain,
    /// What the books say.
    pub books: Books,
    /// Commands given so far; part of each command's id.
    pub round: u32,
    /// Times it was taken back.
    pub reversals: u32,
    /// Whether its owner was told that it was seen.
    pub announced: bool,
    /// How much it is where it is now; becomes the amount of the facts when nothing of it is in the books.
    pub seen_amount: Option<Amount>,
}

/// What can happen to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The follower found it in a block.
    Seen {
        /// The block's height.
        height: u64,
        /// How much it is in this block: a contract may pay another amount when it runs in another block.
        amount: Amount,
    },
    /// Its block has enough blocks on top.
    Confirmed,
    /// Its block left the main chain.
    Gone,
    /// What the person owes in this asset.
    Debt {
        /// How much.
        owed: Amount,
    },
    /// What the person has available in this asset.
    Available {
        /// How much.
        available: Amount,
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
    /// Reads what the person owes, once deposits of the asset are enabled.
    ReadDebt {
        /// Who.
        user: UserId,
        /// In which asset.
        asset: AssetId,
    },
    /// Reads what the person has available.
    ReadAvailable {
        /// Who.
        user: UserId,
        /// In which asset.
        asset: AssetId,
    },
    /// Gives a command to the engine.
    Submit(Box<Command>),
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was seen.
    Seen,
    /// It was credited.
    Credited,
    /// It was taken back.
    Reversed {
        /// The part that is owed now.
        owed: Amount,
    },
}

type Decided = Turn<State, Action, Event>;

impl State {
    /// A deposit that was not seen yet.
    pub fn new(facts: Facts) -> Self {
        Self {
            facts,
            chain: Chain::Absent,
            books: Books::Clear,
            round: 0,
            reversals: 0,
            announced: false,
            seen_amount: None,
        }
    }

    /// One word for where it stands.
    pub fn label(&self) -> &'static str {
        match (&self.books, self.chain) {
            (Books::Clear, Chain::Absent) if self.reversals > 0 => "reversed",
            (Books::Clear, Chain::Absent) => "dropped",
            (Books::Clear, _) => "confirming",
            (Books::ReadingDebt | Books::Crediting { .. } | Books::Refused { credited: false, .. }, _) => {
                "crediting"
            }
            (Books::Credited, _) => "credited",
            (
                Books::ReadingAvailable | Books::Reversing { .. } | Books::Refused { credited: true, .. },
                _,
            ) => "reversing",
        }
    }

    /// Decides what an input changes. Inputs that come late or twice change nothing.
    pub fn step(&self, input: &Input, at: Timestamp) -> Decided {
        let mut next = self.clone();
        match (input, &self.books) {
            (Input::Seen { height, amount }, _) => {
                next.chain = Chain::Seen { height: *height };
                if planted!("deposit.credited_when_seen") {
                    next.chain = Chain::Confirmed { height: *height };
                }
                next.seen_amount = Some(*amount);
                let turn = next.settle(at);
                return turn.announce();
            }
            (Input::Confirmed, _) => {
                if let Chain::Seen { height } = self.chain {
                    next.chain = Chain::Confirmed { height };
                }
            }
            (Input::Gone, _) if planted!("deposit.reorganisation_ignored") => {}
            (Input::Gone, _) => next.chain = Chain::Absent,
            (Input::Debt { owed }, Books::ReadingDebt) => return next.credit(*owed, at),
            (Input::Available { available }, Books::ReadingAvailable) => return next.reverse(*available, at),
            (Input::Answered { command, outcome }, Books::Crediting { command: given })
                if *command == given.id =>
            {
                return next.credit_answered(outcome, at);
            }
            (Input::Answered { command, outcome }, Books::Reversing { command: given, owed })
                if *command == given.id =>
            {
                return next.reversal_answered(outcome, *owed, at);
            }
            (Input::Wake, Books::Refused { credited, .. }) => {
                next.books = if *credited { Books::Credited } else { Books::Clear };
            }
            _ => {}
        }
        next.settle(at)
    }

    /// Brings the books in line with the chain, if they are at rest.
    fn settle(mut self, at: Timestamp) -> Decided {
        if self.books == Books::Clear
            && let Some(amount) = self.seen_amount.take()
        {
            self.facts.amount = amount;
        }
        match (&self.books, self.chain) {
            (Books::Clear, Chain::Confirmed { .. }) => match self.facts.user {
                Some(user) => {
                    let action = Action::ReadDebt {
                        user,
                        asset: self.facts.asset,
                    };
                    self.books = Books::ReadingDebt;
                    Turn::rest(self).act(action)
                }
                None => self.credit(Amount::ZERO, at),
            },
            // A confirmed deposit that vanishes is taken back at once, not only when it does not come again: until
            // it does, nothing proves the credit.
            (Books::Credited, Chain::Absent) => {
                let (asset, amount) = (self.facts.asset, self.facts.amount);
                let Some(user) = self.facts.user else {
                    return self.reverse(amount, at);
                };
                self.books = Books::ReadingAvailable;
                Turn::rest(self).act(Action::ReadAvailable { user, asset })
            }
            (Books::Refused { refusal, .. }, _) => {
                let reason = format!("the books refused: {refusal}");
                Turn::rest(self).wake(at + TRY_AGAIN).because(reason)
            }
            (Books::Clear, Chain::Seen { .. }) => {
                let needed = self.facts.confirmations_needed;
                Turn::rest(self).because(format!("{needed} confirmations"))
            }
            _ => Turn::rest(self),
        }
    }

    fn command(&mut self, purpose: &str, reason: Reason, at: Timestamp, steps: Vec<Step>) -> Command {
        if !planted!("deposit.second_credit_has_the_first_id") {
            self.round += 1;
        }
        let deposit = self.facts.deposit.uuid();
        Command {
            id: derive::command(deposit, purpose, self.round),
            at,
            reason,
            reference: deposit,
            action: EngineAction::Transfer(steps),
        }
    }

    /// Credits the whole amount; what the person owes is repaid from it in the same command.
    fn credit(mut self, owed: Amount, at: Timestamp) -> Decided {
        let (asset, amount) = (self.facts.asset, self.facts.amount);
        let (reason, steps) = match self.facts.user {
            Some(user) => {
                let wallet = Account::wallet(user.uuid());
                let mut steps = vec![Step::Move {
                    debit: Account::house(Purpose::DepositAddresses),
                    credit: wallet,
                    asset,
                    amount,
                }];
                let repaid = owed.min(amount);
                if !repaid.is_zero() {
                    steps.push(Step::Move {
                        debit: wallet,
                        credit: debt(user),
                        asset,
                        amount: repaid,
                    });
                }
                (Reason::Deposit, steps)
            }
            None => (
                Reason::HouseFunding,
                vec![Step::Move {
                    debit: Account::house(Purpose::HotWallet),
                    credit: Account::house(Purpose::Capital),
                    asset,
                    amount,
                }],
            ),
        };
        let command = Box::new(self.command("credit", reason, at, steps));
        self.books = Books::Crediting {
            command: command.clone(),
        };
        Turn::rest(self).act(Action::Submit(command))
    }

    /// Takes the amount back: from what is available, the rest as a debt.
    fn reverse(mut self, available: Amount, at: Timestamp) -> Decided {
        let (asset, amount) = (self.facts.asset, self.facts.amount);
        let taken = available.min(amount);
        let owed = amount.checked_sub(taken).unwrap_or(Amount::ZERO);
        let steps = match self.facts.user {
            Some(user) => {
                let credit = Account::house(Purpose::DepositAddresses);
                [(Account::wallet(user.uuid()), taken), (debt(user), owed)]
                    .into_iter()
                    .filter(|(_, amount)| !amount.is_zero())
                    .take(if planted!("deposit.debt_not_booked") { 1 } else { 2 })
                    .map(|(debit, amount)| Step::Move {
                        debit,
                        credit,
                        asset,
                        amount,
                    })
                    .collect()
            }
            None => vec![Step::Move {
                debit: Account::house(Purpose::Capital),
                credit: Account::house(Purpose::HotWallet),
                asset,
                amount,
            }],
        };
        let command = Box::new(self.command("reverse", Reason::DepositReversal, at, steps));
        self.books = Books::Reversing {
            command: command.clone(),
            owed,
        };
        Turn::rest(self).act(Action::Submit(command))
    }

    fn credit_answered(mut self, outcome: &Outcome, at: Timestamp) -> Decided {
        match outcome {
            Outcome::Applied { .. } => {
                self.books = Books::Credited;
                let customer = self.facts.user.is_some();
                let turn = self.settle(at);
                if customer {
                    turn.tell(Event::Credited)
                } else {
                    turn
                }
            }
            // The debt was repaid by another deposit in between: read it again.
            Outcome::Refused {
                refusal: Refusal::InsufficientAvailable,
                ..
            } => {
                self.books = Books::Clear;
                self.settle(at)
            }
            Outcome::Refused { refusal, .. } => {
                self.books = Books::Refused {
                    refusal: *refusal,
                    credited: false,
                };
                self.settle(at)
            }
        }
    }

    fn reversal_answered(mut self, outcome: &Outcome, owed: Amount, at: Timestamp) -> Decided {
        match outcome {
            Outcome::Applied { .. } => {
                self.books = Books::Clear;
                self.reversals += 1;
                let customer = self.facts.user.is_some();
                let turn = self.settle(at);
                if customer {
                    turn.tell(Event::Reversed { owed })
                } else {
                    turn
                }
            }
            // The money was spent in between: look again at what is left. The house's own is not spent by people, so
            // there it needs time.
            Outcome::Refused {
                refusal: Refusal::InsufficientAvailable,
                ..
            } if self.facts.user.is_some() => {
                self.books = Books::Credited;
                self.settle(at)
            }
            Outcome::Refused { refusal, .. } => {
                self.books = Books::Refused {
                    refusal: *refusal,
                    credited: true,
                };
                self.settle(at)
            }
        }
    }
}

impl Decided {
    /// Tells the owner once that the deposit was seen, however often it moves between blocks.
    fn announce(mut self) -> Self {
        if !self.state.announced && self.state.facts.user.is_some() {
            self.state.announced = true;
            self.events.push(Event::Seen);
        }
        self
    }
}

fn debt(user: UserId) -> Account {
    Account {
        owner: Owner::User(user.uuid()),
        purpose: Purpose::Debt,
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
