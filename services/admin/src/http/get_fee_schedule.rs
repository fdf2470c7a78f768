use axum::extract::State;
use ferrex_contracts::payment::{GetFeeSchedule, ListAssets};
use ferrex_web::{Json, Problem};

use super::fee_schedule::{FeeScheduleView, show};
use crate::Admin;
use crate::sessions::Actor;

/// Shows which volume gives which fee tier
#[utoipa::path(
    get, path = "/v1/fee-schedule", operation_id = "get_fee_schedule", tag = "trading",
    security(("bearer" = [])),
    responses((status = 200, description = "The schedule.", body = FeeScheduleView))
)]
pub(super) async fn handle(State(admin): State<Admin>, _: Actor) -> Result<Json<FeeScheduleView>, Problem> {
    let schedule = admin.ask("", &GetFeeSchedule {}).await?;
    let registry = admin.ask("", &ListAssets {}).await?;
    Ok(Json(show(&schedule, &registry.assets)?))
}
