//! Signing, sending and looking for payments.

use std::time::Duration;

use ferrex_bus::RequestError;
use ferrex_chains::evm::{B256, Broadcast, Refusal, from_hex};
use ferrex_contracts::signer::{CancelIntent, SignedTransaction};
use ferrex_fault::{Fault, Kind};
use ferrex_flows::Performed;
use ferrex_ids::IntentId;

use super::flow::connection;
use super::meaning::{self, Asked, Pays};
use super::model::{Candidate, Facts, Input, Offer};
use super::store;
use crate::registry::Network;
use crate::{Context, address, concern, registry, withdrawal};

/// How long to wait before the signer or a node is asked for the same again.
const AGAIN: Duration = meaning::AGAIN;

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
    let request = meaning::to_sign(facts, network.chain_id, attempt, offer);
    let answer = context
        .bus
        .request(&facts.network, &request, within(context))
        .await;
    signed(context, facts, &network, attempt, offer, Pays::Payee, answer).await
}

/// Has the nonce of a payment that was given up filled (H026). Idempotent as [`sign`] is.
pub(super) async fn fill(context: &Context, facts: &Facts, attempt: u32, offer: Offer) -> Answer {
    let network = registry::store::get_network(&mut *connection(context).await?, &facts.network).await?;
    let request = meaning::to_fill(facts, network.chain_id, attempt, offer);
    let answer = context
        .bus
        .request(&facts.network, &request, within(context))
        .await;
    signed(context, facts, &network, attempt, offer, Pays::Nobody, answer).await
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
    let cause = fault.chain();
    let answer = meaning::signer_refused(fault);
    if let Ok(Performed::Done(_)) = answer {
        tracing::error!(withdrawal = %facts.withdrawal, cause, "the signer refuses a payment");
    }
    answer
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

/// Reads the signed bytes and compares them with what was asked for; see [`meaning::read_signed`].
async fn check(
    context: &Context,
    facts: &Facts,
    chain_id: u64,
    attempt: u32,
    offer: Option<Offer>,
    pays: Pays,
    signed: &SignedTransaction,
) -> Result<Candidate, Fault> {
    let wallet = address::flow::wallet(context).await?;
    let asked = Asked {
        facts,
        chain_id,
        hot_wallet: wallet.hot_wallet,
        attempt,
        offer,
        max_fee_per_gas: context.config.max_fee_per_gas,
        pays,
    };
    meaning::read_signed(&asked, signed)
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
    let said = rpc.send_raw(&raw).await;
    match &said {
        Broadcast::Unknown(error) => {
            tracing::warn!(withdrawal = %facts.withdrawal, %error, "it is not known whether a payment was sent");
        }
        Broadcast::Refused(Refusal::Underpriced, message) => {
            tracing::warn!(withdrawal = %facts.withdrawal, message, "the network asks more than a payment offers");
        }
        Broadcast::Refused(Refusal::Other, message) => {
            tracing::error!(withdrawal = %facts.withdrawal, message, "a node refuses a payment");
        }
        _ => {}
    }
    Ok(meaning::broadcast(said))
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
        let deep = meaning::confirmed_height(read_to, network.confirmations);
        superseded = match rpc.nonce_at(wallet.hot_wallet, deep).await {
            Ok(next) => meaning::is_superseded(nonce, next),
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
