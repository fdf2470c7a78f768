//! Payment's workers: they claim effects under a lease, perform them towards engine, signer and nodes, and bring the outcomes
//! home. What an answer means is the product's own decision ([`meaning`]).

use ferrex_chains::evm::{fees, from_hex};
use ferrex_flows::Performed as Outcome;
use ferrex_ids::{CommandId, WithdrawalId};
use ferrex_ledger::Owner;
use ferrex_money::{Amount, AssetId};
use ferrex_payment::deposit::model as deposit;
use ferrex_payment::transfer::model as transfer;
use ferrex_payment::withdrawal::meaning::{self, Claims, Pays};
use ferrex_payment::withdrawal::model as withdrawal;

use crate::chain::{Chain, GWEI};
use crate::event::{Ask, Event, Life, Performed, SignerAsk};
use crate::flows::{Attempt, Kind};
use crate::payment::{COIN, PaymentRow};
use crate::world::{Fate, World};

/// The chain's id.
pub(crate) const CHAIN_ID: u64 = 31_337;
/// The highest price per gas that our settings allow.
pub(crate) const MAX_FEE_PER_GAS: u64 = 500_000_000_000;
/// How long engine and signer are waited for, in milliseconds.
pub const PATIENCE: u64 = 4_000;
/// Effects and timers taken at once.
const AT_ONCE: usize = 4;

/// What a call is for.
#[derive(Clone, Debug)]
pub enum Waits {
    /// A hold of a withdrawal.
    Hold(Attempt),
    /// A command of any flow.
    Submit(Attempt, CommandId),
    /// What a person owes.
    Debt(Attempt, AssetId),
    /// What a person has available.
    Available(Attempt, AssetId),
    /// What the hot wallet has.
    HotWallet(Attempt, Box<withdrawal::Facts>, withdrawal::Offer, Claims),
    /// A signature.
    Signature(Attempt, Box<withdrawal::Facts>, u32, withdrawal::Offer, Pays),
    /// What was signed.
    SignedBefore(Attempt, Box<withdrawal::Facts>),
    /// A person's request, by operation.
    Person(usize),
    /// A cancel under an order's own id.
    Lapse(ferrex_ids::OrderId),
    /// The order again, after its id was found used.
    Placed(ferrex_ids::OrderId),
    /// Nobody cares for the answer.
    Nothing,
}

/// A call whose answer is awaited.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who waits.
    pub life: Life,
    /// The command, if it is one.
    pub command: Option<CommandId>,
    /// What for.
    pub waits: Waits,
}

/// An outcome that may come later.
pub(crate) fn again<I>(reason: impl Into<String>) -> Outcome<I> {
    Outcome::Retry {
        reason: reason.into(),
        after: None,
    }
}

pub(crate) fn rest<I>(reason: impl Into<String>) -> Outcome<I> {
    Outcome::NotBegun {
        reason: reason.into(),
        after: Some(meaning::AGAIN),
    }
}

impl World {
    /// A worker looks for work.
    pub(crate) fn worker_tick(&mut self, life: Life, regular: bool) {
        if regular {
            self.to(life, 2_000, 3_500, Event::WorkerTick { regular });
        }
        if self.fate() == Fate::Lost {
            return;
        }
        let (at, now) = (self.time(), self.now);
        for id in self.transfers.due_timers(at, AT_ONCE) {
            if let Ok(Some(taken)) = self.transfers.ring(id, at, now) {
                self.after_step::<ferrex_payment::transfer::flow::TransferFlow>(id, taken);
            }
        }
        for id in self.deposits.due_timers(at, AT_ONCE) {
            if let Ok(Some(taken)) = self.deposits.ring(id, at, now) {
                self.after_step::<ferrex_payment::deposit::flow::DepositFlow>(id, taken);
            }
        }
        for id in self.withdrawals.due_timers(at, AT_ONCE) {
            match self.withdrawals.ring(id, at, now) {
                Ok(Some(taken)) => {
                    self.after_step::<ferrex_payment::withdrawal::flow::WithdrawalFlow>(id, taken);
                }
                Ok(None) => {}
                Err(fault) => self.violate("I17", || fault.chain()),
            }
        }
        let mut claimed = self.transfers.claim(life, now, AT_ONCE);
        claimed.extend(self.deposits.claim(life, now, AT_ONCE));
        claimed.extend(self.withdrawals.claim(life, now, AT_ONCE));
        for attempt in claimed {
            let delay = self.latency();
            self.at(now + delay, Some(life), Event::Perform(attempt));
        }
    }

    /// A worker performs an effect.
    pub(crate) fn perform(&mut self, life: Life, attempt: Attempt) {
        match attempt.kind {
            Kind::Transfer => {
                let transfer::Action::Submit(command) =
                    self.transfers.effects[&attempt.effect].action.clone();
                self.submit(life, attempt, *command);
            }
            Kind::Deposit => match self.deposits.effects[&attempt.effect].action.clone() {
                deposit::Action::Submit(command) => self.submit(life, attempt, *command),
                deposit::Action::ReadDebt { user, asset } => {
                    self.read(life, Owner::User(user.uuid()), Waits::Debt(attempt, asset));
                }
                deposit::Action::ReadAvailable { user, asset } => {
                    self.read(life, Owner::User(user.uuid()), Waits::Available(attempt, asset));
                }
            },
            Kind::Withdrawal => self.perform_withdrawal(life, attempt),
        }
    }

    fn submit(&mut self, life: Life, attempt: Attempt, command: ferrex_engine_core::Command) {
        let id = command.id;
        self.command(life, command, Waits::Submit(attempt, id));
    }

    /// Gives a command to the engine.
    pub(crate) fn command(&mut self, life: Life, command: ferrex_engine_core::Command, waits: Waits) {
        let call = Call {
            life,
            command: Some(command.id),
            waits,
        };
        let call = self.call(life, call, PATIENCE);
        self.ask_engine(Ask::Command(Box::new(command)), call);
    }

    fn read(&mut self, life: Life, owner: Owner, waits: Waits) {
        let call = Call {
            life,
            command: None,
            waits,
        };
        let call = self.call(life, call, PATIENCE);
        self.ask_engine(Ask::Balances(owner), call);
    }

    fn perform_withdrawal(&mut self, life: Life, attempt: Attempt) {
        let effect = &self.withdrawals.effects[&attempt.effect];
        let (action, flow) = (effect.action.clone(), effect.flow);
        let facts = Box::new(self.withdrawals.rows[&flow].state.facts.clone());
        match action {
            withdrawal::Action::Hold(command) => self.command(life, *command, Waits::Hold(attempt)),
            withdrawal::Action::Submit(command) => self.submit(life, attempt, *command),
            withdrawal::Action::Prepare => self.prepare(life, attempt, facts),
            withdrawal::Action::Reprice { previous } => self.reprice(life, attempt, previous),
            withdrawal::Action::Sign {
                attempt: number,
                offer,
            } => {
                let request = meaning::to_sign(&facts, CHAIN_ID, number, offer);
                let ask = SignerAsk::Sign(Box::new(request));
                self.signature(
                    life,
                    ask,
                    Waits::Signature(attempt, facts, number, offer, Pays::Payee),
                );
            }
            withdrawal::Action::Fill {
                attempt: number,
                offer,
            } => {
                let ask = SignerAsk::Fill(meaning::to_fill(&facts, CHAIN_ID, number, offer));
                self.signature(
                    life,
                    ask,
                    Waits::Signature(attempt, facts, number, offer, Pays::Nobody),
                );
            }
            withdrawal::Action::AskSigner => {
                let ask = SignerAsk::Cancel(facts.withdrawal.cast());
                self.signature(life, ask, Waits::SignedBefore(attempt, facts));
            }
            withdrawal::Action::Broadcast { candidate } => self.broadcast(life, attempt, &facts, &candidate),
            withdrawal::Action::Look { hashes, nonce } => self.look(life, attempt, &hashes, nonce),
        }
    }

    fn signature(&mut self, life: Life, ask: SignerAsk, waits: Waits) {
        let call = Call {
            life,
            command: None,
            waits,
        };
        let call = self.call(life, call, PATIENCE);
        self.ask_signer(life, ask, call);
    }

    pub(crate) fn done(&mut self, life: Life, attempt: Attempt, outcome: Outcome<withdrawal::Input>) {
        let performed = Box::new(Performed::Withdrawal(outcome));
        self.to(life, 0, 4, Event::Home { attempt, performed });
    }

    /// Whether a withdrawal stands where its effect was asked for.
    pub(crate) fn label(&self, id: WithdrawalId) -> &'static str {
        self.withdrawals
            .state(id.cast())
            .map_or("", withdrawal::State::label)
    }

    fn prepare(&mut self, life: Life, attempt: Attempt, facts: Box<withdrawal::Facts>) {
        if let Some(reason) = self.pay.halted.clone() {
            return self.done(life, attempt, rest(reason));
        }
        if !self.nodes_answer() {
            return self.done(life, attempt, again("the nodes do not answer"));
        }
        if let Some((holder, _)) = self.pay.lock
            && self.lives(holder)
        {
            // The network's row is locked: another payment is being prepared.
            self.to(life, 5, 60, Event::Perform(attempt));
            return;
        }
        let quote = match fees::quote(self.chain.market(), caps()) {
            Ok(quote) => quote,
            Err(error) => return self.done(life, attempt, rest(error.to_string())),
        };
        let gas_limit = if facts.contract.is_some() { 60_000 } else { 21_000 };
        let offer = withdrawal::Offer {
            gas_limit,
            max_fee_per_gas: Amount::new(quote.max_fee_per_gas),
            max_priority_fee_per_gas: Amount::new(quote.max_priority_fee_per_gas),
            fee_cap: Amount::new(u128::from(MAX_FEE_PER_GAS) * u128::from(gas_limit)),
            chain_nonce: self.chain.nonce_at(self.chain.shown()),
        };
        if self.label(facts.withdrawal) != "preparing" {
            return self.done(life, attempt, Outcome::Nothing);
        }
        self.pay.lock = Some((life, facts.withdrawal));
        let claims = self.claims(&facts);
        self.read(
            life,
            Owner::House,
            Waits::HotWallet(attempt, facts, offer, claims),
        );
    }

    fn claims(&self, facts: &withdrawal::Facts) -> Claims {
        let others = || self.pay.claims.iter().filter(|(id, _)| **id != facts.withdrawal);
        let sum = |asset: AssetId| {
            let of_asset = others().filter(|(_, claim)| claim.asset == asset.0);
            Amount::new(of_asset.map(|(_, claim)| claim.amount).sum())
        };
        Claims {
            asset: sum(facts.asset),
            coin: sum(facts.native),
            fees: Amount::new(others().map(|(_, claim)| claim.fee_cap).sum()),
        }
    }

    fn reprice(&mut self, life: Life, attempt: Attempt, previous: withdrawal::Offer) {
        if !self.nodes_answer() {
            return self.done(life, attempt, again("the nodes do not answer"));
        }
        let last = fees::FeeQuote {
            max_fee_per_gas: previous.max_fee_per_gas.units(),
            max_priority_fee_per_gas: previous.max_priority_fee_per_gas.units(),
        };
        let input = match fees::replacement(last, self.chain.market(), caps()) {
            Ok(quote) => withdrawal::Input::Repriced {
                offer: withdrawal::Offer {
                    max_fee_per_gas: Amount::new(quote.max_fee_per_gas),
                    max_priority_fee_per_gas: Amount::new(quote.max_priority_fee_per_gas),
                    ..previous
                },
            },
            Err(error) => withdrawal::Input::NotRepriced {
                reason: error.to_string(),
            },
        };
        self.done(life, attempt, Outcome::Done(input));
    }

    fn broadcast(
        &mut self,
        life: Life,
        attempt: Attempt,
        facts: &withdrawal::Facts,
        candidate: &withdrawal::Candidate,
    ) {
        let (Some(raw), Ok(hash)) = (from_hex(&candidate.raw), candidate.hash.parse()) else {
            self.violate("I27", || format!("unreadable bytes of {}", facts.withdrawal));
            return;
        };
        if self.fate() == Fate::Lost {
            return self.done(life, attempt, again("the bytes could not be kept"));
        }
        self.pay.payments.entry(hash).or_insert(PaymentRow {
            withdrawal: facts.withdrawal,
            attempt: candidate.attempt,
            nonce: candidate.nonce,
            raw: raw.clone(),
            height: None,
            succeeded: false,
            fee_paid: 0,
            confirmed: false,
            filler: candidate.filler,
        });
        let said = if self.nodes_answer() {
            let said = self.chain.send_raw(&raw);
            if self.rng.permille(self.faults.lost) {
                ferrex_chains::evm::Broadcast::Unknown(Chain::silent())
            } else {
                said
            }
        } else {
            ferrex_chains::evm::Broadcast::Unknown(Chain::silent())
        };
        self.say(|| format!("{} is sent, nonce {}: {said:?}", candidate.hash, candidate.nonce));
        self.done(life, attempt, meaning::broadcast(said));
    }

    fn look(&mut self, life: Life, attempt: Attempt, hashes: &[String], nonce: Option<u64>) {
        let read_to = self.pay.cursor.at().map(|cursor| cursor.height);
        if !self.nodes_answer() {
            return self.done(life, attempt, again("the nodes do not answer"));
        }
        let known = hashes
            .iter()
            .any(|hash| hash.parse().is_ok_and(|hash| self.chain.knows(hash)));
        let superseded = match (nonce, read_to) {
            (Some(nonce), Some(read_to)) if !known => {
                let deep = meaning::confirmed_height(read_to, crate::payment::CONFIRMATIONS);
                meaning::is_superseded(nonce, self.chain.nonce_at(deep.min(self.chain.head())))
            }
            _ => false,
        };
        self.done(
            life,
            attempt,
            Outcome::Done(withdrawal::Input::Looked { known, superseded }),
        );
    }

    /// The token's contract, as a text.
    pub(crate) fn contract(asset: u32) -> Option<String> {
        let address = ferrex_chains::evm::EvmAddress::from_bytes([0xAB; 20]);
        (asset != COIN).then(|| address.to_string())
    }
}

fn caps() -> fees::FeeCaps {
    fees::FeeCaps {
        max_fee_per_gas: MAX_FEE_PER_GAS.into(),
        max_priority_fee_per_gas: 10 * GWEI,
        min_priority_fee_per_gas: 1,
    }
}
