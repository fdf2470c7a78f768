//! What may be signed, decided without input or output.

use ferrex_chains::evm::fees::{FeeQuote, replacement_min};
use ferrex_chains::evm::{Eip1559, EvmAddress, Meaning, SignedTx, U256, inspect, to_hex};
use ferrex_contracts::signer::{FillNonce, SignWithdrawal, SignedTransaction};
use ferrex_ids::IntentId;
use ferrex_money::{Amount, AssetId};
use ferrex_planted::planted;

use crate::Error;

/// What a plain payment of the coin takes; a filler is one.
const GAS_OF_A_PAYMENT: u64 = 21_000;

/// What is paid to whom: the part of an intent that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// The chain.
    pub chain_id: u64,
    /// The asset, as payment numbers it.
    pub asset: AssetId,
    /// The token; none for the coin.
    pub contract: Option<EvmAddress>,
    /// Who is paid.
    pub payee: EvmAddress,
    /// How much.
    pub amount: Amount,
}

/// What is offered for gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Gas limit.
    pub gas_limit: u64,
    /// Prices per gas.
    pub fees: FeeQuote,
    /// The most that it can cost, in wei; within the cap of the request.
    pub fee_max: Amount,
}

/// A request for a payment that is well formed.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Which intent.
    pub intent: IntentId,
    /// 1, 2, … for each replacement.
    pub attempt: u32,
    /// What is paid.
    pub body: Body,
    /// What is offered for gas.
    pub offer: Offer,
    /// The wallet's next nonce as the chain has it.
    pub chain_nonce: u64,
}

/// A request for a filler that is well formed.
#[derive(Clone, Copy, Debug)]
pub struct FillOrder {
    /// Which intent.
    pub intent: IntentId,
    /// As in [`Order`].
    pub attempt: u32,
    /// The chain.
    pub chain_id: u64,
    /// What is offered for gas.
    pub offer: Offer,
}

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Pays.
    Payment,
    /// Uses a nonce up.
    Filler,
}

/// A signature as stored.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its number.
    pub attempt: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// The signed bytes.
    pub raw: Vec<u8>,
    /// What it offers.
    pub fees: FeeQuote,
}

/// An intent as stored.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Which.
    pub id: IntentId,
    /// What it pays.
    pub body: Body,
    /// Its nonce, which all candidates share.
    pub nonce: u64,
    /// By attempt, rising.
    pub candidates: Vec<Candidate>,
}

/// What to do about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<'a> {
    /// It was signed before: the same bytes.
    Same(&'a [u8]),
    /// The first signature of the intent: a nonce is taken for it.
    First,
    /// Another candidate for the intent's nonce.
    Replace {
        /// The nonce.
        nonce: u64,
    },
}

impl Order {
    /// Reads a request.
    pub fn try_new(request: &SignWithdrawal, hot: EvmAddress) -> Result<Self, Error> {
        let address = |field, text: &str| EvmAddress::parse(text).map_err(|error| Error::field(field, error));
        let contract = request
            .contract
            .as_deref()
            .map(|text| address("contract", text))
            .transpose()?;
        let payee = address("payee", &request.payee)?;
        payee
            .check_payee()
            .map_err(|error| Error::field("payee", error))?;
        if payee == hot || Some(payee) == contract {
            return Err(Error::field(
                "payee",
                "is the paying wallet or the token's contract itself",
            ));
        }
        if request.amount.is_zero() {
            return Err(Error::field("amount", "must not be zero"));
        }
        Ok(Self {
            intent: request.intent,
            attempt: attempt(request.attempt)?,
            body: Body {
                chain_id: request.chain_id,
                asset: request.asset,
                contract,
                payee,
                amount: request.amount,
            },
            offer: Offer::try_new(
                request.gas_limit,
                request.max_fee_per_gas,
                request.max_priority_fee_per_gas,
                request.fee_cap,
            )?,
            chain_nonce: request.chain_nonce,
        })
    }
}

impl FillOrder {
    /// Reads a request.
    pub fn try_new(request: &FillNonce) -> Result<Self, Error> {
        Ok(Self {
            intent: request.intent,
            attempt: attempt(request.attempt)?,
            chain_id: request.chain_id,
            offer: Offer::try_new(
                GAS_OF_A_PAYMENT,
                request.max_fee_per_gas,
                request.max_priority_fee_per_gas,
                request.fee_cap,
            )?,
        })
    }
}

impl Offer {
    fn try_new(gas_limit: u64, fee: Amount, tip: Amount, fee_cap: Amount) -> Result<Self, Error> {
        if gas_limit < GAS_OF_A_PAYMENT {
            return Err(Error::field(
                "gas_limit",
                format!("must be at least {GAS_OF_A_PAYMENT}"),
            ));
        }
        if tip > fee {
            return Err(Error::field(
                "max_priority_fee_per_gas",
                "must not be above max_fee_per_gas",
            ));
        }
        let fees = FeeQuote {
            max_fee_per_gas: fee.units(),
            max_priority_fee_per_gas: tip.units(),
        };
        match fees.fee_max(gas_limit).map(Amount::new) {
            Some(fee_max) if fee_max <= fee_cap => Ok(Self {
                gas_limit,
                fees,
                fee_max,
            }),
            _ => Err(Error::field(
                "fee_cap",
                "is less than gas_limit times max_fee_per_gas",
            )),
        }
    }
}

fn attempt(attempt: u32) -> Result<u32, Error> {
    match i32::try_from(attempt) {
        Ok(1..) => Ok(attempt),
        _ => Err(Error::field("attempt", "counts 1, 2, …")),
    }
}

/// Decides about a payment, given what is stored of its intent.
pub fn decide_payment<'a>(
    stored: Option<&'a Intent>,
    cancelled: bool,
    order: &Order,
) -> Result<Turn<'a>, Error> {
    let Some(stored) = stored else {
        if cancelled && !planted!("signer.cancelled_is_signed") {
            return Err(Error::IntentCancelled(order.intent));
        }
        return if order.attempt == 1 {
            Ok(Turn::First)
        } else {
            Err(Error::AttemptOutOfOrder {
                intent: order.intent,
                wanted: 1,
                got: order.attempt,
            })
        };
    };
    if stored.body != order.body {
        return Err(Error::IntentDiffers(stored.id));
    }
    decide_candidate(stored, order.attempt, Purpose::Payment, order.offer)
}

/// The nonce of a new payment, given the next one of the wallet as it is stored. A chain that knows more of the wallet's
/// transactions than are stored here is waited for (H027, F45).
pub fn first_nonce(order: &Order, next_nonce: u64) -> Result<u64, Error> {
    if planted!("signer.nonce_from_the_chain") {
        return Ok(order.chain_nonce);
    }
    if order.chain_nonce > next_nonce {
        return Err(Error::BehindChain {
            chain_id: order.body.chain_id,
            chain_nonce: order.chain_nonce,
            next_nonce,
        });
    }
    Ok(next_nonce)
}

/// Decides about a filler, given what is stored of its intent.
pub fn decide_filler<'a>(stored: Option<&'a Intent>, order: &FillOrder) -> Result<Turn<'a>, Error> {
    let stored = stored.ok_or(Error::IntentUnknown(order.intent))?;
    if stored.body.chain_id != order.chain_id {
        return Err(Error::IntentDiffers(stored.id));
    }
    decide_candidate(stored, order.attempt, Purpose::Filler, order.offer)
}

fn decide_candidate(
    stored: &Intent,
    attempt: u32,
    purpose: Purpose,
    offer: Offer,
) -> Result<Turn<'_>, Error> {
    let intent = stored.id;
    if let Some(same) = stored
        .candidates
        .iter()
        .find(|candidate| candidate.attempt == attempt)
    {
        return if same.purpose == purpose {
            Ok(Turn::Same(&same.raw))
        } else {
            Err(Error::IntentDiffers(intent))
        };
    }
    let last = stored
        .candidates
        .last()
        .ok_or(Error::Stored("intent without a signature"))?;
    if last.purpose == Purpose::Filler && purpose == Purpose::Payment {
        return Err(Error::IntentFilled(intent));
    }
    let wanted = last.attempt.saturating_add(1);
    if attempt != wanted {
        return Err(Error::AttemptOutOfOrder {
            intent,
            wanted,
            got: attempt,
        });
    }
    let least = replacement_min(last.fees);
    let offered = offer.fees;
    if offered.max_fee_per_gas < least.max_fee_per_gas
        || offered.max_priority_fee_per_gas < least.max_priority_fee_per_gas
    {
        return Err(Error::ReplacementTooCheap {
            intent,
            least: least.max_fee_per_gas,
            least_tip: least.max_priority_fee_per_gas,
        });
    }
    Ok(Turn::Replace { nonce: stored.nonce })
}

/// The transaction that pays a body.
pub fn build(body: &Body, offer: Offer, nonce: u64) -> Eip1559 {
    let empty = Eip1559 {
        chain_id: body.chain_id,
        nonce,
        gas_limit: offer.gas_limit,
        max_fee_per_gas: offer.fees.max_fee_per_gas,
        max_priority_fee_per_gas: offer.fees.max_priority_fee_per_gas,
        to: EvmAddress::ZERO,
        value: U256::ZERO,
        input: Vec::new(),
    };
    empty.paying(body.contract, body.payee, body.amount.units())
}

/// The body of a filler: nothing, to ourselves.
pub fn filler_body(of: &Body, hot: EvmAddress) -> Body {
    Body {
        contract: None,
        payee: hot,
        amount: Amount::ZERO,
        ..*of
    }
}

/// I27: reads the bytes with two decoders and compares both readings with what was asked. Only what passes leaves.
pub fn check_signed(
    intent: IntentId,
    raw: &[u8],
    body: &Body,
    offer: Offer,
    nonce: u64,
    hot: EvmAddress,
) -> Result<SignedTx, Error> {
    let differs = |what: String| Error::SignedDiffers { intent, what };
    let first = SignedTx::decode(raw).map_err(|error| differs(error.to_string()))?;
    let second = inspect::inspect(raw).map_err(|error| differs(error.to_string()))?;
    let tx = first.tx();
    let meaning = Meaning {
        contract: body.contract,
        payee: body.payee,
        amount: U256::from(body.amount.units()),
    };
    let checks = [
        (
            "chain",
            tx.chain_id == body.chain_id && second.chain_id == body.chain_id,
        ),
        ("nonce", tx.nonce == nonce && second.nonce == nonce),
        ("payment", tx.meaning() == Some(meaning)),
        ("contract", second.contract == body.contract),
        ("payee", second.payee == body.payee),
        ("amount", second.amount == body.amount.units()),
        (
            "gas limit",
            tx.gas_limit == offer.gas_limit && second.gas_limit == offer.gas_limit,
        ),
        ("price", tx.max_fee_per_gas == offer.fees.max_fee_per_gas),
        (
            "tip",
            tx.max_priority_fee_per_gas == offer.fees.max_priority_fee_per_gas,
        ),
        (
            "tip",
            second.max_priority_fee_per_gas == offer.fees.max_priority_fee_per_gas,
        ),
        (
            "fee",
            second.max_fee_per_gas.checked_mul(u128::from(second.gas_limit)) == Some(offer.fee_max.units()),
        ),
        ("payer", first.from() == hot && second.from == hot),
        ("hash", first.hash() == second.hash),
    ];
    match checks.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(differs((*what).to_owned())),
        None => Ok(first),
    }
}

/// What is answered about signed bytes.
pub fn answer(signed: &SignedTx) -> SignedTransaction {
    SignedTransaction {
        raw: to_hex(signed.raw()),
        hash: to_hex(&signed.hash()[..]),
        from: signed.from().to_string(),
        nonce: signed.tx().nonce,
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
