use axum::extract::State;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::connection;
use crate::{Payment, registry};

/// The networks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Networks {
    /// All of them that are in use.
    items: Vec<Network>,
}

/// A network.
#[derive(Debug, Serialize, ToSchema)]
struct Network {
    /// Its key.
    #[schema(example = "ethereum")]
    key: String,
    /// Its name.
    #[schema(example = "Ethereum")]
    name: String,
    /// Its chain id.
    #[schema(example = 1)]
    chain_id: u64,
    /// Confirmations that a deposit needs.
    #[schema(example = 12)]
    confirmations: u32,
    /// Whether withdrawals rest at present.
    withdrawals_rest: bool,
}

/// Lists the networks
#[utoipa::path(get, path = "/v1/networks", tag = "registry", operation_id = "list_networks",
    responses((status = 200, description = "The networks.", body = Networks)))]
pub(super) async fn handle(State(payment): State<Payment>) -> Result<Json<Networks>, Problem> {
    let networks = registry::store::list_networks(&mut *connection(&payment).await?).await?;
    let items = networks
        .into_iter()
        .filter(|network| network.enabled)
        .map(|network| Network {
            withdrawals_rest: network.halted_because.is_some(),
            key: network.key,
            name: network.name,
            chain_id: network.chain_id,
            confirmations: network.confirmations,
        })
        .collect();
    Ok(Json(Networks { items }))
}
