use axum::extract::State;
use ferrex_ids::WithdrawalId;
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::decide_verification::Decision;
use super::input::reason;
use super::views::ApprovalView;
use crate::sessions::Actor;
use crate::{Admin, approvals};

/// The decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideApproval {
    /// Yes or no.
    decision: Decision,
    /// `content_hash` of the withdrawal as you looked at it.
    content_hash: String,
    /// For the audit log; the reason of a rejection is told to the person.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Decides a withdrawal that waits for staff
#[utoipa::path(
    post, path = "/v1/withdrawal-approvals/{id}/decision", operation_id = "decide_approval", tag = "approvals",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^wdr_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The withdrawal.")),
    request_body = DecideApproval,
    responses(
        (status = 200, description = "The withdrawal as of now.", body = ApprovalView),
        (status = 409, description = "It waits no longer, or is no longer what you looked at.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(id): Path<WithdrawalId>,
    Json(body): Json<DecideApproval>,
) -> Result<Json<ApprovalView>, Problem> {
    let reason = reason(&body.reason)?;
    approvals::decide(
        &admin,
        &actor,
        id,
        body.decision.into(),
        body.content_hash,
        reason,
    )
    .await?;
    Ok(Json(approvals::get(&admin, id).await?.into()))
}
