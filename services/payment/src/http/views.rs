//! What more than one endpoint shows.

use std::collections::HashMap;

use ferrex_ids::{DepositId, TransferId, UserId, WithdrawalId};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;
use ferrex_web::Problem;
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::pool::PoolConnection;
use utoipa::ToSchema;

use crate::deposit::store::DepositRow;
use crate::registry::{self, Asset};
use crate::transfer::store::TransferRow;
use crate::withdrawal::store::WithdrawalRow;
use crate::{Payment, withdrawal};

/// A connection for a handler's reads.
pub(super) async fn connection(payment: &Payment) -> Result<PoolConnection<sqlx::Postgres>, Problem> {
    Ok(payment
        .context
        .db
        .pool()
        .acquire()
        .await
        .map_err(DbError::Connect)?)
}

/// The registry's assets by number, for symbols and decimals.
pub(super) struct Assets(HashMap<AssetId, Asset>);

impl Assets {
    /// Reads them.
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, Problem> {
        let assets = registry::store::list_assets(connection).await?;
        Ok(Self(assets.into_iter().map(|asset| (asset.id, asset)).collect()))
    }

    /// One of them; what rows refer to exists for ever.
    pub(super) fn get(&self, id: AssetId) -> Result<&Asset, Problem> {
        let missing = || {
            let detail = format!("asset {id} is not in the registry");
            ferrex_fault::Fault::new(ferrex_fault::Kind::Internal, "payment.asset.missing", detail)
        };
        Ok(self.0.get(&id).ok_or_else(missing)?)
    }
}

/// A deposit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DepositView {
    /// Which.
    #[schema(value_type = String, example = "dep_01kb3x2y6s7v8w9x0y1z2a3b4c")]
    id: DepositId,
    /// Symbol of the asset.
    #[schema(example = "ETH")]
    asset: String,
    /// Key of the network.
    #[schema(example = "ethereum")]
    network: String,
    /// How much, in whole units.
    #[schema(example = "1.5")]
    amount: String,
    /// The address that was paid.
    address: String,
    /// Hash of the transaction.
    transaction: String,
    /// `confirming`, `crediting`, `credited`, `below_minimum` (recorded, not credited), `too_large` (our staff look at it),
    /// `dropped` (left the chain before it was credited), `reversing`, `reversed` (left the chain afterwards).
    #[schema(example = "confirming")]
    status: String,
    /// Confirmations so far.
    #[schema(example = 3)]
    confirmations: u32,
    /// Confirmations it needs.
    #[schema(example = 12)]
    confirmations_needed: u32,
    /// When it was first seen.
    #[schema(value_type = String, format = DateTime)]
    seen_at: Timestamp,
}

/// A deposit as its owner sees it.
pub(super) fn deposit(row: DepositRow, assets: &Assets) -> Result<DepositView, Problem> {
    let asset = assets.get(row.asset)?;
    // What does not fit the ledger is shown in smallest units, exact and whole.
    let amount = u128::try_from(row.amount)
        .map_or_else(|_| row.amount.to_string(), |units| asset.text(Amount::new(units)));
    let confirmations = row.confirmations();
    Ok(DepositView {
        id: row.id,
        asset: asset.symbol.clone(),
        network: row.network,
        amount,
        address: row.address.to_string(),
        transaction: row.txid.to_string(),
        status: row.status,
        confirmations,
        confirmations_needed: row.confirmations_needed,
        seen_at: row.seen_at,
    })
}

/// A transfer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransferView {
    /// Which.
    #[schema(value_type = String, example = "trf_01kb3x2y6s7v8w9x0y1z2a3b4c")]
    id: TransferId,
    /// `out` when you paid, `in` when you received.
    #[schema(example = "out")]
    direction: &'static str,
    /// User name of the other person.
    #[schema(example = "ben")]
    counterparty: String,
    /// Symbol of the asset.
    #[schema(example = "ETH")]
    asset: String,
    /// How much, in whole units.
    #[schema(example = "0.25")]
    amount: String,
    /// What the payer wrote.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// `requested` (the outcome is not known yet), `completed` or `refused`.
    #[schema(example = "completed")]
    status: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A transfer as one of its two people sees it.
pub(super) fn transfer(row: TransferRow, viewer: UserId, assets: &Assets) -> Result<TransferView, Problem> {
    let asset = assets.get(row.asset)?;
    let paid = row.from == viewer;
    Ok(TransferView {
        id: row.id,
        direction: if paid { "out" } else { "in" },
        counterparty: if paid { row.to_username } else { row.from_username },
        asset: asset.symbol.clone(),
        amount: asset.text(row.amount),
        note: row.note,
        status: row.status,
        created_at: row.created_at,
    })
}

/// A withdrawal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WithdrawalView {
    /// Which.
    #[schema(value_type = String, example = "wdr_01kb3x2y6s7v8w9x0y1z2a3b4c")]
    id: WithdrawalId,
    /// Symbol of the asset.
    #[schema(example = "ETH")]
    asset: String,
    /// Key of the network.
    #[schema(example = "ethereum")]
    network: String,
    /// Where to.
    address: String,
    /// What the payee receives, in whole units.
    #[schema(example = "0.5")]
    amount: String,
    /// What it costs on top.
    #[schema(example = "0.001")]
    fee: String,
    /// Whether the address is one of ours, so that it is paid at once and without fee.
    internal: bool,
    /// `requested`, `awaiting_approval`, `preparing`, `signing`, `broadcasting`, `confirming`, `settling`, `settled`, `releasing`,
    /// `cancelled`, `rejected`, `failed` or `refused`.
    #[schema(example = "confirming")]
    status: String,
    /// What it waits for.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
    /// Hash of the transaction, once there is one; it may change until the withdrawal is settled.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<String>,
    /// Whether it can still be cancelled.
    can_cancel: bool,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
}

/// A withdrawal as its owner sees it.
pub(super) fn withdrawal(row: WithdrawalRow, assets: &Assets) -> Result<WithdrawalView, Problem> {
    let asset = assets.get(row.asset)?;
    Ok(WithdrawalView {
        id: row.id,
        asset: asset.symbol.clone(),
        network: row.network,
        address: row.address.to_string(),
        amount: asset.text(row.amount),
        fee: asset.text(row.fee),
        internal: row.internal,
        can_cancel: row.transaction.is_none()
            && matches!(row.status.as_str(), "awaiting_approval" | "preparing"),
        status: row.status,
        waiting_for: row.waiting_for,
        transaction: row.transaction.map(|hash| hash.to_string()),
        requested_at: row.requested_at,
    })
}

/// A person's own withdrawal with what it waits for, or the refusal that it is not there.
pub(super) async fn own_withdrawal(
    payment: &Payment,
    user: UserId,
    id: WithdrawalId,
) -> Result<WithdrawalView, Problem> {
    let mut open = connection(payment).await?;
    let row = withdrawal::store::find(&mut open, id)
        .await?
        .filter(|row| row.user == user);
    let mut row = row.ok_or(withdrawal::Error::NotFound)?;
    let assets = Assets::read(&mut open).await?;
    drop(open);
    row.waiting_for = withdrawal::decide::waiting_for(payment, id, row.waiting_for).await?;
    self::withdrawal(row, &assets)
}

impl WithdrawalView {
    /// Whether it is not known yet that the money is set aside.
    pub(super) fn is_undecided(&self) -> bool {
        self.status == "requested"
    }
}
