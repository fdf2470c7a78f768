//! What comes back to payment's workers: answers of engine and signer, outcomes on their way home.

use ferrex_fault::Fault;
use ferrex_flows::Performed as Outcome;
use ferrex_ledger::{Account, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_payment::deposit::model as deposit;
use ferrex_payment::transfer::model as transfer;
use ferrex_payment::withdrawal::meaning::{self, Asked, Claims, Pays};
use ferrex_payment::withdrawal::model as withdrawal;

use crate::event::{Event, Life, Performed, Reply, SignerReply};
use crate::flows::{Attempt, Kind};
use crate::payment::Claim;
use crate::worker::{CHAIN_ID, Call, MAX_FEE_PER_GAS, Waits, again, rest};
use crate::world::{Fate, World};

impl World {
    /// An outcome is brought home.
    pub(crate) fn home(&mut self, life: Life, attempt: Attempt, performed: Performed) {
        let fate = self.fate();
        if fate == Fate::Lost {
            let performed = Box::new(performed);
            self.to(life, 100, 700, Event::Home { attempt, performed });
            return;
        }
        let stale = self.is_stale(attempt);
        let (at, now) = (self.time(), self.now);
        macro_rules! bring {
            ($flows:ident, $outcome:expr, $flow:ty) => {{
                let flow = self.$flows.effects[&attempt.effect].flow;
                match self.$flows.home(attempt, $outcome, at, now) {
                    None => self.say(|| format!("an outcome of {flow} came after its lease")),
                    Some(_) if stale => {
                        self.violate("I13", || {
                            format!("an outcome of {flow} came after its lease and counts")
                        });
                    }
                    Some(Ok(None)) => {}
                    Some(Ok(Some(taken))) => self.after_step::<$flow>(flow, taken),
                    Some(Err(fault)) => {
                        self.violate("I34", || format!("{flow} is parked: {}", fault.chain()));
                    }
                }
            }};
        }
        match &performed {
            Performed::Deposit(outcome) => {
                bring!(deposits, outcome, ferrex_payment::deposit::flow::DepositFlow);
            }
            Performed::Transfer(outcome) => {
                bring!(transfers, outcome, ferrex_payment::transfer::flow::TransferFlow);
            }
            Performed::Withdrawal(outcome) => {
                bring!(
                    withdrawals,
                    outcome,
                    ferrex_payment::withdrawal::flow::WithdrawalFlow
                );
            }
        }
        if fate == Fate::Unanswered {
            // The worker tries again and finds that it is done.
            let performed = Box::new(performed);
            self.to(life, 100, 700, Event::Home { attempt, performed });
        }
    }

    /// Nobody answered in time: the outcome is unknown.
    pub(crate) fn timeout(&mut self, call: u64) {
        self.engine_reply(call, Reply::Unknown);
    }

    /// The signer has answered.
    pub(crate) fn signer_reply(&mut self, call: u64, reply: SignerReply) {
        let Some(Call { life, waits, .. }) = self.calls.remove(&call) else {
            return;
        };
        let (attempt, outcome) = match (waits, reply) {
            (Waits::Signature(attempt, facts, number, offer, pays), SignerReply::Signed(signed)) => {
                let asked = self.asked(&facts, number, Some(offer), pays);
                let read = meaning::read_signed(&asked, &signed);
                let input = read.map(|candidate| Outcome::Done(withdrawal::Input::Signed { candidate }));
                (attempt, input)
            }
            (Waits::Signature(attempt, ..), SignerReply::Fault(fault)) => {
                (attempt, meaning::signer_refused(fault))
            }
            (Waits::SignedBefore(attempt, facts), SignerReply::Has(view)) => {
                let read: Result<Vec<_>, Fault> = (1..)
                    .zip(&view.candidates)
                    .map(|(number, signed)| {
                        meaning::read_signed(&self.asked(&facts, number, None, Pays::Payee), signed)
                    })
                    .collect();
                let input = read.map(|candidates| Outcome::Done(withdrawal::Input::SignerHas { candidates }));
                (attempt, input)
            }
            (Waits::SignedBefore(attempt, _), SignerReply::Fault(fault)) => (attempt, Err(fault)),
            _ => return,
        };
        let outcome = outcome.unwrap_or_else(|fault| again(fault.chain()));
        self.done(life, attempt, outcome);
    }

    fn asked<'a>(
        &self,
        facts: &'a withdrawal::Facts,
        attempt: u32,
        offer: Option<withdrawal::Offer>,
        pays: Pays,
    ) -> Asked<'a> {
        Asked {
            facts,
            chain_id: CHAIN_ID,
            hot_wallet: self.signer.hot_wallet,
            attempt,
            offer,
            max_fee_per_gas: MAX_FEE_PER_GAS,
            pays,
        }
    }

    /// The engine has answered, or nobody has.
    pub(crate) fn engine_reply(&mut self, call: u64, reply: Reply) {
        let Some(Call { life, waits, .. }) = self.calls.remove(&call) else {
            return;
        };
        let unknown = "the engine did not answer";
        match (waits, reply) {
            (Waits::Submit(attempt, command), reply) => {
                let outcome = match reply {
                    Reply::Outcome(outcome) => Some(outcome),
                    _ => None,
                };
                let performed = Box::new(match attempt.kind {
                    Kind::Transfer => Performed::Transfer(outcome.map_or_else(
                        || again(unknown),
                        |outcome| Outcome::Done(transfer::Input::Answered { outcome }),
                    )),
                    Kind::Deposit => Performed::Deposit(outcome.map_or_else(
                        || again(unknown),
                        |outcome| Outcome::Done(deposit::Input::Answered { command, outcome }),
                    )),
                    Kind::Withdrawal => Performed::Withdrawal(outcome.map_or_else(
                        || again(unknown),
                        |outcome| Outcome::Done(withdrawal::Input::Answered { command, outcome }),
                    )),
                });
                self.to(life, 0, 4, Event::Home { attempt, performed });
            }
            (Waits::Hold(attempt), reply) => {
                let outcome = match reply {
                    Reply::Outcome(outcome) => Outcome::Done(withdrawal::Input::HoldAnswered { outcome }),
                    _ => again(unknown),
                };
                self.done(life, attempt, outcome);
            }
            (Waits::Debt(attempt, asset) | Waits::Available(attempt, asset), Reply::Unknown) => {
                let reason = format!("{unknown} about asset {}", asset.0);
                let performed = Box::new(Performed::Deposit(again(reason)));
                self.to(life, 0, 4, Event::Home { attempt, performed });
            }
            (Waits::Debt(attempt, asset), Reply::Balances(balances)) => {
                let owed = available(&balances, Purpose::Debt, asset);
                let performed = Box::new(Performed::Deposit(Outcome::Done(deposit::Input::Debt { owed })));
                self.to(life, 0, 4, Event::Home { attempt, performed });
            }
            (Waits::Available(attempt, asset), Reply::Balances(balances)) => {
                let available = available(&balances, Purpose::Wallet, asset);
                let input = deposit::Input::Available { available };
                let performed = Box::new(Performed::Deposit(Outcome::Done(input)));
                self.to(life, 0, 4, Event::Home { attempt, performed });
            }
            (Waits::HotWallet(attempt, facts, offer, claims), reply) => {
                self.claim(life, attempt, &facts, offer, &claims, reply);
            }
            (Waits::Signature(attempt, ..) | Waits::SignedBefore(attempt, _), _) => {
                self.done(life, attempt, again("the signer did not answer"));
            }
            (Waits::Person(op), reply) => self.person_answered(life, op, &reply),
            (Waits::Lapse(order), reply) => self.lapse_answered(life, order, &reply),
            (Waits::Placed(order), reply) => self.order_answered(order, &reply),
            _ => {}
        }
    }

    /// The end of preparing: the claim is written if the books have what the payment takes.
    fn claim(
        &mut self,
        life: Life,
        attempt: Attempt,
        facts: &withdrawal::Facts,
        offer: withdrawal::Offer,
        claims: &Claims,
        reply: Reply,
    ) {
        if self
            .pay
            .lock
            .is_some_and(|(holder, id)| holder == life && id == facts.withdrawal)
        {
            self.pay.lock = None;
        }
        let Reply::Balances(books) = reply else {
            return self.done(life, attempt, again("the engine did not answer"));
        };
        let hot = |asset: AssetId| {
            let account = Account::house(Purpose::HotWallet);
            let found = books
                .iter()
                .find(|balance| balance.key.account == account && balance.key.asset == asset);
            found.map_or(Amount::ZERO, |balance| balance.total)
        };
        if !meaning::fits(facts, &offer, claims, hot(facts.asset), hot(facts.native)) {
            return self.done(life, attempt, rest("the hot wallet is being filled"));
        }
        if self.fate() == Fate::Lost {
            return self.done(life, attempt, again("the claim could not be written"));
        }
        let claim = Claim {
            asset: facts.asset.0,
            amount: facts.amount.units(),
            fee_cap: offer.fee_cap.units(),
        };
        if self.label(facts.withdrawal) == "preparing" {
            self.pay.claims.insert(facts.withdrawal, claim);
        }
        self.done(
            life,
            attempt,
            Outcome::Done(withdrawal::Input::Prepared { offer }),
        );
    }
}

fn available(balances: &[ferrex_engine_core::Balance], purpose: Purpose, asset: AssetId) -> Amount {
    let found = balances
        .iter()
        .find(|balance| balance.key.account.purpose == purpose && balance.key.asset == asset);
    found.map_or(Amount::ZERO, |balance| {
        balance.total.checked_sub(balance.held).unwrap_or(Amount::ZERO)
    })
}
