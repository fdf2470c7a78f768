//! Signing, sending and looking for payments.

use std::time::Duration;

use ferrex_bus::RequestError;
use ferrex_chains::evm::{B256, Broadcast, EvmAddress, Refusal, from_hex, inspect};
use ferrex_contracts::signer::{CancelIntent, FillNonce, SignWithdrawal, SignedTransaction};
use ferrex_fault::{Fault, Kind};
use ferrex_flows::Performed;
use ferrex_ids::IntentId;
use ferrex_money::Amount;

use super::flow::connection;
use super::model::{Candidate, Facts, Input, Offer};
use super::store;
use crate::registry::Network;
use crate::{Context, address, concern, registry, withdrawal};

/// How long to wait before the signer or a node is asked for the same again.
const AGAIN: Duration = Duration::from_secs(5);

type Answer = Result<Performed<Input>, Fault>;

fn within(context: &Context) -> Duration {
    Duration::from_millis(context.config.request_timeout_ms)
}

fn intent(facts: &Facts) -> IntentId {
    facts.withdrawal.cast()
}

/// Has the payment signed. The signer answers the same attempt with the same bytes, so a lost answer costs nothing.
pub(super) async fn sign(context: &Context, facts: &Facts, attempt: u32, offer: Offer) -> Answer {
    let mut open = connection(context).await?;
    let network = registry::store::get_network(&mut open, &facts.network).await?;
    // What the signer does not have yet stays with us while the books differ; a replacement is on its way already.
    if attempt == 1 && concern::store::is_halted(&mut open, facts.asset).await? {
        return Ok(Performed::Retry {
            reason: withdrawal::Error::BooksDiffer(facts.symbol.clone()).to_string(),
            after: Some(AGAIN),
        });
    }
    drop(open);
    let request = SignWithdrawal {
        intent: intent(facts),
        attempt,
        chain_id: network.chain_id,
        asset: facts.asset,
        contract: facts.contract.clone(),
        payee: facts.payee.clone(),
        amount: facts.amount,
        gas_limit: offer.gas_limit,
        max_fee_per_gas: offer.max_fee_per_gas,
        max_priority_fee_per_gas: offer.max_priority_fee_per_gas,
        fee_cap: offer.fee_cap,
        chain_nonce: offer.chain_nonce,
    };
    let answer = context
        .bus
        .request(&facts.network, &request, within(context))
        .await;
    signed(context, facts, &network, attempt, offer, Pays::Payee, answer).await
}

/// Has the nonce of a payment that was given up filled (H026). Idempotent as [`sign`] is.
pub(super) async fn fill(context: &Context, facts: &Facts, attempt: u32, offer: Offer) -> Answer {
    let network = registry::store::get_network(&mut *connection(context).await?, &facts.network).await?;
    let request = FillNonce {
        intent: intent(facts),
        attempt,
        chain_id: network.chain_id,
        max_fee_per_gas: offer.max_fee_per_gas,
        max_priority_fee_per_gas: offer.max_priority_fee_per_gas,
        fee_cap: offer.fee_cap,
    };
    let answer = context
        .bus
        .request(&facts.network, &request, within(context))
        .await;
    signed(context, facts, &network, attempt, offer, Pays::Nobody, answer).await
}

/// What bytes must say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pays {
    Payee,
    /// Nothing, to ourselves.
    Nobody,
}

/// What the signer's answer means.
async fn signed(
    context: &Context,
    facts: &Facts,
    network: &Network,
    attempt: u32,
    offer: Offer,
    pays: Pays,
    answer: Result<SignedTransaction, RequestError>,
) -> Answer {
    let error = match answer {
        Ok(signed) => {
            let candidate = check(
                context,
                facts,
                network.chain_id,
                attempt,
                Some(offer),
                pays,
                &signed,
            )
            .await?;
            return Ok(Performed::Done(Input::Signed { candidate }));
        }
        Err(error) => error,
    };
    let fault = Fault::from(error);
    match fault.kind {
        // It decided that it will not; everything else may pass, or is not known.
        Kind::Invalid | Kind::Forbidden | Kind::Conflict | Kind::NotFound => {
            tracing::error!(withdrawal = %facts.withdrawal, cause = fault.chain(), "the signer refuses a payment");
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

/// Has the signer never sign this withdrawal, and asks what it has signed already: only an answer without candidates
/// lets the money be released.
pub(super) async fn ask_signer(context: &Context, facts: &Facts) -> Answer {
    let network = registry::store::get_network(&mut *connection(context).await?, &facts.network).await?;
    let request = CancelIntent {
        intent: intent(facts),
    };
    let view = context
        .bus
        .request(&facts.network, &request, within(context))
        .await?;
    let mut candidates = Vec::new();
    for (attempt, signed) in (1..).zip(&view.candidates) {
        candidates.push(
            check(
                context,
                facts,
                network.chain_id,
                attempt,
                None,
                Pays::Payee,
                signed,
            )
            .await?,
        );
    }
    Ok(Performed::Done(Input::SignerHas { candidates }))
}

/// Reads the signed bytes with a second decoder and compares them with what was asked for (I27). Bytes that differ are
/// never sent.
async fn check(
    context: &Context,
    facts: &Facts,
    chain_id: u64,
    attempt: u32,
    offer: Option<Offer>,
    pays: Pays,
    signed: &SignedTransaction,
) -> Result<Candidate, Fault> {
    let wrong = |what: String| {
        let detail = format!(
            "the signer's bytes for {} are not what was asked for: {what}",
            facts.withdrawal
        );
        Fault::new(Kind::Internal, "payment.withdrawal.signed_bytes_differ", detail)
    };
    let raw = from_hex(&signed.raw).ok_or_else(|| wrong("no hexadecimal text".to_owned()))?;
    let read = inspect::inspect(&raw).map_err(|error| wrong(error.to_string()))?;
    let wallet = address::flow::wallet(context).await?;
    let parse = |text: &str| EvmAddress::parse(text).map_err(|error| wrong(error.to_string()));
    let (contract, payee, amount) = match pays {
        Pays::Payee => (
            facts.contract.as_deref().map(parse).transpose()?,
            parse(&facts.payee)?,
            facts.amount,
        ),
        Pays::Nobody => (None, wallet.hot_wallet, Amount::ZERO),
    };
    let fee_max = u128::from(read.gas_limit).checked_mul(read.max_fee_per_gas);
    let cap = offer.map_or_else(
        || u128::from(context.config.max_fee_per_gas).saturating_mul(read.gas_limit.into()),
        |offer| offer.fee_cap.units(),
    );
    for (what, same) in [
        ("chain", read.chain_id == chain_id),
        ("payer", read.from == wallet.hot_wallet),
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
        attempt,
        offer,
        raw: signed.raw.clone(),
        hash: signed.hash.clone(),
        nonce: signed.nonce,
        filler: pays == Pays::Nobody,
    })
}

fn hash_of(text: &str) -> Result<B256, Fault> {
    let unreadable = |_| {
        Fault::new(
            Kind::Internal,
            "payment.withdrawal.hash_unreadable",
            format!("reading hash {text}"),
        )
    };
    text.parse().map_err(unreadable)
}

/// Keeps the bytes, then hands them to the nodes. Whatever they say, the payment counts as possibly sent from here on
/// (H021, H025).
pub(super) async fn broadcast(context: &Context, facts: &Facts, candidate: &Candidate) -> Answer {
    let hash = hash_of(&candidate.hash)?;
    let raw = from_hex(&candidate.raw).ok_or_else(|| {
        Fault::new(
            Kind::Internal,
            "payment.withdrawal.raw_unreadable",
            "reading signed bytes",
        )
    })?;
    let mut open = connection(context).await?;
    store::insert_payment(&mut open, facts, candidate, hash, &raw, context.clock.now()).await?;
    let network = registry::store::get_network(&mut open, &facts.network).await?;
    drop(open);
    let rpc = context.nodes.of(&network)?;
    let sent = |answer: &str| {
        Ok(Performed::Done(Input::Sent {
            answer: answer.to_owned(),
        }))
    };
    match rpc.send_raw(&raw).await {
        Broadcast::Accepted | Broadcast::AlreadyKnown => sent("a block"),
        Broadcast::Unknown(error) => {
            tracing::warn!(withdrawal = %facts.withdrawal, %error, "it is not known whether a payment was sent");
            sent("a block; the node's answer was lost, so the payment is looked for")
        }
        // It, or another candidate, is mined: the follower knows which. Anything else with this nonce is not ours and
        // halts the network there (H027).
        Broadcast::Refused(Refusal::NonceTooLow, _) => sent("the block it is in"),
        // An older candidate stays the one to wait for.
        Broadcast::Refused(Refusal::ReplacementUnderpriced, _) => sent("a block; the former payment stands"),
        Broadcast::Refused(Refusal::InsufficientFunds, message) => Ok(Performed::Retry {
            reason: format!("the hot wallet cannot pay at present: {message}"),
            after: Some(AGAIN),
        }),
        Broadcast::Refused(Refusal::Underpriced, message) => {
            tracing::warn!(withdrawal = %facts.withdrawal, message, "the network asks more than a payment offers");
            sent("a lower price of the network, or a replacement that offers more")
        }
        Broadcast::Refused(Refusal::Other, message) => {
            tracing::error!(withdrawal = %facts.withdrawal, message, "a node refuses a payment");
            Ok(Performed::Done(Input::NotTaken { reason: message }))
        }
    }
}

/// Looks for the payments on the nodes; and, if none knows them, whether the chain has used up their nonce.
pub(super) async fn look(context: &Context, facts: &Facts, hashes: &[String], nonce: Option<u64>) -> Answer {
    let mut open = connection(context).await?;
    let network = registry::store::get_network(&mut open, &facts.network).await?;
    // Read before the nodes are asked: what the follower found up to here is told to the flow before this answer.
    let read_to = registry::store::find_height(&mut open, &facts.network).await?;
    let wallet = address::store::find_wallet(&mut open).await?;
    drop(open);
    let rpc = context.nodes.of(&network)?;
    for hash in hashes {
        if rpc.knows(hash_of(hash)?).await? {
            return Ok(Performed::Done(Input::Looked {
                known: true,
                superseded: false,
            }));
        }
    }
    let mut superseded = false;
    if let (Some(nonce), Some(read_to), Some(wallet)) = (nonce, read_to, wallet) {
        let deep = (read_to + 1).saturating_sub(network.confirmations.into());
        superseded = match rpc.nonce_at(wallet.hot_wallet, deep).await {
            Ok(next) => next > nonce,
            // A node that forgot the state of that block: the bytes are sent again, which costs nothing.
            Err(error) => {
                tracing::debug!(withdrawal = %facts.withdrawal, %error, "the wallet's nonce cannot be read");
                false
            }
        };
    }
    Ok(Performed::Done(Input::Looked {
        known: false,
        superseded,
    }))
}
