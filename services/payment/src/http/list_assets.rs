use axum::extract::State;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::connection;
use crate::{Payment, registry};

/// The assets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssetList {
    /// All of them.
    items: Vec<AssetItem>,
}

/// An asset. Amounts are in whole units.
#[derive(Debug, Serialize, ToSchema)]
struct AssetItem {
    /// Its symbol.
    #[schema(example = "ETH")]
    symbol: String,
    /// Its name.
    #[schema(example = "Ether")]
    name: String,
    /// Key of its network.
    #[schema(example = "ethereum")]
    network: String,
    /// Contract of a token; absent for the network's own coin.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<String>,
    /// Decimal places of an amount.
    #[schema(minimum = 0, maximum = 30, example = 18)]
    decimals: u8,
    /// Smaller deposits are recorded but not credited.
    #[schema(example = "0.001")]
    deposit_minimum: String,
    /// The smallest withdrawal.
    #[schema(example = "0.01")]
    withdrawal_minimum: String,
    /// What a withdrawal costs.
    #[schema(example = "0.001")]
    withdrawal_fee: String,
    /// Whether deposits are credited at present.
    deposits_enabled: bool,
    /// Whether withdrawals are taken at present.
    withdrawals_enabled: bool,
}

/// Lists the assets
#[utoipa::path(get, path = "/v1/assets", tag = "registry", operation_id = "list_assets",
    responses((status = 200, description = "The assets.", body = AssetList)))]
pub(super) async fn handle(State(payment): State<Payment>) -> Result<Json<AssetList>, Problem> {
    let assets = registry::store::list_assets(&mut *connection(&payment).await?).await?;
    let items = assets
        .into_iter()
        .map(|asset| AssetItem {
            contract: asset.contract.map(|contract| contract.to_string()),
            decimals: asset.decimals.places(),
            deposit_minimum: asset.text(asset.terms.deposit_minimum),
            withdrawal_minimum: asset.text(asset.terms.withdrawal_minimum),
            withdrawal_fee: asset.text(asset.terms.withdrawal_fee),
            deposits_enabled: asset.terms.deposits_enabled,
            withdrawals_enabled: asset.terms.withdrawals_enabled,
            symbol: asset.symbol,
            name: asset.name,
            network: asset.network,
        })
        .collect();
    Ok(Json(AssetList { items }))
}
