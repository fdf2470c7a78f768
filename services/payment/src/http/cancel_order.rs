use axum::extract::State;
use ferrex_ids::OrderId;
use ferrex_web::{Caller, Json, Path, Problem};

use super::order_views::{OrderView, order};
use crate::Payment;
use crate::order::change;

/// Cancels one of your orders
///
/// What it held is available again. Cancelling twice is the same as cancelling once.
#[utoipa::path(delete, path = "/v1/orders/{id}", tag = "trading", operation_id = "cancel_order",
    security(("bearer" = [])), params(("id" = String, Path, pattern = "^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The order's id.")),
    responses(
        (status = 200, description = "It is cancelled.", body = OrderView),
        (status = 409, description = "It is not open any more, or the market is halted.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderView>, Problem> {
    let cancelled = change::cancel(&payment, caller.user, id).await?;
    Ok(Json(order(cancelled.order, &cancelled.market)))
}
