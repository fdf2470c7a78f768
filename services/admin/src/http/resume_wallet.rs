use axum::extract::State;
use ferrex_contracts::{StaffAction, payment};
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::input::reason;
use super::views::NetworkView;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// What was found, and why payments may go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResumeWallet {
    /// The wallet's next nonce as the chain has it; refused when the chain says another.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    next_nonce: u64,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Lets a network's wallet pay again after it was used elsewhere
///
/// Look first at what `GET /v1/concerns` lists as `foreign_transaction`; each must be confirmed.
#[utoipa::path(
    post, path = "/v1/networks/{key}/wallet-release", operation_id = "resume_wallet", tag = "concerns",
    security(("bearer" = [])),
    params(("key" = String, Path, pattern = "^[a-z0-9][a-z0-9-]{1,19}$", description = "2 to 20 of a-z, 0-9 and `-`.")),
    request_body = ResumeWallet,
    responses(
        (status = 200, description = "The network as of now.", body = NetworkView),
        (status = 409, description = "The chain says another nonce, or is not sure yet.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(key): Path<String>,
    Json(body): Json<ResumeWallet>,
) -> Result<Json<NetworkView>, Problem> {
    let reason = reason(&body.reason)?;
    let what = Act {
        action: "wallet.resume",
        subject: key.clone(),
        reason: Some(reason.clone()),
        before: Some(json!({ "next_nonce": body.next_nonce })),
    };
    let by = StaffAction {
        staff: actor.staff,
        reason,
    };
    let request = payment::ResumeWallet {
        network: key.clone(),
        next_nonce: body.next_nonce,
        by,
    };
    let view = act(&admin, &actor, what, key, request, |_| json!({})).await?;
    Ok(Json(view.into()))
}
