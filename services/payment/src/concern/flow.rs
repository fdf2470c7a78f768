//! What staff see and do about what waits for them.

use std::time::Duration;

use ferrex_contracts::payment::{
    CloseDeposit, ConcernKind, Concerns, ListConcerns, NetworkView, ResumeWallet,
};
use ferrex_contracts::signer::AdvanceNonce;
use ferrex_contracts::{Done, StaffAction};
use ferrex_fault::Fault;
use ferrex_postgres::Error as DbError;

use super::{Error, store};
use crate::{Context, address, registry};

/// The longest reason that staff may give.
const REASON_CHARS_MAX: usize = 500;

/// The kinds, in the order they are shown.
const KINDS: [ConcernKind; 5] = [
    ConcernKind::BooksDiffer,
    ConcernKind::NetworkHalted,
    ConcernKind::ForeignTransaction,
    ConcernKind::DepositTooLarge,
    ConcernKind::DepositRefused,
];

/// Checks staff's reason.
pub fn check_reason(by: &StaffAction) -> Result<(), Error> {
    let reason = by.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(char::is_control)
    {
        return Err(Error::Reason(REASON_CHARS_MAX));
    }
    Ok(())
}

/// Everything that waits for people.
pub async fn list(context: &Context, _: ListConcerns) -> Result<Concerns, Fault> {
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let mut concerns = Vec::new();
    for kind in KINDS {
        concerns.extend(store::list(&mut connection, kind).await?);
    }
    Ok(Concerns { concerns })
}

/// Ends the wait of a deposit that the ledger cannot hold. Nothing is booked by it.
pub async fn close_deposit(context: &Context, request: CloseDeposit) -> Result<Done, Fault> {
    check_reason(&request.by)?;
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    match store::find_handling(&mut connection, request.deposit)
        .await?
        .as_deref()
    {
        None => return Err(Error::DepositNotFound.into()),
        Some("too_large") => {}
        Some(_) => return Err(Error::DepositInBooks.into()),
    }
    store::close_deposit(&mut connection, request.deposit, &request.by, context.clock.now()).await?;
    tracing::info!(deposit = %request.deposit, staff = %request.by.staff, reason = request.by.reason, "deposit closed");
    Ok(Done {})
}

/// Lets a wallet pay again that was used elsewhere (H027): the nonce that staff name must be what the chain expects, and
/// every transaction that was not signed here must be confirmed, so that none of them comes or goes afterwards.
pub async fn resume_wallet(context: &Context, request: ResumeWallet) -> Result<NetworkView, Fault> {
    check_reason(&request.by)?;
    let mut connection = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let network = registry::store::get_network(&mut connection, &request.network).await?;
    let read_to = registry::store::find_height(&mut connection, &network.key).await?;
    let foreign = store::find_foreign_nonce(&mut connection, &network.key).await?;
    drop(connection);
    let wallet = address::flow::wallet(context).await?.hot_wallet;
    let rpc = context.nodes.of(&network)?;
    let deep = (read_to.unwrap_or(0) + 1).saturating_sub(network.confirmations.into());
    let confirmed = rpc.nonce_at(wallet, deep).await?;
    let chain = rpc.next_nonce(wallet).await?;
    if chain != request.next_nonce {
        return Err(Error::NonceDiffers { chain, confirmed }.into());
    }
    if let Some(nonce) = foreign.filter(|nonce| *nonce >= confirmed) {
        return Err(Error::NotConfirmed { nonce }.into());
    }
    let advance = AdvanceNonce {
        chain_id: network.chain_id,
        next_nonce: request.next_nonce,
        by: request.by.clone(),
    };
    let within = Duration::from_millis(context.config.request_timeout_ms);
    context.bus.request(&network.key, &advance, within).await?;
    let mut tx = context.db.begin().await?;
    let now = context.clock.now();
    store::release_wallet(&mut tx, &network.key, request.next_nonce, &request.by, now).await?;
    let network = registry::store::get_network(&mut tx, &network.key).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    tracing::warn!(network = network.key, nonce = request.next_nonce, staff = %request.by.staff, reason = request.by.reason, "the wallet pays again");
    Ok(network.view(Some(wallet), read_to))
}
