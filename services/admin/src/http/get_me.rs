use ferrex_ids::{StaffId, StaffSessionId};
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sessions::Actor;

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub(super) struct MeView {
    /// Who.
    #[schema(value_type = String)]
    id: StaffId,
    /// Their name.
    name: String,
    /// The session that asks.
    #[schema(value_type = String)]
    session: StaffSessionId,
}

/// Says who is logged in
#[utoipa::path(
    get, path = "/v1/me", operation_id = "get_me", tag = "sessions",
    security(("bearer" = [])),
    responses((status = 200, description = "You.", body = MeView))
)]
pub(super) async fn handle(actor: Actor) -> Result<Json<MeView>, Problem> {
    Ok(Json(MeView {
        id: actor.staff,
        name: actor.name,
        session: actor.session,
    }))
}
