//! Giving out addresses, and learning the wallet from the signer.

use std::time::Duration;

use ferrex_chains::evm::{AccountXpub, XpubError};
use ferrex_contracts::signer::DescribeWallet;
use ferrex_fault::Fault;
use ferrex_ids::UserId;
use ferrex_postgres::Error as DbError;

use super::Error;
use super::store::{self, DepositAddress, Wallet};
use crate::{Context, registry};

/// The wallet; asked of the signer when it is not known yet.
pub async fn wallet(context: &Context) -> Result<Wallet, Fault> {
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    if let Some(wallet) = store::find_wallet(&mut connection).await? {
        return Ok(wallet);
    }
    drop(connection);
    learn_wallet(context).await
}

/// Asks the signer for its wallet and compares it with the one that is known. Another one is refused: its addresses
/// would look like ours and its keys would not open the old ones.
pub async fn learn_wallet(context: &Context) -> Result<Wallet, Fault> {
    let within = Duration::from_millis(context.config.request_timeout_ms);
    let view = context.bus.request("evm", &DescribeWallet {}, within).await?;
    let unusable = |reason: String| Error::Wallet(reason);
    let xpub = AccountXpub::parse(&view.evm_account_xpub).map_err(|error| unusable(error.to_string()))?;
    let hot_wallet = xpub.hot_wallet();
    if hot_wallet.to_string() != view.evm_hot_wallet {
        return Err(unusable("its hot wallet does not follow from its public key".to_owned()).into());
    }
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    store::insert_wallet(
        &mut connection,
        &view.evm_account_xpub,
        hot_wallet,
        context.clock.now(),
    )
    .await?;
    let known = store::find_wallet(&mut connection).await?;
    match known {
        Some(known) if known.xpub == view.evm_account_xpub => Ok(known),
        _ => Err(unusable("it is another one than before".to_owned()).into()),
    }
}

/// A person's current address on a network, made when there is none; with `renew`, a new one once the current was
/// used. The flag says whether it is new.
pub async fn give(
    context: &Context,
    user: UserId,
    network: &str,
    renew: bool,
) -> Result<(DepositAddress, bool), Fault> {
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let network = registry::store::get_network(&mut connection, network).await?;
    let current = store::find_current(&mut connection, user, &network.key).await?;
    drop(connection);
    if let (Some(current), false) = (current, renew) {
        return Ok((current, false));
    }
    if !network.enabled {
        return Err(Error::NetworkResting(network.key).into());
    }
    wallet(context).await?;
    let mut tx = context.db.begin().await?;
    let wallet = store::lock_wallet(&mut tx).await?;
    let wallet = wallet.ok_or_else(|| Error::Wallet("it has vanished".to_owned()))?;
    // Under the lock: of two calls at once the second finds the first's address.
    if let Some(current) = store::find_current(&mut tx, user, &network.key).await? {
        if !renew {
            return Ok((current, false));
        }
        if !store::is_used(&mut tx, current.address).await? {
            return Err(Error::Unused(network.key).into());
        }
    }
    let xpub = AccountXpub::parse(&wallet.xpub).map_err(|error| Error::Wallet(error.to_string()))?;
    let mut index = wallet.next_index;
    let address = loop {
        match xpub.deposit_address(index) {
            Ok(address) => break address,
            // Once in 2^127 there is no key at an index.
            Err(XpubError::NoKey) => index += 1,
            Err(error) => return Err(Error::Wallet(error.to_string()).into()),
        }
    };
    let at = context.clock.now();
    store::set_next_index(&mut tx, index + 1).await?;
    store::insert_current(&mut tx, user, &network.key, address, index, at).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    Ok((
        DepositAddress {
            address,
            network: network.key,
            current: true,
            created_at: at,
        },
        true,
    ))
}
