use axum::extract::State;
use axum::http::StatusCode;
use ferrex_contracts::{StaffAction, payment};
use ferrex_ids::DepositId;
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::input::reason;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// What was done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseDeposit {
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Closes a deposit that the ledger cannot hold
///
/// Nothing is booked by it; it says that people have done what can be done.
#[utoipa::path(
    post, path = "/v1/deposits/{id}/closing", operation_id = "close_deposit", tag = "concerns",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^dep_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The deposit.")),
    request_body = CloseDeposit,
    responses(
        (status = 204, description = "It does not wait any more."),
        (status = 409, description = "It is in the books.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(deposit): Path<DepositId>,
    Json(body): Json<CloseDeposit>,
) -> Result<StatusCode, Problem> {
    let reason = reason(&body.reason)?;
    let what = Act {
        action: "deposit.close",
        subject: deposit.to_string(),
        reason: Some(reason.clone()),
        before: None,
    };
    let by = StaffAction {
        staff: actor.staff,
        reason,
    };
    let request = payment::CloseDeposit { deposit, by };
    act(&admin, &actor, what, deposit.to_string(), request, |_| json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}
