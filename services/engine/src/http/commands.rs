use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ferrex_engine_client::wire::COMMANDS_MAX;
use ferrex_engine_core::{Command, Outcome};
use futures::future::join_all;

use super::Access;

/// Has commands decided; an outcome that is not known is null.
pub(super) async fn decide(
    State(access): State<Access>,
    Json(commands): Json<Vec<Command>>,
) -> Result<Json<Vec<Option<Outcome>>>, StatusCode> {
    if commands.len() > COMMANDS_MAX {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let outcomes = join_all(commands.into_iter().map(|command| access.client.submit(command))).await;
    Ok(Json(outcomes.into_iter().map(Result::ok).collect()))
}
