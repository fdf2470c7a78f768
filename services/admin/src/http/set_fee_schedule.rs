use axum::extract::State;
use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{self, GetFeeSchedule, ListAssets};
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::fee_schedule::{FeeScheduleView, show};
use super::input::{amount, asset, reason};
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// Which volume of 30 days gives which fee tier.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetFeeSchedule {
    /// Symbol of the asset that volumes are in. Trades in its markets count, by how much of it changed hands.
    #[schema(example = "USDT", max_length = 12)]
    asset: String,
    /// The least volume for tier 1, for tier 2 and so on, growing, in whole units.
    #[schema(max_items = 63, example = json!(["100000", "1000000"]))]
    volumes: Vec<String>,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Changes which volume gives which fee tier
///
/// People's tiers follow within minutes.
#[utoipa::path(
    put, path = "/v1/fee-schedule", operation_id = "set_fee_schedule", tag = "trading",
    security(("bearer" = [])),
    request_body = SetFeeSchedule,
    responses((status = 200, description = "The schedule.", body = FeeScheduleView))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Json(body): Json<SetFeeSchedule>,
) -> Result<Json<FeeScheduleView>, Problem> {
    let reason = reason(&body.reason)?;
    let registry = admin.ask("", &ListAssets {}).await?;
    let asset = asset(&registry.assets, "asset", &body.asset)?;
    let volume = |volume: &String| amount("volumes", volume, asset);
    let volumes = body.volumes.iter().map(volume).collect::<Result<_, _>>()?;
    let before = admin.ask("", &GetFeeSchedule {}).await?;
    let what = Act {
        action: "fee_schedule.set",
        subject: body.asset.clone(),
        reason: Some(reason.clone()),
        before: Some(json!(before)),
    };
    let request = payment::SetFeeSchedule {
        asset: asset.asset,
        volumes,
        by: StaffAction {
            staff: actor.staff,
            reason,
        },
    };
    let key = String::new();
    let schedule = act(&admin, &actor, what, key, request, |schedule| json!(schedule)).await?;
    Ok(Json(show(&schedule, &registry.assets)?))
}
