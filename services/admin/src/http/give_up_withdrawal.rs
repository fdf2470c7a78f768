use axum::extract::State;
use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{self, GetWithdrawal};
use ferrex_ids::WithdrawalId;
use ferrex_web::{Json, Path, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::input::reason;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GiveUpWithdrawal {
    /// For the audit log, and for the person.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Where a withdrawal stands that is given up.
#[derive(Serialize, ToSchema)]
pub(super) struct GivenUpView {
    /// Which.
    #[schema(value_type = String)]
    withdrawal: WithdrawalId,
    /// State name.
    state: String,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
}

/// Gives up a withdrawal that is in no block
///
/// What was signed has its place in the wallet's order taken by a payment of nothing to ourselves, so that nothing waits
/// behind it. If the payment is mined first all the same, it is settled.
#[utoipa::path(
    post, path = "/v1/withdrawals/{id}/giving-up", operation_id = "give_up_withdrawal", tag = "concerns",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^wdr_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The withdrawal.")),
    request_body = GiveUpWithdrawal,
    responses(
        (status = 200, description = "Where it stands.", body = GivenUpView),
        (status = 409, description = "It is mined, over, or waits for a decision.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(withdrawal): Path<WithdrawalId>,
    Json(body): Json<GiveUpWithdrawal>,
) -> Result<Json<GivenUpView>, Problem> {
    let reason = reason(&body.reason)?;
    let before = admin.ask(withdrawal, &GetWithdrawal { withdrawal }).await?;
    let what = Act {
        action: "withdrawal.give_up",
        subject: withdrawal.to_string(),
        reason: Some(reason.clone()),
        before: Some(state(&before)),
    };
    let by = StaffAction {
        staff: actor.staff,
        reason,
    };
    let request = payment::GiveUpWithdrawal { withdrawal, by };
    let view = act(&admin, &actor, what, withdrawal.to_string(), request, state).await?;
    Ok(Json(GivenUpView {
        withdrawal,
        state: view.state,
        waiting_for: view.waiting_for,
    }))
}

fn state(view: &payment::WithdrawalView) -> Value {
    json!({ "state": view.state })
}
