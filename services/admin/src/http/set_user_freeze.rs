use axum::extract::State;
use ferrex_contracts::StaffAction;
use ferrex_contracts::core::{self, GetUser};
use ferrex_ids::UserId;
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::input::reason;
use super::views::UserView;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// The new state, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUserFreeze {
    /// Whether money may not leave.
    frozen: bool,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Freezes or unfreezes a person
///
/// While frozen, no money of the person moves out. Saying what is so already changes nothing.
#[utoipa::path(
    put, path = "/v1/users/{id}/freeze", operation_id = "set_user_freeze", tag = "users",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^usr_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The person.")),
    request_body = SetUserFreeze,
    responses(
        (status = 200, description = "The person as of now.", body = UserView),
        (status = 409, description = "It does not fit the present state.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(user): Path<UserId>,
    Json(body): Json<SetUserFreeze>,
) -> Result<Json<UserView>, Problem> {
    let reason = reason(&body.reason)?;
    let before = admin.ask(user, &GetUser { user }).await?;
    let what = Act {
        action: if body.frozen {
            "user.freeze"
        } else {
            "user.unfreeze"
        },
        subject: user.to_string(),
        reason: Some(reason.clone()),
        before: Some(state(&before)),
    };
    let by = StaffAction {
        staff: actor.staff,
        reason,
    };
    let request = core::SetUserFreeze {
        user,
        frozen: body.frozen,
        by,
    };
    Ok(Json(
        act(&admin, &actor, what, user.to_string(), request, state)
            .await?
            .into(),
    ))
}

/// What the audit log keeps of a person: nothing personal.
fn state(view: &core::UserView) -> Value {
    json!({ "frozen": view.frozen, "level": view.level })
}
