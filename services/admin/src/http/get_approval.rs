use axum::extract::State;
use ferrex_ids::WithdrawalId;
use ferrex_web::{Json, Path, Problem};

use super::views::ApprovalView;
use crate::sessions::Actor;
use crate::{Admin, approvals};

/// Shows a withdrawal that waits or waited for staff
#[utoipa::path(
    get, path = "/v1/withdrawal-approvals/{id}", operation_id = "get_approval", tag = "approvals",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^wdr_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The withdrawal.")),
    responses((status = 200, description = "The withdrawal.", body = ApprovalView))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    _: Actor,
    Path(id): Path<WithdrawalId>,
) -> Result<Json<ApprovalView>, Problem> {
    Ok(Json(approvals::get(&admin, id).await?.into()))
}
