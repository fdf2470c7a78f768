use axum::extract::State;
use ferrex_contracts::payment::ListMarkets;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::market_view::MarketView;
use crate::Admin;
use crate::sessions::Actor;

/// The markets.
#[derive(Serialize, ToSchema)]
pub(super) struct MarketList {
    /// All of them, by number.
    items: Vec<MarketView>,
}

/// Lists the markets
#[utoipa::path(
    get, path = "/v1/markets", operation_id = "list_markets", tag = "trading",
    security(("bearer" = [])),
    responses((status = 200, description = "The markets.", body = MarketList))
)]
pub(super) async fn handle(State(admin): State<Admin>, _: Actor) -> Result<Json<MarketList>, Problem> {
    let registry = admin.ask("", &ListMarkets {}).await?;
    Ok(Json(MarketList {
        items: registry.markets.into_iter().map(Into::into).collect(),
    }))
}
