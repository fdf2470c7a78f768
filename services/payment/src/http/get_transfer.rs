use axum::extract::State;
use ferrex_ids::TransferId;
use ferrex_web::{Caller, Json, Path, Problem};

use super::views::{Assets, TransferView, connection, transfer};
use crate::Payment;
use crate::transfer::{Error, store};

/// Shows a transfer that you made or received
#[utoipa::path(get, path = "/v1/transfers/{id}", tag = "transfers", operation_id = "get_transfer",
    security(("bearer" = [])), params(("id" = String, Path, pattern = "^trf_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The transfer's id.")),
    responses((status = 200, description = "The transfer.", body = TransferView)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Path(id): Path<TransferId>,
) -> Result<Json<TransferView>, Problem> {
    let mut open = connection(&payment).await?;
    let row = store::find(&mut open, id).await?;
    // The receiver sees it once it was paid; nobody else ever.
    let row = row
        .filter(|row| row.from == caller.user || row.to == caller.user && row.status == "completed")
        .ok_or(Error::NotFound)?;
    let assets = Assets::read(&mut open).await?;
    Ok(Json(transfer(row, caller.user, &assets)?))
}
