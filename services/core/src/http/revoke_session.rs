use axum::extract::State;
use axum::http::StatusCode;
use ferrex_ids::SessionId;
use ferrex_web::{Path, Problem};

use super::person::Person;
use crate::{Core, sessions};

/// Ends one of the person's sessions
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", operation_id = "revoke_session", tag = "sessions", security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^ses_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The session", example = "ses_01kb4w2v7tfz3vqk9m5h8e2xyz")),
    responses((status = 204, description = "It has ended."))
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    sessions::revoke(&core, person.user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
