use axum::extract::State;
use ferrex_web::{Caller, Json, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Payment;
use crate::order::change;

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CancelQuery {
    /// Only those of a market.
    market: Option<String>,
}

/// Where orders were cancelled.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CancelledView {
    /// Symbols of the markets; those where you had no open orders are left out.
    #[schema(example = json!(["ETH-USDT"]))]
    markets: Vec<String>,
}

/// Cancels all of your orders, or those of a market
///
/// In each market it is done at once and as a whole. Doing it twice is the same as doing it once.
#[utoipa::path(delete, path = "/v1/orders", tag = "trading", operation_id = "cancel_orders",
    security(("bearer" = [])), params(CancelQuery),
    responses(
        (status = 200, description = "None of them is open any more.", body = CancelledView),
        (status = 409, description = "A market is halted, so that orders in it stay; those of others are cancelled.",
         body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Query(query): Query<CancelQuery>,
) -> Result<Json<CancelledView>, Problem> {
    let markets = change::cancel_all(&payment, caller.user, query.market.as_deref()).await?;
    Ok(Json(CancelledView { markets }))
}
