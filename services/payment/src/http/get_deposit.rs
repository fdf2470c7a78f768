use axum::extract::State;
use ferrex_ids::DepositId;
use ferrex_web::{Caller, Json, Path, Problem};

use super::views::{Assets, DepositView, connection, deposit};
use crate::Payment;
use crate::deposit::store;

/// Shows one of your deposits
#[utoipa::path(get, path = "/v1/deposits/{id}", tag = "deposits", operation_id = "get_deposit",
    security(("bearer" = [])), params(("id" = String, Path, pattern = "^dep_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The deposit's id.")),
    responses((status = 200, description = "The deposit.", body = DepositView)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Path(id): Path<DepositId>,
) -> Result<Json<DepositView>, Problem> {
    let mut open = connection(&payment).await?;
    let row = store::find(&mut open, caller.user, id).await?;
    let row =
        row.ok_or_else(|| Problem::not_found("payment.deposit.not_found", "there is no such deposit"))?;
    let assets = Assets::read(&mut open).await?;
    Ok(Json(deposit(row, &assets)?))
}
