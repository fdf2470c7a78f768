use axum::extract::State;
use ferrex_chains::evm::{B256, EvmAddress};
use ferrex_engine_core::Reason;
use ferrex_ids::{DepositId, OrderId, TransferId, UserId, WithdrawalId};
use ferrex_money::Amount;
use ferrex_time::Timestamp;
use ferrex_web::{Caller, Json, Page, PageQuery, Problem, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::{Assets, connection};
use crate::Payment;
use crate::registry::Asset;
use crate::statement::store::{self, MovementRow};

/// A movement of your money. Amounts are in whole units.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryItem {
    /// Its number, in the order in which things happened.
    sequence: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `deposit`, `deposit_reversal`, `transfer_in`, `transfer_out`, `withdrawal_hold`, `withdrawal`, `withdrawal_release`,
    /// `internal_deposit`, `internal_withdrawal`, `hold_expiry`, `trade` or `other`.
    #[schema(example = "deposit")]
    kind: &'static str,
    /// Symbol of the asset.
    #[schema(example = "ETH")]
    asset: String,
    /// By how much your balance changed; negative when money left.
    #[schema(example = "-0.501")]
    change: String,
    /// By how much the part that is set aside changed.
    #[schema(example = "-0.501")]
    held_change: String,
    /// By how much your debt changed.
    #[schema(example = "0")]
    debt_change: String,
    /// The part of it that was our fee.
    #[schema(required = false, example = "0.001")]
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<String>,
    /// User name of the other person of a transfer.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    counterparty: Option<String>,
    /// Note of a transfer.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Key of the network.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    /// The address that was paid.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Hash of the transaction on the network.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<String>,
    /// The deposit it is about.
    #[schema(required = false, value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit: Option<DepositId>,
    /// The withdrawal it is about.
    #[schema(required = false, value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawal: Option<WithdrawalId>,
    /// The transfer it is about.
    #[schema(required = false, value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer: Option<TransferId>,
    /// Symbol of the market of a trade.
    #[schema(required = false, example = "ETH-USDT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    market: Option<String>,
    /// Your order that traded; absent when one moment filled several of yours.
    #[schema(required = false, value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderId>,
}

/// `plus - minus` as decimal text with its sign.
fn difference(asset: &Asset, plus: Amount, minus: Amount) -> String {
    match plus.checked_sub(minus) {
        Some(more) => asset.text(more),
        None => format!("-{}", asset.text(minus.checked_sub(plus).unwrap_or(Amount::ZERO))),
    }
}

fn kind(reason: Option<Reason>, came_in: bool) -> &'static str {
    match reason {
        Some(Reason::Deposit) => "deposit",
        Some(Reason::DepositReversal) => "deposit_reversal",
        Some(Reason::Transfer) if came_in => "transfer_in",
        Some(Reason::Transfer) => "transfer_out",
        Some(Reason::WithdrawalHold) => "withdrawal_hold",
        Some(Reason::WithdrawalSettlement) => "withdrawal",
        Some(Reason::WithdrawalRelease) => "withdrawal_release",
        Some(Reason::InternalWithdrawal) if came_in => "internal_deposit",
        Some(Reason::InternalWithdrawal) => "internal_withdrawal",
        Some(Reason::HoldExpiry) => "hold_expiry",
        // Opening a market trades what has gathered in its auction.
        Some(Reason::Trading | Reason::MarketAdmin) => "trade",
        Some(Reason::HouseFunding | Reason::NetworkFee | Reason::Unclaimed) | None => "other",
    }
}

fn view(row: MovementRow, viewer: UserId, assets: &Assets) -> Result<HistoryItem, Problem> {
    let asset = assets.get(row.asset)?;
    let movement = &row.movement;
    let reason = Reason::from_code(row.reason);
    let mut item = HistoryItem {
        sequence: row.sequence,
        at: row.at,
        kind: kind(reason, movement.credited > movement.debited),
        asset: asset.symbol.clone(),
        change: difference(asset, movement.credited, movement.debited),
        held_change: difference(asset, movement.reserved, movement.released),
        debt_change: difference(asset, movement.owed, movement.repaid),
        fee: None,
        counterparty: None,
        note: None,
        network: None,
        address: None,
        transaction: None,
        deposit: None,
        withdrawal: None,
        transfer: None,
        market: None,
        order: None,
    };
    if let Some(trades) = row.trades {
        item.market = Some(trades.market);
        item.order = trades.order;
        item.fee = (!movement.fee.is_zero()).then(|| asset.text(movement.fee));
    }
    if let Some(transfer) = row.transfer {
        item.transfer = Some(TransferId::from_uuid(row.reference));
        item.counterparty = Some(if transfer.from == viewer {
            transfer.to_username
        } else {
            transfer.from_username
        });
        item.note = transfer.note;
    }
    let chain = |item: &mut HistoryItem, network, address, transaction: Option<[u8; 32]>| {
        item.network = Some(network);
        item.address = Some(EvmAddress::from_bytes(address).to_string());
        item.transaction = transaction.map(|hash| B256::new(hash).to_string());
    };
    if let Some(payment) = row.withdrawal {
        chain(&mut item, payment.network, payment.address, payment.transaction);
        // Who pays from inside the house is not told to the receiver.
        if payment.user == Some(viewer) {
            item.withdrawal = Some(WithdrawalId::from_uuid(row.reference));
            let fee = payment
                .fee
                .filter(|fee| reason == Some(Reason::WithdrawalSettlement) && !fee.is_zero());
            item.fee = fee.map(|fee| asset.text(fee));
        }
    }
    if let Some(payment) = row.deposit {
        chain(&mut item, payment.network, payment.address, payment.transaction);
        item.deposit = Some(DepositId::from_uuid(row.reference));
    }
    Ok(item)
}

/// Lists every movement of your money, newest first
#[utoipa::path(get, path = "/v1/history", tag = "statement", operation_id = "get_history",
    security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of movements.", body = Page<HistoryItem>)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<HistoryItem>>, Problem> {
    let (limit, below) = (page.limit()?, page.after::<(i64, i32)>()?);
    let mut open = connection(&payment).await?;
    let rows = store::list(&mut open, caller.user, below, i64::from(limit) + 1).await?;
    let assets = Assets::read(&mut open).await?;
    let place = |row: &MovementRow| (row.sequence.cast_signed(), row.asset.0.cast_signed());
    let page = Page::from_overfull(rows, limit, place, |row| view(row, caller.user, &assets));
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
