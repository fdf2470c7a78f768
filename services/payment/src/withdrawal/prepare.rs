//! What is checked again right before a payment is signed, and what it offers for gas.

use std::time::Duration;

use ferrex_chains::evm::{CallRequest, EvmAddress, erc20, fees};
use ferrex_fault::{Fault, Kind};
use ferrex_flows::Performed;
use ferrex_ledger::{Account, Owner, Purpose};
use ferrex_money::Amount;
use ferrex_postgres::Error as DbError;

use super::flow::connection;
use super::meaning::{self, Claims};
use super::model::{Facts, Input, Offer};
use super::{Error, store};
use crate::registry::Node;
use crate::{Context, address, concern, customer, registry};

/// How long to wait before people or the hot wallet are asked for again.
const AGAIN: Duration = meaning::AGAIN;
/// What a payment of a coin to an address without code costs, on every chain of this family.
const PLAIN_GAS: u64 = 21_000;

type Answer = Result<Performed<Input>, Fault>;

fn rest(reason: impl Into<String>) -> Performed<Input> {
    Performed::NotBegun {
        reason: reason.into(),
        after: Some(AGAIN),
    }
}

/// Checks person, asset and network once more (H035, A62), computes the offer, and claims the hot wallet's money.
/// What is not right now waits visibly with its reason (H031).
pub(super) async fn prepare(context: &Context, facts: &Facts) -> Answer {
    let mut open = connection(context).await?;
    let network = registry::store::get_network(&mut open, &facts.network).await?;
    let asset = registry::store::get_asset(&mut open, facts.asset).await?;
    let person = customer::store::get(&mut open, facts.user).await?;
    let wallet = address::store::find_wallet(&mut open).await?;
    let differs = concern::store::is_halted(&mut open, facts.asset).await?;
    drop(open);
    if person.frozen || person.level < 1 {
        return Ok(rest("this account's money was stopped by staff"));
    }
    if !asset.terms.withdrawals_enabled || !network.enabled {
        return Ok(rest(format!("withdrawals of {} rest at present", asset.symbol)));
    }
    if differs {
        return Ok(rest(Error::BooksDiffer(asset.symbol).to_string()));
    }
    if let Some(reason) = network.halted_because {
        return Ok(rest(reason));
    }
    let Some(wallet) = wallet else {
        return Ok(rest("the signer has not told its wallet yet"));
    };

    let rpc = context.nodes.of(&network)?;
    let quote = match fees::quote(rpc.market().await?, caps(context)) {
        Ok(quote) => quote,
        Err(error) => return Ok(rest(error.to_string())),
    };
    let gas_limit = match gas_limit(context, &rpc, facts, wallet.hot_wallet).await? {
        Ok(gas) => gas,
        Err(reason) => return Ok(rest(reason)),
    };
    let offer = Offer {
        gas_limit,
        max_fee_per_gas: Amount::new(quote.max_fee_per_gas),
        max_priority_fee_per_gas: Amount::new(quote.max_priority_fee_per_gas),
        fee_cap: fee_cap(context, gas_limit),
        chain_nonce: rpc.next_nonce(wallet.hot_wallet).await?,
    };
    claim(context, facts, offer).await
}

/// Claims what the payment takes, under the network's lock, if the books of the hot wallet have it.
async fn claim(context: &Context, facts: &Facts, offer: Offer) -> Answer {
    let mut tx = context.db.begin().await?;
    registry::store::lock_network(&mut tx, &facts.network).await?;
    // A cancelled withdrawal claims nothing: its row's lock orders the two.
    if store::lock_status(&mut tx, facts.withdrawal).await?.as_deref() != Some("preparing") {
        return Ok(Performed::Nothing);
    }
    // Claims are read before the books: a payment that settles in between is then counted twice, never not at all.
    let (claimed, fees_claimed) =
        store::claimed(&mut tx, &facts.network, facts.asset, facts.withdrawal).await?;
    let (coin_claimed, _) = store::claimed(&mut tx, &facts.network, facts.native, facts.withdrawal).await?;
    let books = context.engine.balances(Owner::House).await?;
    let hot = |asset| {
        let account = Account::house(Purpose::HotWallet);
        let found = books
            .iter()
            .find(|balance| balance.key.account == account && balance.key.asset == asset);
        found.map_or(Amount::ZERO, |balance| balance.total)
    };
    let claims = Claims {
        asset: claimed,
        coin: coin_claimed,
        fees: fees_claimed,
    };
    let enough = meaning::fits(facts, &offer, &claims, hot(facts.asset), hot(facts.native));
    if !enough {
        let before = store::count_before(&mut tx, facts).await?;
        return Ok(rest(format!(
            "the hot wallet is being filled; {before} withdrawals are before this one"
        )));
    }
    store::claim(&mut tx, facts, offer.fee_cap, context.clock.now()).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    Ok(Performed::Done(Input::Prepared { offer }))
}

/// An offer that replaces the last one with the same nonce (H028), within the caps.
pub(super) async fn reprice(context: &Context, facts: &Facts, previous: Offer) -> Answer {
    let network = registry::store::get_network(&mut *connection(context).await?, &facts.network).await?;
    let rpc = context.nodes.of(&network)?;
    let last = fees::FeeQuote {
        max_fee_per_gas: previous.max_fee_per_gas.units(),
        max_priority_fee_per_gas: previous.max_priority_fee_per_gas.units(),
    };
    Ok(Performed::Done(
        match fees::replacement(last, rpc.market().await?, caps(context)) {
            Ok(quote) => Input::Repriced {
                offer: Offer {
                    max_fee_per_gas: Amount::new(quote.max_fee_per_gas),
                    max_priority_fee_per_gas: Amount::new(quote.max_priority_fee_per_gas),
                    ..previous
                },
            },
            Err(error) => Input::NotRepriced {
                reason: error.to_string(),
            },
        },
    ))
}

fn caps(context: &Context) -> fees::FeeCaps {
    let config = &context.config;
    fees::FeeCaps {
        max_fee_per_gas: config.max_fee_per_gas.into(),
        max_priority_fee_per_gas: config.max_priority_fee_per_gas.into(),
        min_priority_fee_per_gas: config.min_priority_fee_per_gas.into(),
    }
}

/// The most that any attempt of a payment may cost, so that replacements stay within what was claimed.
fn fee_cap(context: &Context, gas_limit: u64) -> Amount {
    Amount::new(u128::from(context.config.max_fee_per_gas) * u128::from(gas_limit))
}

/// The gas limit, or why the token's contract would refuse the payment now.
async fn gas_limit(
    context: &Context,
    rpc: &Node,
    facts: &Facts,
    from: EvmAddress,
) -> Result<Result<u64, String>, Fault> {
    let Some(contract) = &facts.contract else {
        return Ok(Ok(PLAIN_GAS));
    };
    let unreadable = |error: ferrex_chains::evm::AddressError| {
        Fault::new(
            Kind::Internal,
            "payment.withdrawal.facts_unreadable",
            error.to_string(),
        )
    };
    let contract = EvmAddress::parse(contract).map_err(unreadable)?;
    let payee = EvmAddress::parse(&facts.payee).map_err(unreadable)?;
    let input = erc20::encode_transfer(payee, facts.amount.units());
    let call = CallRequest {
        from: Some(from),
        to: Some(contract),
        value: 0,
        input,
    };
    match rpc.estimate_gas(&call).await {
        // A quarter more, since the state it meets may be another one.
        Ok(gas) => Ok(Ok(
            (gas.saturating_add(gas / 4)).min(context.config.token_gas_max.max(gas))
        )),
        Err(error @ ferrex_chains::evm::RpcError::Node { .. }) => Ok(Err(format!(
            "the token's contract refuses the payment at present: {error}"
        ))),
        Err(error) => Err(error.into()),
    }
}
