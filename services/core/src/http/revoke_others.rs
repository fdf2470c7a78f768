use axum::extract::State;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::person::Person;
use crate::{Core, sessions};

/// What was ended.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedView {
    /// How many sessions.
    #[schema(minimum = 0)]
    revoked: usize,
}

/// Ends all of the person's sessions but the one that asks
#[utoipa::path(
    delete, path = "/v1/sessions", operation_id = "revoke_other_sessions", tag = "sessions", security(("bearer" = [])),
    responses((status = 200, description = "They have ended.", body = RevokedView))
)]
pub(super) async fn handle(State(core): State<Core>, person: Person) -> Result<Json<RevokedView>, Problem> {
    let revoked = sessions::revoke_others(&core, person.user, person.session).await?;
    Ok(Json(RevokedView { revoked }))
}
