//! What the answers of signer, nodes and engine mean for a withdrawal: pure, so that the performer and the simulator take
//! them alike.

use std::time::Duration;

use ferrex_chains::evm::{Broadcast, EvmAddress, Refusal, from_hex, inspect};
use ferrex_contracts::signer::{FillNonce, SignWithdrawal, SignedTransaction};
use ferrex_fault::{Fault, Kind};
use ferrex_flows::Performed;
use ferrex_money::Amount;
use ferrex_planted::planted;

use super::model::{Candidate, Facts, Input, Offer};

/// How long to wait before the signer, a node or the hot wallet is asked for the same again.
pub const AGAIN: Duration = Duration::from_secs(5);

/// What bytes must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pays {
    /// The amount, to the payee.
    Payee,
    /// Nothing, to ourselves.
    Nobody,
}

/// What the signer was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The withdrawal.
    pub facts: &'a Facts,
    /// The chain.
    pub chain_id: u64,
    /// Our wallet there.
    pub hot_wallet: EvmAddress,
    /// Which attempt.
    pub attempt: u32,
    /// What was offered, if it is known.
    pub offer: Option<Offer>,
    /// The highest price per gas that our settings allow.
    pub max_fee_per_gas: u64,
    /// What the bytes must say.
    pub pays: Pays,
}

/// What the signer is asked for an attempt to pay a withdrawal.
pub fn to_sign(facts: &Facts, chain_id: u64, attempt: u32, offer: Offer) -> SignWithdrawal {
    SignWithdrawal {
        intent: facts.withdrawal.cast(),
        attempt,
        chain_id,
        asset: facts.asset,
        contract: facts.contract.clone(),
        payee: facts.payee.clone(),
        amount: facts.amount,
        gas_limit: offer.gas_limit,
        max_fee_per_gas: offer.max_fee_per_gas,
        max_priority_fee_per_gas: offer.max_priority_fee_per_gas,
        fee_cap: offer.fee_cap,
        chain_nonce: offer.chain_nonce,
    }
}

/// What the signer is asked for an attempt to use up the nonce of a withdrawal that was given up.
pub fn to_fill(facts: &Facts, chain_id: u64, attempt: u32, offer: Offer) -> FillNonce {
    FillNonce {
        intent: facts.withdrawal.cast(),
        attempt,
        chain_id,
        max_fee_per_gas: offer.max_fee_per_gas,
        max_priority_fee_per_gas: offer.max_priority_fee_per_gas,
        fee_cap: offer.fee_cap,
    }
}

/// Reads signed bytes with a second decoder and compares them with what was asked for (I27). Bytes that differ are never
/// sent.
pub fn read_signed(asked: &Asked<'_>, signed: &SignedTransaction) -> Result<Candidate, Fault> {
    let facts = asked.facts;
    let wrong = |what: String| {
        let detail = format!(
            "the signer's bytes for {} are not what was asked for: {what}",
            facts.withdrawal
        );
        Fault::new(Kind::Internal, "payment.withdrawal.signed_bytes_differ", detail)
    };
    let raw = from_hex(&signed.raw).ok_or_else(|| wrong("no hexadecimal text".to_owned()))?;
    let read = inspect::inspect(&raw).map_err(|error| wrong(error.to_string()))?;
    let parse = |text: &str| EvmAddress::parse(text).map_err(|error| wrong(error.to_string()));
    let (contract, payee, amount) = match asked.pays {
        Pays::Payee => (
            facts.contract.as_deref().map(parse).transpose()?,
            parse(&facts.payee)?,
            facts.amount,
        ),
        Pays::Nobody => (None, asked.hot_wallet, Amount::ZERO),
    };
    let fee_max = u128::from(read.gas_limit).checked_mul(read.max_fee_per_gas);
    let cap = asked.offer.map_or_else(
        || u128::from(asked.max_fee_per_gas).saturating_mul(read.gas_limit.into()),
        |offer| offer.fee_cap.units(),
    );
    for (what, same) in [
        ("chain", read.chain_id == asked.chain_id),
        ("payer", read.from == asked.hot_wallet),
        ("contract", read.contract == contract),
        ("payee", read.payee == payee),
        ("amount", read.amount == amount.units()),
        ("fee", fee_max.is_some_and(|fee| fee <= cap)),
        ("hash", read.hash.to_string() == signed.hash),
        ("nonce", read.nonce == signed.nonce),
    ] {
        if !same {
            return Err(wrong(what.to_owned()));
        }
    }
    let offer = Offer {
        gas_limit: read.gas_limit,
        max_fee_per_gas: Amount::new(read.max_fee_per_gas),
        max_priority_fee_per_gas: Amount::new(read.max_priority_fee_per_gas),
        fee_cap: Amount::new(cap),
        chain_nonce: read.nonce,
    };
    Ok(Candidate {
        attempt: asked.attempt,
        offer,
        raw: signed.raw.clone(),
        hash: signed.hash.clone(),
        nonce: signed.nonce,
        filler: asked.pays == Pays::Nobody,
    })
}

/// What it means that the signer did not sign: that it decided so, or that nobody knows.
pub fn signer_refused(fault: Fault) -> Result<Performed<Input>, Fault> {
    match fault.kind {
        // It decided that it will not; everything else may pass, or is not known.
        Kind::Invalid | Kind::Forbidden | Kind::Conflict | Kind::NotFound => {
            Ok(Performed::Done(Input::SignerRefused {
                reason: "the payment was refused by our own checks".to_owned(),
            }))
        }
        Kind::Exhausted => Ok(Performed::Retry {
            reason: format!("the hot wallet pays no more at present: {}", fault.detail),
            after: Some(AGAIN),
        }),
        Kind::Unauthenticated | Kind::Unavailable | Kind::Internal => Err(fault),
    }
}

/// What the nodes' answer to signed bytes means.
pub fn broadcast(said: Broadcast) -> Performed<Input> {
    let sent = |answer: &str| {
        Performed::Done(Input::Sent {
            answer: answer.to_owned(),
        })
    };
    match said {
        Broadcast::Accepted | Broadcast::AlreadyKnown => sent("a block"),
        Broadcast::Unknown(_) if planted!("withdrawal.silence_not_told") => Performed::Nothing,
        Broadcast::Unknown(_) => sent("a block; the node's answer was lost, so the payment is looked for"),
        // It, or another candidate, is mined: the follower knows which. Anything else with this nonce is not ours and
        // halts the network there (H027).
        Broadcast::Refused(Refusal::NonceTooLow, _) => sent("the block it is in"),
        // An older candidate stays the one to wait for.
        Broadcast::Refused(Refusal::ReplacementUnderpriced, _) => sent("a block; the former payment stands"),
        Broadcast::Refused(Refusal::InsufficientFunds, message) => Performed::Retry {
            reason: format!("the hot wallet cannot pay at present: {message}"),
            after: Some(AGAIN),
        },
        Broadcast::Refused(Refusal::Underpriced, _) => {
            sent("a lower price of the network, or a replacement that offers more")
        }
        Broadcast::Refused(Refusal::Other, message) => Performed::Done(Input::NotTaken { reason: message }),
    }
}

/// The highest block that has its confirmations when blocks up to `read_to` were read.
pub fn confirmed_height(read_to: u64, confirmations: u32) -> u64 {
    (read_to + 1).saturating_sub(confirmations.into())
}

/// Whether a nonce is used up where the chain's next one is `next`.
pub const fn is_superseded(nonce: u64, next: u64) -> bool {
    next > nonce
}

/// What payments under way have claimed of the hot wallet, without the one that is prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Of the payment's asset.
    pub asset: Amount,
    /// Of the network's coin.
    pub coin: Amount,
    /// For fees, at most.
    pub fees: Amount,
}

/// Whether the books of the hot wallet (`of_asset` and `of_coin`) have what a payment takes beside what is claimed.
pub fn fits(facts: &Facts, offer: &Offer, claims: &Claims, of_asset: Amount, of_coin: Amount) -> bool {
    if planted!("withdrawal.claims_ignored") {
        return true;
    }
    let fits = |parts: &[Amount], books: Amount| {
        let sum = parts
            .iter()
            .try_fold(Amount::ZERO, |sum, part| sum.checked_add(*part));
        sum.is_some_and(|sum| sum <= books)
    };
    if facts.asset == facts.native {
        fits(
            &[claims.asset, claims.fees, facts.amount, offer.fee_cap],
            of_asset,
        )
    } else {
        fits(&[claims.asset, facts.amount], of_asset)
            && fits(&[claims.coin, claims.fees, offer.fee_cap], of_coin)
    }
}
