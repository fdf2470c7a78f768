use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ferrex_engine_client::wire::COMMANDS_MAX;
use ferrex_engine_core::{Answer, Command};
use futures::future::join_all;

use super::Access;

/// Has commands decided; an outcome that is not known is null.
pub(super) async fn decide(
    State(access): State<Access>,
    Json(commands): Json<Vec<Command>>,
) -> Result<Json<Vec<Option<Answer>>>, StatusCode> {
    if commands.len() > COMMANDS_MAX {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let answers = join_all(commands.into_iter().map(|command| access.client.answer(command))).await;
    Ok(Json(answers.into_iter().map(Result::ok).collect()))
}
