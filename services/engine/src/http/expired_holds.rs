use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ferrex_engine_client::wire::ExpiredHolds;
use ferrex_ids::HoldId;

use super::Access;

/// Open holds that may expire.
pub(super) async fn read(
    State(access): State<Access>,
    Json(question): Json<ExpiredHolds>,
) -> Result<Json<Vec<HoldId>>, StatusCode> {
    let holds = access.client.expired_holds(question.now, question.limit).await;
    holds.map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
