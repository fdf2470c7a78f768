use axum::extract::State;
use ferrex_ids::WithdrawalId;
use ferrex_web::{Caller, Json, Path, Problem};

use super::views::{WithdrawalView, own_withdrawal};
use crate::Payment;
use crate::withdrawal::request;

/// Cancels one of your withdrawals, if it is not being signed yet
///
/// Cancelling twice is the same as cancelling once.
#[utoipa::path(post, path = "/v1/withdrawals/{id}/cancel", tag = "withdrawals", operation_id = "cancel_withdrawal",
    security(("bearer" = [])), params(("id" = String, Path, pattern = "^wdr_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The withdrawal's id.")),
    responses(
        (status = 200, description = "It is cancelled, and its money released or about to be.", body = WithdrawalView),
        (status = 409, description = "It is too late.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Path(id): Path<WithdrawalId>,
) -> Result<Json<WithdrawalView>, Problem> {
    request::cancel(&payment, caller.user, id).await?;
    Ok(Json(own_withdrawal(&payment, caller.user, id).await?))
}
