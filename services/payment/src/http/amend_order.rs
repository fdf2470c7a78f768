use axum::extract::State;
use ferrex_ids::OrderId;
use ferrex_web::{Caller, IdempotencyKey, Json, Path, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::order_views::{OrderView, order};
use crate::Payment;
use crate::order::change;
use crate::order::read::Change;

/// New values of an order; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AmendOrder {
    /// The new limit, in whole units of the quote asset.
    #[schema(example = "2500.5")]
    #[serde(default)]
    price: Option<String>,
    /// The new quantity in whole units of the base asset, what has traded included. At or below what has traded it ends
    /// the order.
    #[schema(example = "0.5")]
    #[serde(default)]
    quantity: Option<String>,
}

impl From<AmendOrder> for Change {
    fn from(body: AmendOrder) -> Self {
        Self {
            price: body.price,
            quantity: body.quantity,
        }
    }
}

/// Changes one of your open orders in place
///
/// Less quantity at the same price keeps its place in the queue; anything else puts it at the end, or trades at once.
#[utoipa::path(patch, path = "/v1/orders/{id}", tag = "trading", operation_id = "amend_order",
    security(("bearer" = [])), params(IdempotencyKey,
        ("id" = String, Path, pattern = "^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The order's id.")),
    request_body = AmendOrder,
    responses(
        (status = 200, description = "The order with its new values.", body = OrderView),
        (status = 403, description = "Your money was stopped.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is not open any more, waits for its stop price, the market does not take it, there is \
         not enough available, or the key was used for another request.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong or outside what the market allows.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Path(id): Path<OrderId>,
    Json(body): Json<AmendOrder>,
) -> Result<Json<OrderView>, Problem> {
    let amended = change::amend(&payment, caller.user, &key, id, &body.into()).await?;
    Ok(Json(order(amended.order, &amended.market)))
}
