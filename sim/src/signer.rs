//! The signer: its tables in memory, its decisions the product's, its signatures real.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_chains::evm::{EvmAddress, SignedTx, address_of_public_key};
use ferrex_contracts::signer::{IntentView, SignedTransaction};
use ferrex_fault::{Fault, Kind};
use ferrex_ids::IntentId;
use ferrex_planted::planted;
use ferrex_signer::Error;
use ferrex_signer::intent::model::{
    Body, Candidate, FillOrder, Intent, Offer, Order, Purpose, Turn, answer, build, check_signed,
    decide_filler, decide_payment, filler_body, first_nonce,
};
use k256::ecdsa::SigningKey;

use crate::event::{Event, Life, Proc, SignerAsk, SignerReply};
use crate::world::{Fate, World};

/// The schema, and the key beside it.
#[derive(Debug)]
pub struct SignerDb {
    /// What was signed for whom.
    pub intents: BTreeMap<IntentId, Intent>,
    /// What never will be signed.
    pub cancelled: BTreeSet<IntentId>,
    /// The wallet's next nonce.
    pub next_nonce: u64,
    /// The paying address.
    pub hot_wallet: EvmAddress,
    key: SigningKey,
}

impl Default for SignerDb {
    fn default() -> Self {
        let key = SigningKey::from_slice(&[7; 32]).expect("a number below the curve's order");
        let point = key.verifying_key().to_encoded_point(true);
        Self {
            intents: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            next_nonce: 0,
            hot_wallet: address_of_public_key(point.as_bytes()).expect("a point of the curve"),
            key,
        }
    }
}

/// What a transaction of the signer would write.
enum Write {
    Nothing,
    Cancel(IntentId),
    Sign {
        intent: IntentId,
        body: Body,
        nonce: u64,
        next_nonce: u64,
        candidate: Candidate,
    },
}

impl SignerDb {
    fn decide(&self, ask: &SignerAsk) -> (Write, Result<SignerReply, Box<Error>>) {
        let decided = match ask {
            SignerAsk::Sign(request) => self.sign_payment(request),
            SignerAsk::Fill(request) => self.fill(request),
            SignerAsk::Cancel(intent) => Ok(self.cancel(*intent)),
        };
        match decided {
            Ok((write, reply)) => (write, Ok(reply)),
            Err(error) => (Write::Nothing, Err(error)),
        }
    }

    fn sign_payment(
        &self,
        request: &ferrex_contracts::signer::SignWithdrawal,
    ) -> Result<(Write, SignerReply), Box<Error>> {
        let order = Order::try_new(request, self.hot_wallet)?;
        let stored = self.intents.get(&order.intent);
        let cancelled = self.cancelled.contains(&order.intent);
        let (nonce, next_nonce) = match decide_payment(stored, cancelled, &order)? {
            Turn::Same(raw) => return same(raw),
            Turn::Replace { .. } if planted!("signer.replacement_takes_a_new_nonce") => {
                (self.next_nonce, self.next_nonce + 1)
            }
            Turn::Replace { nonce } => (nonce, self.next_nonce),
            Turn::First => {
                let nonce = first_nonce(&order, self.next_nonce)?;
                let next = if planted!("signer.nonce_not_counted_up") {
                    nonce
                } else {
                    nonce + 1
                };
                (nonce, next.max(self.next_nonce))
            }
        };
        self.sign(
            order.intent,
            order.attempt,
            Purpose::Payment,
            order.body,
            order.body,
            order.offer,
            (nonce, next_nonce),
        )
    }

    fn fill(
        &self,
        request: &ferrex_contracts::signer::FillNonce,
    ) -> Result<(Write, SignerReply), Box<Error>> {
        let order = FillOrder::try_new(request)?;
        let stored = self.intents.get(&order.intent);
        let nonce = match decide_filler(stored, &order)? {
            Turn::Same(raw) => return same(raw),
            Turn::Replace { nonce } => nonce,
            Turn::First => return Err(Error::IntentUnknown(order.intent).into()),
        };
        let paid = stored.ok_or(Error::IntentUnknown(order.intent))?.body;
        let body = filler_body(&paid, self.hot_wallet);
        self.sign(
            order.intent,
            order.attempt,
            Purpose::Filler,
            paid,
            body,
            order.offer,
            (nonce, self.next_nonce),
        )
    }

    fn cancel(&self, intent: IntentId) -> (Write, SignerReply) {
        let stored = self.intents.get(&intent);
        let candidates = stored.map_or(&[][..], |stored| &stored.candidates);
        let candidates = candidates
            .iter()
            .filter_map(|candidate| SignedTx::decode(&candidate.raw).ok())
            .map(|signed| answer(&signed))
            .collect();
        let view = IntentView {
            candidates,
            cancelled: stored.is_none(),
        };
        let write = if stored.is_none() {
            Write::Cancel(intent)
        } else {
            Write::Nothing
        };
        (write, SignerReply::Has(view))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are one signature, named at both calls"
    )]
    fn sign(
        &self,
        intent: IntentId,
        attempt: u32,
        purpose: Purpose,
        paid: Body,
        body: Body,
        offer: Offer,
        (nonce, next_nonce): (u64, u64),
    ) -> Result<(Write, SignerReply), Box<Error>> {
        let refused = |what: String| Error::SignedDiffers { intent, what };
        let made = build(&body, offer, nonce).sign(&self.key);
        let made = made.map_err(|error| refused(error.to_string()))?;
        let signed = check_signed(intent, made.raw(), &body, offer, nonce, self.hot_wallet)?;
        let candidate = Candidate {
            attempt,
            purpose,
            raw: signed.raw().to_vec(),
            fees: offer.fees,
        };
        let write = Write::Sign {
            intent,
            body: paid,
            nonce,
            next_nonce,
            candidate,
        };
        Ok((write, SignerReply::Signed(answer(&signed))))
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Nothing => {}
            Write::Cancel(intent) => {
                self.cancelled.insert(intent);
            }
            Write::Sign {
                intent,
                body,
                nonce,
                next_nonce,
                candidate,
            } => {
                self.next_nonce = next_nonce;
                let stored = self.intents.entry(intent).or_insert(Intent {
                    id: intent,
                    body,
                    nonce,
                    candidates: Vec::new(),
                });
                stored.candidates.push(candidate);
            }
        }
    }
}

/// What was signed before.
fn same(raw: &[u8]) -> Result<(Write, SignerReply), Box<Error>> {
    let signed: SignedTransaction = SignedTx::decode(raw)
        .map(|signed| answer(&signed))
        .map_err(|_| Error::Stored("signature"))?;
    Ok((Write::Nothing, SignerReply::Signed(signed)))
}

impl World {
    /// Sends a request to the signer.
    pub(crate) fn ask_signer(&mut self, from: Life, ask: SignerAsk, call: u64) {
        let life = self.life(Proc::SIGNER);
        if self.now < self.faults.bus_down_until || self.rng.permille(self.faults.lost) {
            return;
        }
        let at = self.now + self.latency();
        if self.rng.permille(self.faults.twice) {
            let again = self.now + self.latency();
            let ask = ask.clone();
            self.at(again, Some(life), Event::SignerAsk { ask, call, from });
        }
        self.at(at, Some(life), Event::SignerAsk { ask, call, from });
    }

    /// A request arrives: load, decide, sign, check, store, and only then answer.
    pub(crate) fn signer_ask(&mut self, ask: &SignerAsk, call: u64, from: Life) {
        let fate = self.fate();
        let (write, decided) = self.signer.decide(ask);
        let text = match &decided {
            Ok(SignerReply::Signed(signed)) => format!("signs nonce {} {}", signed.nonce, signed.hash),
            Ok(_) => "says what it has signed".to_owned(),
            Err(error) => format!("refuses: {error}"),
        };
        self.say(|| format!("the signer {text}: {fate:?}"));
        if fate != Fate::Lost {
            self.signer.write(write);
            self.check_nonces();
        }
        let answered = match decided {
            Err(error) => SignerReply::Fault(Fault::from(*error)),
            Ok(reply) if fate == Fate::Committed || planted!("signer.answers_before_commit") => reply,
            Ok(_) => SignerReply::Fault(Fault::new(
                Kind::Unavailable,
                "signer.store",
                "the database does not answer",
            )),
        };
        if self.rng.permille(self.faults.lost) {
            return;
        }
        let at = self.now + self.latency();
        let reply = Box::new(answered);
        self.at(at, Some(from), Event::SignerReply { call, reply });
    }
}
