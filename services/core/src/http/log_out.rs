use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::Problem;

use super::person::Person;
use crate::{Core, sessions};

/// Logs out
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "log_out", tag = "sessions", security(("bearer" = [])),
    responses((status = 204, description = "The session has ended."))
)]
pub(super) async fn handle(State(core): State<Core>, person: Person) -> Result<StatusCode, Problem> {
    sessions::log_out(&core, person.user, person.session).await?;
    Ok(StatusCode::NO_CONTENT)
}
