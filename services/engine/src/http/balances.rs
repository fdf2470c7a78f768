use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ferrex_engine_client::wire::BalancesOf;
use ferrex_engine_core::Balance;

use super::Access;

/// What an owner has.
pub(super) async fn read(
    State(access): State<Access>,
    Json(question): Json<BalancesOf>,
) -> Result<Json<Vec<Balance>>, StatusCode> {
    access
        .client
        .balances(question.owner)
        .await
        .map(Json)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
