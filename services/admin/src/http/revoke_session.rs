use axum::extract::State;
use axum::http::StatusCode;
use ferrex_ids::StaffSessionId;
use ferrex_web::{Path, Problem};

use crate::Admin;
use crate::sessions::{self, Actor};

/// Ends one of your sessions
///
/// The one that asks included: that is how to log out.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", operation_id = "revoke_session", tag = "sessions",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^sse_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The session.")),
    responses((status = 204, description = "It is over."))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(id): Path<StaffSessionId>,
) -> Result<StatusCode, Problem> {
    sessions::revoke(&admin, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
