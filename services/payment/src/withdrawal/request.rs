//! Asking for a withdrawal: every check, the second factor, the binding of the key, the hold.

use std::time::Duration;

use ferrex_chains::evm::EvmAddress;
use ferrex_contracts::core::VerifySecondFactor;
use ferrex_fault::Fault;
use ferrex_flows::Actor;
use ferrex_ids::{UserId, WithdrawalId};
use ferrex_ledger::{Account, Owner, Purpose};
use ferrex_money::Amount;
use ferrex_postgres::Error as DbError;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::flow::connection;
use super::model::{Facts, Input, Patience, Phase, State};
use super::{Error, store};
use crate::idempotency::{Bound, Call, state_of};
use crate::registry::{Asset, Network};
use crate::{Context, Payment, address, concern, customer, registry};

/// What a person asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Symbol of the asset.
    pub asset: String,
    /// Key of the network.
    pub network: String,
    /// Where to.
    pub address: String,
    /// How much, in whole units.
    pub amount: String,
}

/// What a withdrawal would be.
#[derive(Clone, Debug)]
pub struct Quote {
    /// What.
    pub asset: Asset,
    /// Where.
    pub network: Network,
    /// The network's own coin.
    pub native: Asset,
    /// Who is paid.
    pub payee: EvmAddress,
    /// The person behind the address, when it is one of ours.
    pub internal: Option<UserId>,
    /// What the payee receives.
    pub amount: Amount,
    /// What it costs on top.
    pub fee: Amount,
    /// Both together.
    pub total: Amount,
    /// Whether staff must approve it.
    pub needs_approval: bool,
}

fn field(code: &'static str, field: &'static str, message: impl Into<String>) -> Fault {
    Error::Field {
        code,
        field,
        message: message.into(),
    }
    .into()
}

/// Checks everything that does not depend on the person's money, with the reason of a refusal (H039).
pub async fn quote(context: &Context, user: UserId, asked: &Asked) -> Result<Quote, Fault> {
    let mut open = connection(context).await?;
    let asset = registry::store::find_asset_by_symbol(&mut open, &asked.asset).await?;
    let asset = asset.ok_or_else(|| {
        field(
            "payment.asset.unknown",
            "asset",
            "there is no asset of this symbol",
        )
    })?;
    let network = registry::store::find_network(&mut open, &asked.network).await?;
    let network = network.ok_or_else(|| {
        field(
            "payment.network.unknown",
            "network",
            "there is no network of this key",
        )
    })?;
    if asset.network != network.key {
        let message = format!("{} is on network \"{}\"", asset.symbol, asset.network);
        return Err(field("payment.withdrawal.wrong_network", "network", message));
    }
    let native = registry::store::find_native(&mut open, &network.key).await?;
    let payee = parse_address(&asked.address, &network)?;
    let owner = address::store::find_owner(&mut open, payee).await?;
    let wallet = address::store::find_wallet(&mut open).await?;
    let is_token = registry::store::list_assets(&mut open)
        .await?
        .iter()
        .any(|asset| asset.contract == Some(payee));
    let differs = concern::store::is_halted(&mut open, asset.id).await?;
    drop(open);
    if differs {
        return Err(Error::BooksDiffer(asset.symbol).into());
    }
    let amount = ferrex_money::parse(&asked.amount, asset.decimals)
        .map_err(|error| field("payment.amount.invalid", "amount", error.to_string()))?;
    if amount.is_zero() || amount < asset.terms.withdrawal_minimum {
        let least = asset.terms.withdrawal_minimum.max(Amount::new(1));
        let message = format!(
            "the smallest withdrawal is {} {}",
            asset.text(least),
            asset.symbol
        );
        return Err(field("payment.withdrawal.below_minimum", "amount", message));
    }
    if !asset.terms.withdrawals_enabled || !network.enabled || native.is_none() {
        return Err(Error::AssetResting(asset.symbol).into());
    }
    let native = native.expect("checked right above");
    match owner {
        Some(owner) if owner == user => {
            return Err(field(
                "payment.withdrawal.own_address",
                "address",
                "this is your own deposit address",
            ));
        }
        Some(_) => {}
        None if wallet.is_some_and(|wallet| wallet.hot_wallet == payee) => {
            return Err(field(
                "payment.withdrawal.house_address",
                "address",
                "this address is ours and belongs to nobody",
            ));
        }
        None if is_token => {
            let message = "this is the contract of a token; what is sent there is lost";
            return Err(field("payment.withdrawal.contract_address", "address", message));
        }
        None => refuse_contract(context, &network, payee).await?,
    }
    let fee = if owner.is_some() {
        Amount::ZERO
    } else {
        asset.terms.withdrawal_fee
    };
    let total = amount.checked_add(fee);
    let total = total.ok_or_else(|| field("payment.amount.invalid", "amount", "the amount is too large"))?;
    let needs_approval = owner.is_none() && amount > asset.terms.approval_threshold;
    Ok(Quote {
        asset,
        network,
        native,
        payee,
        internal: owner,
        amount,
        fee,
        total,
        needs_approval,
    })
}

fn parse_address(text: &str, network: &Network) -> Result<EvmAddress, Fault> {
    let code = "payment.withdrawal.address_invalid";
    let address = EvmAddress::parse(text).map_err(|error| {
        let message = if looks_like_another_family(text) {
            format!(
                "this looks like an address of another kind of network, not of {}",
                network.name
            )
        } else {
            error.to_string()
        };
        field(code, "address", message)
    })?;
    address
        .check_payee()
        .map_err(|error| field(code, "address", error.to_string()))?;
    Ok(address)
}

/// Bitcoin and its kin (bech32 or base58), Tron, XRP, Stellar and the like: no `0x`, letters and digits only.
fn looks_like_another_family(text: &str) -> bool {
    let bech32 = ["bc1", "tb1", "ltc1", "bcrt1", "rltc1", "addr1", "cosmos1"]
        .iter()
        .any(|start| text.starts_with(start));
    let base58 = (25..=56).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !text.starts_with("0x");
    bech32 || base58 && !text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A contract may keep what it cannot send on. Accounts that only delegate to code (EIP-7702) are people's.
async fn refuse_contract(context: &Context, network: &Network, payee: EvmAddress) -> Result<(), Fault> {
    let unavailable = |error: ferrex_chains::evm::RpcError| {
        Fault::new(
            ferrex_fault::Kind::Unavailable,
            "payment.network.unreachable",
            error.to_string(),
        )
    };
    let code = context
        .nodes
        .of(network)?
        .code(payee)
        .await
        .map_err(unavailable)?;
    if code.is_empty() || code.len() == 23 && code.starts_with(&[0xef, 0x01, 0x00]) {
        return Ok(());
    }
    let message = "this address is a contract, which may not be able to send on what it receives";
    Err(field("payment.withdrawal.contract_address", "address", message))
}

/// Whether the person may take money out at all.
async fn check_person(context: &Context, user: UserId, quote: &Quote) -> Result<(), Fault> {
    let person = customer::store::get(&mut *connection(context).await?, user).await?;
    if person.frozen {
        return Err(Error::Frozen.into());
    }
    if person.level < 1 {
        return Err(Error::LevelTooLow.into());
    }
    if let Some(until) = person.rest_until
        && context.clock.now() < until
    {
        return Err(Error::Resting(until).into());
    }
    let owner = Owner::User(user.uuid());
    let balances = context.engine.balances(owner).await?;
    if balances
        .iter()
        .any(|balance| balance.key.account.purpose == Purpose::Debt && !balance.total.is_zero())
    {
        return Err(Error::Owing.into());
    }
    // Only to say no before a code is used up; what counts is the hold.
    let wallet = Account {
        owner,
        purpose: Purpose::Wallet,
    };
    let found = balances
        .iter()
        .find(|balance| balance.key.account == wallet && balance.key.asset == quote.asset.id);
    let available = found
        .and_then(|balance| balance.total.checked_sub(balance.held))
        .unwrap_or(Amount::ZERO);
    if available < quote.total {
        return Err(Error::Insufficient(quote.asset.symbol.clone()).into());
    }
    Ok(())
}

/// Asks for a withdrawal. A repeat under the same key is given the first one, whatever has become of it.
pub async fn create(
    payment: &Payment,
    user: UserId,
    key: &str,
    asked: &Asked,
    code: &str,
) -> Result<WithdrawalId, Fault> {
    let context = &payment.context;
    let bound = Bound::new(user, key, "withdrawal", asked);
    if let Some(resource) = bound.find(&mut *connection(context).await?).await?? {
        return finish(payment, WithdrawalId::from_uuid(resource), Call::Repeat).await;
    }
    let quote = quote(context, user, asked).await?;
    check_person(context, user, &quote).await?;
    verify_second_factor(context, &bound, code).await?;

    let at = context.clock.now();
    let id = WithdrawalId::new_at(context.clock.unix_ms());
    let facts = facts(context, user, id, &quote, at);
    let mut tx = context.db.begin().await?;
    if !bound.bind(&mut tx, id.uuid(), at).await? {
        drop(tx);
        let resource = bound.find(&mut *connection(context).await?).await??;
        let first = resource.ok_or(Error::NotFound)?;
        return finish(payment, WithdrawalId::from_uuid(first), Call::Repeat).await;
    }
    store::insert(&mut tx, &facts, quote.payee).await?;
    payment
        .withdrawals
        .start(
            &mut tx,
            id.cast(),
            State::new(facts),
            Input::Begin,
            &Actor::user(user),
        )
        .await?;
    tx.commit().await.map_err(DbError::Commit)?;
    finish(payment, id, Call::First).await
}

/// Has the hold decided, if it is not yet; a refused hold is the same refusal each time it is asked for.
async fn finish(payment: &Payment, id: WithdrawalId, call: Call) -> Result<WithdrawalId, Fault> {
    let undecided = |state: &State| state.phase == Phase::Requested;
    let state = state_of(&payment.withdrawals, id.cast(), call, undecided).await?;
    let mut state = state.ok_or(Error::NotFound)?;
    if state.phase == Phase::Requested {
        // No answer is no refusal: the flow goes on with the same command, and the caller sees it as requested.
        if let Ok(outcome) = payment.context.engine.submit(state.hold_command()).await {
            state = payment
                .withdrawals
                .send(id.cast(), Input::HoldAnswered { outcome }, &Actor::SYSTEM)
                .await?;
        }
    }
    match state.phase {
        Phase::Refused { .. } => Err(Error::Insufficient(state.facts.symbol).into()),
        _ => Ok(id),
    }
}

async fn verify_second_factor(context: &Context, bound: &Bound<'_>, code: &str) -> Result<(), Fault> {
    let binding = Sha256::new()
        .chain_update(bound.fingerprint)
        .chain_update(bound.key)
        .finalize();
    let request = VerifySecondFactor {
        user: bound.user,
        code: code.to_owned(),
        action: "payment.withdrawal".to_owned(),
        binding: hex::encode(binding),
    };
    let within = Duration::from_millis(context.config.request_timeout_ms);
    context.bus.request(bound.user, &request, within).await?;
    Ok(())
}

fn facts(
    context: &Context,
    user: UserId,
    withdrawal: WithdrawalId,
    quote: &Quote,
    requested_at: ferrex_time::Timestamp,
) -> Facts {
    let mut facts = Facts {
        withdrawal,
        user,
        asset: quote.asset.id,
        symbol: quote.asset.symbol.clone(),
        decimals: quote.asset.decimals,
        amount: quote.amount,
        fee: quote.fee,
        network: quote.network.key.clone(),
        contract: quote.asset.contract.map(|contract| contract.to_string()),
        native: quote.native.id,
        payee: quote.payee.to_string(),
        internal: quote.internal,
        needs_approval: quote.needs_approval,
        content_hash: String::new(),
        requested_at,
        patience: Patience {
            look_every_ms: context.config.payment_look_ms,
            replace_after_ms: context.config.payment_replace_ms,
        },
    };
    let content = serde_json::to_vec(&facts).expect("facts are plain data");
    facts.content_hash = hex::encode(Sha256::digest(content));
    facts
}

/// Cancels a person's own withdrawal, if the signer does not have it yet (H033).
pub async fn cancel(payment: &Payment, user: UserId, id: WithdrawalId) -> Result<(), Fault> {
    let row = store::find(&mut *connection(&payment.context).await?, id).await?;
    if row.is_none_or(|row| row.user != user) {
        return Err(Error::NotFound.into());
    }
    let view = payment.withdrawals.get(id.cast()).await?.ok_or(Error::NotFound)?;
    if is_cancelled(&view.state) {
        return Ok(());
    }
    match payment
        .withdrawals
        .send(id.cast(), Input::Cancel, &Actor::user(user))
        .await
    {
        Ok(_) => Ok(()),
        Err(error) => {
            // Cancelled twice at once: the second is as good as the first.
            let again = payment.withdrawals.get(id.cast()).await?;
            if again.is_some_and(|view| is_cancelled(&view.state)) {
                Ok(())
            } else {
                Err(error.into())
            }
        }
    }
}

fn is_cancelled(state: &State) -> bool {
    use super::model::Ending;
    matches!(
        state.phase,
        Phase::Releasing {
            ending: Ending::Cancelled,
            ..
        } | Phase::Ended {
            ending: Ending::Cancelled
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h039_addresses_of_other_families_are_recognised() {
        for text in [
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
        ] {
            assert!(looks_like_another_family(text), "{text}");
        }
        for text in [
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "70997970c51812dc3a010c7d01b50e0d17dc79c8",
            "",
            "abc",
        ] {
            assert!(!looks_like_another_family(text), "{text}");
        }
    }
}
