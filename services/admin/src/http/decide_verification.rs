use axum::extract::State;
use ferrex_contracts::core::{self, GetVerification};
use ferrex_contracts::{Decision as Decided, StaffAction};
use ferrex_ids::VerificationId;
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::input::reason;
use super::views::VerificationView;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// Yes or no.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decision {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Approve => Self::Approve,
            Decision::Reject => Self::Reject,
        }
    }
}

/// The decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideVerification {
    /// Yes or no.
    decision: Decision,
    /// For the audit log; the reason of a rejection is told to the person.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Decides a submission for an identity level
#[utoipa::path(
    post, path = "/v1/verifications/{id}/decision", operation_id = "decide_verification", tag = "verifications",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^ver_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The submission.")),
    request_body = DecideVerification,
    responses(
        (status = 200, description = "The submission as of now.", body = VerificationView),
        (status = 409, description = "It was decided otherwise before.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(verification): Path<VerificationId>,
    Json(body): Json<DecideVerification>,
) -> Result<Json<VerificationView>, Problem> {
    let reason = reason(&body.reason)?;
    let before = admin.ask(verification, &GetVerification { verification }).await?;
    let what = Act {
        action: match body.decision {
            Decision::Approve => "verification.approve",
            Decision::Reject => "verification.reject",
        },
        subject: verification.to_string(),
        reason: Some(reason.clone()),
        before: Some(state(&before)),
    };
    let by = StaffAction {
        staff: actor.staff,
        reason,
    };
    let request = core::DecideVerification {
        verification,
        decision: body.decision.into(),
        by,
    };
    Ok(Json(
        act(&admin, &actor, what, verification.to_string(), request, state)
            .await?
            .into(),
    ))
}

/// What the audit log keeps of a submission: nothing personal.
fn state(view: &core::VerificationView) -> Value {
    json!({ "user": view.user, "level": view.level, "state": view.state })
}
