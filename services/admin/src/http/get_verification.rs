use axum::extract::State;
use ferrex_contracts::core::GetVerification;
use ferrex_ids::VerificationId;
use ferrex_web::{Json, Path, Problem};

use super::views::VerificationView;
use crate::Admin;
use crate::sessions::Actor;

/// Shows a submission for an identity level
#[utoipa::path(
    get, path = "/v1/verifications/{id}", operation_id = "get_verification", tag = "verifications",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^ver_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The submission.")),
    responses((status = 200, description = "The submission.", body = VerificationView))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    _: Actor,
    Path(verification): Path<VerificationId>,
) -> Result<Json<VerificationView>, Problem> {
    Ok(Json(
        admin
            .ask(verification, &GetVerification { verification })
            .await?
            .into(),
    ))
}
