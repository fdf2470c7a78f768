use axum::extract::State;
use ferrex_web::{Caller, Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Payment;
use crate::statement::balances;

/// What you have.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BalancesView {
    /// Number of the last movement that is contained; it only rises.
    sequence: u64,
    /// By asset.
    items: Vec<BalanceView>,
}

/// What you have of one asset, in whole units.
#[derive(Debug, Serialize, ToSchema)]
struct BalanceView {
    /// Symbol of the asset.
    #[schema(example = "ETH")]
    asset: String,
    /// Spendable.
    #[schema(example = "1.25")]
    available: String,
    /// Set aside for withdrawals under way.
    #[schema(example = "0.5")]
    held: String,
    /// Seen on its network, waiting for confirmations; not spendable.
    #[schema(example = "0")]
    pending: String,
    /// Owed, after a deposit vanished from its network that was spent already.
    #[schema(example = "0")]
    owed: String,
}

/// Shows your balances
#[utoipa::path(get, path = "/v1/balances", tag = "statement", operation_id = "get_balances", security(("bearer" = [])),
    responses((status = 200, description = "Your balances.", body = BalancesView)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
) -> Result<Json<BalancesView>, Problem> {
    let balances = balances::read(&payment.context, caller.user).await?;
    let items = balances
        .assets
        .into_iter()
        .map(|balance| BalanceView {
            available: balance.asset.text(balance.available),
            held: balance.asset.text(balance.held),
            pending: balance.asset.text(balance.pending),
            owed: balance.asset.text(balance.owed),
            asset: balance.asset.symbol,
        })
        .collect();
    Ok(Json(BalancesView {
        sequence: balances.sequence,
        items,
    }))
}
