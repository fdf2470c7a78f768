use axum::extract::State;
use ferrex_ids::OrderId;
use ferrex_web::{Caller, Json, Path, Problem};

use super::order_views::{Markets, OrderView, order};
use super::views::connection;
use crate::Payment;
use crate::order::{Error, shown, store};

/// Shows one of your orders
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "trading", operation_id = "get_order",
    security(("bearer" = [])), params(("id" = String, Path, pattern = "^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The order's id.")),
    responses((status = 200, description = "The order.", body = OrderView)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderView>, Problem> {
    shown::wait(&payment.context, caller.user).await?;
    let mut open = connection(&payment).await?;
    let row = store::find(&mut open, caller.user, id).await?;
    let row = row.filter(|row| row.refusal.is_none()).ok_or(Error::NotFound)?;
    let markets = Markets::read(&mut open).await?;
    let market = markets.get(row.market)?;
    Ok(Json(order(row, market)))
}
