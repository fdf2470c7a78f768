use axum::extract::State;
use ferrex_contracts::payment::ListAssets;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::{AssetView, NetworkView};
use crate::Admin;
use crate::sessions::Actor;

/// All networks and assets.
#[derive(Serialize, ToSchema)]
pub(super) struct RegistryView {
    /// All networks.
    networks: Vec<NetworkView>,
    /// All assets.
    assets: Vec<AssetView>,
}

/// Lists networks and assets
#[utoipa::path(
    get, path = "/v1/assets", operation_id = "list_assets", tag = "registry",
    security(("bearer" = [])),
    responses((status = 200, description = "The registry.", body = RegistryView))
)]
pub(super) async fn handle(State(admin): State<Admin>, _: Actor) -> Result<Json<RegistryView>, Problem> {
    let registry = admin.ask("", &ListAssets {}).await?;
    let networks = registry.networks.into_iter().map(NetworkView::from).collect();
    let assets = registry.assets.into_iter().map(AssetView::from).collect();
    Ok(Json(RegistryView { networks, assets }))
}
