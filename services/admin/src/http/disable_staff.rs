use axum::extract::State;
use axum::http::StatusCode;
use ferrex_ids::StaffId;
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::input::reason;
use crate::sessions::Actor;
use crate::{Admin, staff};

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DisableStaff {
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Disables an account
///
/// Ends its sessions at once. Nobody disables their own.
#[utoipa::path(
    post, path = "/v1/staff/{id}/disable", operation_id = "disable_staff", tag = "staff",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^stf_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The account.")),
    request_body = DisableStaff,
    responses(
        (status = 204, description = "Nobody can log in with it any more."),
        (status = 409, description = "It is your own.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(id): Path<StaffId>,
    Json(body): Json<DisableStaff>,
) -> Result<StatusCode, Problem> {
    staff::disable(&admin, &actor, id, reason(&body.reason)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
